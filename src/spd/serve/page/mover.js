// Moves a point of a mark, or a corner of a box, to another place.

import { cornersOf } from "./pixels.js";

/** Places that a mark can be held by: its points, or all four corners of a box. */
export function holds({ kind, places }) {
  if (kind !== "box") return places;
  const [[u0, v0], [u1, v1]] = places;
  return [...places, [u0, v1], [u1, v0]];
}

export class Mover {
  #item = null;
  #hold = 0;
  #places = null;

  get item() {
    return this.#item;
  }

  /** Take hold of the nearest mark within `reach` of the photo's pixels; its place, or null. */
  take(items, [u, v], reach) {
    let least = reach;
    for (const item of items) {
      holds(item).forEach((place, at) => {
        const apart = Math.hypot(place[0] - u, place[1] - v);
        if (apart > least) return;
        least = apart;
        [this.#item, this.#hold, this.#places] = [item, at, item.places];
      });
    }
    return this.#item && holds(this.#item)[this.#hold];
  }

  /** Move what is held; a box keeps an area. */
  move(to) {
    const { kind, places } = this.#item;
    const moved = () => places.map((place, at) => (at === this.#hold ? to : place));
    this.#places = (kind === "box" ? this.#corners(to) : moved()) ?? this.#places;
  }

  /** The held item while it is moved: as itself at its new places, without an answer. */
  shown(item) {
    if (item !== this.#item || this.#places === item.places) return item;
    return { ...item, places: this.#places, answer: null, error: null };
  }

  /** Let go: {item, places} if it was moved, else null. */
  drop() {
    const { item, places } = { item: this.#item, places: this.#places };
    this.letGo();
    if (!item || String(places) === String(item.places)) return null;
    return { item, places };
  }

  letGo() {
    [this.#item, this.#places] = [null, null];
  }

  #corners([u, v]) {
    const [[u0, v0], [u1, v1]] = this.#item.places;
    const moved = [
      [[u, v], [u1, v1]],
      [[u0, v0], [u, v]],
      [[u, v0], [u1, v]],
      [[u0, v], [u, v1]],
    ][this.#hold];
    return cornersOf(...moved);
  }
}
