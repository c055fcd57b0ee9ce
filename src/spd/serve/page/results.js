// Queries and their answers: points, distances, paths and boxes of one photo or several.

import { History } from "./history.js";
import { legs } from "./pixels.js";

const MOST_AT_ONCE = 100; // of a kind in one request; the service has a limit

const QUESTIONS = {
  point: {
    what: "points",
    body: (items) => ({ points: items.map((item) => item.places[0]), xyz: false }),
    answers: ({ depth_m, range_m }) =>
      depth_m.map((metres, at) => ({ depth_m: metres, range_m: range_m?.[at] ?? null })),
  },
  distance: {
    what: "distances",
    body: (items) => ({ pairs: items.map((item) => item.places) }),
    answers: ({ distance_m }) => distance_m.map((metres) => ({ distance_m: metres })),
  },
  path: {
    what: "distances",
    body: (items) => ({ pairs: items.flatMap(({ places }) => legs(places)) }),
    answers: ({ distance_m }, items) => {
      const left = [...distance_m];
      return items.map((item) => lengthOf(left.splice(0, item.places.length - 1)));
    },
  },
  box: {
    what: "boxes",
    body: (items) => ({ boxes: items.map((item) => item.places.flat()) }),
    answers: ({ boxes }) => boxes,
  },
};

/** A path's length is null where a leg's is. */
function lengthOf(legsM) {
  const known = legsM.every((metres) => metres !== null);
  return { length_m: known ? legsM.reduce((sum, metres) => sum + metres, 0) : null, legs_m: legsM };
}

/** Dispatches `change` after each change and `answer` (detail: the item) after each answer. */
export class Results extends EventTarget {
  items = []; // replaced by every change, never changed in place: the history keeps them
  #last = 0;
  #history = new History();

  /** Ask about places: one of a point, two of a distance, some of a path, two corners of a box. */
  async add(photo, kind, places) {
    this.#keep();
    this.#last += 1;
    const item = { number: this.#last, kind, places, photo };
    this.items = [...this.items, item];
    await this.#ask(photo, [item]);
    this.#tell(item);
  }

  /** Ask about an item at other places, under its number. */
  async move(item, places) {
    if (!this.items.includes(item)) return; // removed meanwhile
    this.#keep();
    const moved = { number: item.number, kind: item.kind, places, photo: item.photo };
    this.items = this.items.map((other) => (other === item ? moved : other));
    await this.#ask(item.photo, [moved]);
    this.#tell(moved);
  }

  /** Ask everything about a photo again, after its focal length changed. */
  async renew(photo) {
    await this.#renew(this.items.filter((item) => item.photo === photo));
  }

  remove(item) {
    this.#keep();
    this.items = this.items.filter((other) => other !== item);
    this.#changed();
  }

  clear() {
    this.#keep();
    this.items = [];
    this.#last = 0;
    this.#changed();
  }

  get canUndo() {
    return this.#history.canUndo;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  /** Take back the last change; false if there is none. */
  undo() {
    return this.#restore(this.#history.undo(this.#state));
  }

  redo() {
    return this.#restore(this.#history.redo(this.#state));
  }

  get #state() {
    return { items: this.items, last: this.#last };
  }

  #keep() {
    this.#history.keep(this.#state);
  }

  #restore(state) {
    if (!state) return false;
    [this.items, this.#last] = [state.items, state.last];
    this.#changed();
    // Answers from before another focal length was given.
    this.#renew(this.items.filter((item) => item.turn !== item.photo.turn));
    return true;
  }

  async #renew(items) {
    for (const photo of new Set(items.map((item) => item.photo))) {
      for (const kind of Object.keys(QUESTIONS)) {
        const own = items.filter((item) => item.photo === photo && item.kind === kind);
        for (let at = 0; at < own.length; at += MOST_AT_ONCE) {
          await this.#ask(photo, own.slice(at, at + MOST_AT_ONCE));
        }
      }
    }
  }

  /** One request for items of one kind. */
  async #ask(photo, items) {
    const { turn } = photo;
    for (const item of items) Object.assign(item, { answer: null, error: null, turn });
    this.#changed();
    const question = QUESTIONS[items[0].kind];
    let answers = [];
    let failed = null;
    try {
      answers = question.answers(await photo.ask(question.what, question.body(items)), items);
    } catch (error) {
      failed = error;
    }
    if (turn !== photo.turn) return; // queried again since, with another focal length
    items.forEach((item, at) => {
      Object.assign(item, { answer: answers[at] ?? null, error: failed, lens: photo.info });
    });
    this.#changed();
  }

  #tell(item) {
    if (this.items.includes(item)) this.dispatchEvent(new CustomEvent("answer", { detail: item }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
