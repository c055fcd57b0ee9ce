// The query being drawn: its kind, and those of its points that are set.

import { cornersOf } from "./pixels.js";

export class Draft {
  kind = "point"; // or "distance", "path", "box"
  places = [];

  /** Begin anew with another kind. */
  begin(kind) {
    this.kind = kind;
    this.giveUp();
  }

  giveUp() {
    this.places = [];
  }

  /** Take back the last point; false if there is none. */
  back() {
    return this.places.pop() !== undefined;
  }

  /** Add a point; all points once the query is complete, else null. */
  add(at) {
    if (this.kind === "point") return [at];
    if (this.kind === "path" || !this.places.length) {
      this.places.push(at);
      return null;
    }
    const places = this.#both(this.places[0], at);
    if (places) this.giveUp();
    return places;
  }

  /** End a path: its points, or null if there are fewer than two. */
  end() {
    if (this.kind !== "path" || this.places.length < 2) return null;
    const { places } = this;
    this.giveUp();
    return places;
  }

  /** The figure to draw while the pointer is at `to`, or nowhere. */
  figure(to) {
    if (!this.places.length) return null;
    return { kind: this.kind, places: to ? [...this.places, to] : this.places };
  }

  /** Null for a box without area: its second corner is still to come. */
  #both(from, to) {
    return this.kind === "distance" ? [from, to] : cornersOf(from, to);
  }
}
