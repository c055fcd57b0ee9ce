// Mouse, finger, pen and keys on the stage, as places of the photo.

import { clamped, inside, pixelOf, pointed, toPhoto } from "./pixels.js";

const SLACK_PX = { mouse: 4, pen: 6, touch: 10 }; // a press that moves less is a click
const ZOOM_STEP = 1.5;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Calls `hover(place)`, `leave()`, `pick(place)`, `drag(from, to)`, `dragEnd(to)`, `abort()`
 * and `step(pixel)` of `told`; `told.size` is the photo's or null, `told.drags` whether a drag
 * draws.
 */
export function listen(stage, view, told) {
  let press = null;

  const placeOf = (event) => toPhoto(pointed(event), view.inWindow, told.size);

  stage.addEventListener("pointerdown", (event) => {
    if (!told.size || !event.isPrimary || event.button !== 0) return;
    const place = placeOf(event);
    if (!inside(place, told.size)) return;
    press = { id: event.pointerId, x: event.clientX, y: event.clientY, place, moved: false };
    stage.setPointerCapture(event.pointerId);
  });

  stage.addEventListener("pointermove", (event) => {
    if (!told.size) return;
    const place = placeOf(event);
    if (press?.id === event.pointerId) moved(event, place);
    if (event.pointerType === "touch") return;
    if (inside(place, told.size)) told.hover(place);
    else told.leave();
  });

  function moved(event, place) {
    const [x, y] = [event.clientX - press.x, event.clientY - press.y];
    press.moved ||= Math.hypot(x, y) > (SLACK_PX[event.pointerType] ?? SLACK_PX.mouse);
    if (!press.moved) return;
    if (told.drags) {
      told.drag(clamped(press.place, told.size), clamped(place, told.size));
    } else if (view.zoomed) {
      view.moveBy(x, y);
      Object.assign(press, { x: event.clientX, y: event.clientY });
    }
  }

  stage.addEventListener("pointerup", (event) => {
    if (press?.id !== event.pointerId) return;
    const { moved: far, place } = press;
    press = null;
    if (!told.size) return;
    if (!far) told.pick(clamped(place, told.size));
    else if (told.drags) told.dragEnd(clamped(placeOf(event), told.size));
  });

  stage.addEventListener("pointercancel", () => {
    if (press?.moved && told.drags) told.abort();
    press = null;
  });
  stage.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") told.leave();
  });

  stage.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page's own scrolling
      event.preventDefault();
      view.zoomBy(Math.exp(-event.deltaY / 200), [event.clientX, event.clientY]);
    },
    { passive: false },
  );
  listenToKeys(stage, view, told, () => {
    press = null;
    told.abort();
  });
}

/** Arrows move a crosshair from pixel to pixel, Enter picks, Escape cancels. */
function listenToKeys(stage, view, told, giveUp) {
  stage.addEventListener("keydown", (event) => {
    if (!told.size || event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = told.size;
    const middle = [(width - 1) / 2, (height - 1) / 2];
    const at = told.crosshair ?? pixelOf(middle, told.size);
    const arrow = ARROWS[event.key];
    if (arrow) {
      const far = event.shiftKey ? Math.max(1, Math.round(Math.max(width, height) / 20)) : 1;
      const next = told.crosshair ? at.map((value, axis) => value + far * arrow[axis]) : at;
      const pixel = pixelOf(next, told.size);
      view.reveal([(pixel[0] + 0.5) / width, (pixel[1] + 0.5) / height]);
      told.step(pixel);
    } else if (event.key === "Enter" || event.key === " ") {
      if (told.crosshair) told.pick(at);
      else told.step(at);
    } else if (event.key === "Escape") giveUp();
    else if (event.key === "+" || event.key === "=") view.zoomBy(ZOOM_STEP);
    else if (event.key === "-") view.zoomBy(1 / ZOOM_STEP);
    else if (event.key === "0") view.fit();
    else return;
    event.preventDefault();
  });
}
