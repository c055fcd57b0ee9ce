// Mouse, finger and pen on the stage, as places of the photo.

import { listenToKeys } from "./keys.js";
import { clamped, inside, pointed, toPhoto } from "./pixels.js";

const SLACK_PX = { mouse: 4, pen: 6, touch: 10 }; // a press that moves less is a click
const REACH_PX = { mouse: 9, pen: 12, touch: 22 }; // around a mark, to take hold of it
const HOLD_MS = 200; // a finger that rests so long aims, and no longer scrolls

const by = (most, event) => most[event.pointerType] ?? most.mouse;

/**
 * Calls `hover(place)`, `leave()`, `pick(place, reachPx)`, `drag(from, to)`, `dragEnd(to)`,
 * `take(place, reachPx)`, `carry(to)`, `putDown()`, `aim(place, spot)`, `aimEnd()` and `abort()`
 * of `told`, and what keys.js says; `told.size` is the photo's or null, `told.drags` whether a drag
 * draws.
 */
export function listen(stage, view, told) {
  let press = null;

  const placeOf = (event) => toPhoto(pointed(event), view.inWindow, told.size);
  const held = (place) => clamped(place, told.size);

  stage.addEventListener("pointerdown", (event) => {
    if (!told.size || !event.isPrimary || event.button !== 0) return;
    const place = placeOf(event);
    const mark = told.take(place, by(REACH_PX, event));
    if (!mark && !inside(place, told.size)) return;
    press = { id: event.pointerId, x: event.clientX, y: event.clientY, place, mark, moved: false };
    stage.setPointerCapture(event.pointerId);
    if (event.pointerType !== "touch") return;
    if (mark || told.drags) aimFrom(press, event);
    else press.timer = setTimeout(aimFrom, HOLD_MS, press, event);
  });

  function aimFrom(aiming, event) {
    aiming.aims = true;
    told.aim(held(targetOf(aiming, event)), [event.clientX, event.clientY]);
  }

  /** Where a press points now: with a mark, where that is. */
  function targetOf({ mark, place }, event) {
    const now = placeOf(event);
    return mark ? mark.map((at, axis) => at + now[axis] - place[axis]) : now;
  }

  stage.addEventListener("pointermove", (event) => {
    if (!told.size) return;
    if (press?.id === event.pointerId) moved(event);
    if (event.pointerType === "touch" || press?.mark) return;
    const place = placeOf(event);
    if (inside(place, told.size)) told.hover(place);
    else told.leave();
  });

  function moved(event) {
    const [x, y] = [event.clientX - press.x, event.clientY - press.y];
    press.moved ||= Math.hypot(x, y) > by(SLACK_PX, event);
    if (!press.moved) return;
    clearTimeout(press.timer);
    const target = held(targetOf(press, event));
    if (press.mark) told.carry(target);
    else if (told.drags) told.drag(held(press.place), target);
    if (press.aims) told.aim(target, [event.clientX, event.clientY]);
    else if (!press.mark && !told.drags && view.zoomed) {
      view.moveBy(x, y);
      Object.assign(press, { x: event.clientX, y: event.clientY });
    }
  }

  stage.addEventListener("pointerup", (event) => {
    if (press?.id !== event.pointerId) return;
    const ended = letGo();
    if (!told.size) return;
    if (ended.mark) told.putDown(); // to where it was, if it did not move
    if (!ended.moved) told.pick(held(ended.place), 2 * by(SLACK_PX, event));
    else if (ended.mark) return;
    else if (told.drags) told.dragEnd(held(placeOf(event)));
    else if (ended.aims) told.pick(held(placeOf(event)));
  });

  function letGo() {
    const ended = press;
    clearTimeout(ended?.timer);
    press = null;
    told.aimEnd();
    return ended;
  }

  stage.addEventListener("pointercancel", () => {
    const ended = letGo();
    if (ended?.mark || (ended?.moved && told.drags)) told.abort();
  });
  stage.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") told.leave();
  });
  // A browser that has not begun to scroll must not begin under a finger that aims.
  const keep = (event) => press?.aims && event.cancelable && event.preventDefault();
  stage.addEventListener("touchmove", keep, { passive: false });
  stage.addEventListener("contextmenu", (event) => press?.aims && event.preventDefault());

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
    letGo();
    told.abort();
  });
}
