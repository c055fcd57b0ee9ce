// The query being drawn: its kind, and the first of its two points.

import { boxOf } from "./pixels.js";

export class Draft {
  kind = "point"; // or "distance", "box"
  first = null;

  /** Begin anew with another kind. */
  begin(kind) {
    this.kind = kind;
    this.first = null;
  }

  giveUp() {
    this.first = null;
  }

  /** Add a point; all points once the query is complete, else null. */
  add(at) {
    if (this.kind === "point") return [at];
    if (this.first === null) {
      this.first = at;
      return null;
    }
    const places = this.#both(this.first, at);
    if (places) this.first = null;
    return places;
  }

  /** The figure to draw while the pointer is at `to`, or nowhere. */
  figure(to) {
    if (!this.first) return null;
    return { kind: this.kind, places: to ? [this.first, to] : [this.first] };
  }

  /** Null for a box without area: its second corner is still to come. */
  #both(from, to) {
    if (this.kind === "distance") return [from, to];
    const box = boxOf(from, to);
    return box && [box.slice(0, 2), box.slice(2)];
  }
}
