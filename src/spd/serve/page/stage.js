// The photo on the stage: what pointer and keys do there, and what is drawn over it.

import { Draft } from "./draft.js";
import { Loupe } from "./loupe.js";
import { Marks } from "./marks.js";
import { Mover } from "./mover.js";
import { clamped, pixelOf } from "./pixels.js";
import { listen } from "./pointer.js";
import { say } from "./status.js";
import { View } from "./view.js";
import { place } from "./words.js";

const HINTS = {
  point: "Click, tap or press Enter to pin a point. Drag a mark to move it.",
  distance: "Pick two points to measure the distance between them in 3D.",
  path: "Pick points along a path; to end it, pick the last one twice or press Enter or “End path”.",
  box: "Drag a box, or pick two opposite corners, to get the median and spread of its depth.",
};
const NO_DISTANCE =
  "Distances need the photo’s focal length, but neither you nor the photo’s file gave one.";

const get = (id) => document.getElementById(id);

/** Dispatches `draft` after each change of the unfinished query. */
export class Stage extends EventTarget {
  photo = null;
  crosshair = null; // the keyboard's pixel
  #draft = new Draft();
  #mover = new Mover();
  #marks = new Marks();
  #loupe = new Loupe();
  #chosen = null;
  #results;
  #reading;

  /** Adds what is asked to `results`; `reading` receives the pixel that is pointed at. */
  constructor(results, reading) {
    super();
    this.#results = results;
    this.#reading = reading;
    const element = get("stage");
    this.view = new View(element, [get("image"), get("map")], () => this.draw());
    results.addEventListener("change", () => this.draw());
    get("end-path").addEventListener("click", () => this.finish());
    listen(element, this.view, this);
  }

  open(photo) {
    this.photo = photo;
    this.crosshair = null;
    this.#mover.letGo();
    this.view.open(photo.size);
  }

  get size() {
    return this.photo?.size ?? null;
  }

  /** Whether a drag draws. */
  get drags() {
    return this.#draft.kind === "box";
  }

  get #canMeasure() {
    return this.photo.info.focal_px !== null;
  }

  get #barred() {
    return ["distance", "path"].includes(this.#draft.kind) && !this.#canMeasure;
  }

  get #own() {
    return this.#results.items.filter((item) => item.photo === this.photo);
  }

  /** Begin another kind of query, or the same anew. */
  begin(kind = this.#draft.kind) {
    this.#draft.begin(kind);
    get("stage").dataset.mode = kind;
    if (!this.photo) return;
    get("hint").textContent = this.#barred ? NO_DISTANCE : HINTS[kind];
    get("give-focal").hidden = !this.#barred;
    this.#drawDraft();
  }

  // Pointer and keys (see pointer.js) ----------------------------------------------------------

  hover(at) {
    if (this.#mover.item) return; // held by the keyboard
    if (this.crosshair) this.crosshair = null;
    this.#reading.want(pixelOf(at, this.size));
    this.#drawDraft(clamped(at, this.size));
  }

  leave() {
    if (this.crosshair) return;
    this.#reading.drop();
    this.#drawDraft();
  }

  step(pixel) {
    this.crosshair = pixel;
    this.#reading.want(pixel);
    if (this.#mover.item) this.carry(pixel);
    this.#drawDraft(pixel);
  }

  /** Pick a place; `reachPx` of the screen around a path's last point end the path. */
  pick(at, reachPx = 0) {
    if (this.#mover.item) {
      this.putDown();
      return;
    }
    if (this.#barred) {
      say(NO_DISTANCE);
      return;
    }
    const last = this.#draft.kind === "path" && this.#draft.places.at(-1);
    if (last && Math.hypot(at[0] - last[0], at[1] - last[1]) <= reachPx / this.view.scale) {
      this.finish();
      return;
    }
    const places = this.#draft.add(at);
    const { kind, places: set } = this.#draft;
    if (places) this.#results.add(this.photo, kind, places);
    else if (kind === "path") say(`Point ${set.length} of the path at ${place(at)}.`);
    else say(`First of two points at ${place(at)}.`);
    this.#drawDraft(at);
  }

  /** End a path; false if none can be ended. */
  finish() {
    const places = this.#draft.end();
    if (places) this.#results.add(this.photo, "path", places);
    this.#drawDraft();
    return Boolean(places);
  }

  drag(from, to) {
    this.#draft.giveUp();
    this.#draft.add(from);
    this.#drawDraft(to);
  }

  dragEnd(to) {
    if (this.#draft.places.length) this.pick(to); // else it was given up
  }

  /** Take hold of the nearest mark within `reachPx` of the screen; its place, or null. */
  take(at, reachPx) {
    if (this.#mover.item) this.putDown();
    if (this.#draft.places.length) return null; // a query's next point may lie on a mark
    return this.#mover.take(this.#own, at, reachPx / this.view.scale);
  }

  /** Move the mark that is held. */
  carry(to) {
    if (!this.#mover.item) return; // given up
    this.#mover.move(to);
    this.#reading.want(pixelOf(to, this.size));
    this.draw();
  }

  putDown() {
    const moved = this.#mover.drop();
    if (moved) this.#results.move(moved.item, moved.places);
    else this.draw();
  }

  /** Hold the mark nearest to the crosshair, to be moved by keys; or put it down. */
  lift() {
    if (this.#mover.item) {
      this.putDown();
      return;
    }
    const at = this.crosshair ?? [(this.size.width - 1) / 2, (this.size.height - 1) / 2];
    const held = this.#mover.take(this.#own, at, Infinity);
    if (!held) {
      say("No mark to move.");
      return;
    }
    const { kind, number } = this.#mover.item;
    this.crosshair = pixelOf(held, this.size);
    this.#drawDraft();
    say(`Moving ${kind} ${number} at ${place(held)}. Enter puts it down, Escape puts it back.`);
  }

  /** Show what lies under a finger at `spot` of the window. */
  aim(at, spot) {
    const pixel = pixelOf(at, this.size);
    this.#reading.want(pixel);
    this.#loupe.show(at, place(pixel), this.size, this.view.onStage, spot);
  }

  aimEnd() {
    this.#loupe.hide();
  }

  abort() {
    this.#draft.giveUp();
    this.#mover.letGo();
    this.#loupe.hide();
    this.crosshair = null;
    this.draw();
  }

  get drawing() {
    return this.#draft.places.length > 0;
  }

  /** Take back the last point of the unfinished query; false if there is none. */
  back() {
    const was = this.#draft.back();
    if (was) this.#drawDraft();
    return was;
  }

  /** Highlight an item, or none. */
  choose(item) {
    this.#chosen = item;
    this.draw();
  }

  // What is drawn --------------------------------------------------------------------------------

  draw() {
    if (!this.photo) return;
    this.#marks.place(this.view.onStage, this.size);
    const shown = this.#own.map((item) => this.#mover.shown(item));
    const at = this.#own.indexOf(this.#chosen);
    this.#marks.draw(shown, at < 0 ? null : shown[at]);
    this.#drawDraft();
  }

  #drawDraft(to = this.crosshair) {
    get("end-path").hidden = this.#draft.kind !== "path" || this.#draft.places.length < 2;
    this.#marks.drawDraft(this.#draft.figure(to), this.crosshair);
    this.dispatchEvent(new Event("draft"));
  }
}
