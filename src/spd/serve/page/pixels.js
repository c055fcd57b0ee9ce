// Places on the screen and in the photo.
//
// A place in the photo is (u, v) = (column, row) in pixels of the upright photo, and integers are
// the centres of pixels: a photo of W columns reaches from -0.5 to W - 0.5. A rectangle `shown` is
// where the photo lies on the screen: left, top, width, height in CSS pixels, borders of its pixels
// included.

const DECIMALS = 100; // of points that are sent and shown: hundredths of a pixel

/** Where (x, y) on the screen lies in a photo of `size`, which may be outside it. */
export function toPhoto([x, y], shown, size) {
  return [
    ((x - shown.left) / shown.width) * size.width - 0.5,
    ((y - shown.top) / shown.height) * size.height - 0.5,
  ];
}

/** Where a place of the photo lies on the screen. */
export function toScreen([u, v], shown, size) {
  return [
    shown.left + ((u + 0.5) / size.width) * shown.width,
    shown.top + ((v + 0.5) / size.height) * shown.height,
  ];
}

export function inside([u, v], size) {
  return u >= -0.5 && v >= -0.5 && u <= size.width - 0.5 && v <= size.height - 0.5;
}

/** The nearest place in the photo, in hundredths of a pixel. */
export function clamped([u, v], size) {
  const hold = (value, count) =>
    Math.round(Math.min(Math.max(value, -0.5), count - 0.5) * DECIMALS) / DECIMALS;
  return [hold(u, size.width), hold(v, size.height)];
}

/** The pixel that a place lies in, as its centre. */
export function pixelOf([u, v], size) {
  const hold = (value, count) => Math.min(Math.max(Math.floor(value + 0.5), 0), count - 1);
  return [hold(u, size.width), hold(v, size.height)];
}

/**
 * Where a pointer event points, in CSS pixels from the viewport's corner.
 *
 * A mouse says the corner of the screen's pixel under its tip, so half of one is added: a photo
 * shown one to one is then queried at the centre of the visible pixel, not at its border.
 * Fingers and pens say where they are.
 */
export function pointed(event) {
  const half = event.pointerType === "mouse" ? 0.5 / devicePixelRatio : 0;
  return [event.clientX + half, event.clientY + half];
}

/** Consecutive pairs of points: the segments of a path. */
export function legs(places) {
  return places.slice(1).map((place, at) => [places[at], place]);
}

/** The upper left and lower right of two opposite corners; null where they span no area. */
export function cornersOf(from, to) {
  const box = boxOf(from, to);
  return box && [box.slice(0, 2), box.slice(2)];
}

/** Left, top, right, bottom of two opposite corners; null where they span no area. */
export function boxOf([u0, v0], [u1, v1]) {
  if (u0 === u1 || v0 === v1) return null;
  return [Math.min(u0, u1), Math.min(v0, v1), Math.max(u0, u1), Math.max(v0, v1)];
}
