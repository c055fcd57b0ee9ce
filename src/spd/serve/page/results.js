// Queries and their answers: points, distances and boxes of one photo or several.

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
  box: {
    what: "boxes",
    body: (items) => ({ boxes: items.map((item) => item.places.flat()) }),
    answers: ({ boxes }) => boxes,
  },
};

/** Dispatches `change` after each change and `answer` (detail: the item) after each answer. */
export class Results extends EventTarget {
  items = [];
  #last = 0;

  /** Ask about places of a photo: one of a point, two of a distance, two corners of a box. */
  async add(photo, kind, places) {
    this.#last += 1;
    const item = { number: this.#last, kind, places, photo };
    this.items.push(item);
    await this.#ask(photo, [item]);
    if (this.items.includes(item)) this.dispatchEvent(new CustomEvent("answer", { detail: item }));
  }

  /** Ask everything about a photo again, after its focal length changed. */
  async renew(photo) {
    for (const kind of Object.keys(QUESTIONS)) {
      const own = this.items.filter((item) => item.photo === photo && item.kind === kind);
      for (let at = 0; at < own.length; at += MOST_AT_ONCE) {
        await this.#ask(photo, own.slice(at, at + MOST_AT_ONCE));
      }
    }
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    this.#changed();
  }

  clear() {
    this.items = [];
    this.#last = 0;
    this.#changed();
  }

  /** One request for items of one kind. */
  async #ask(photo, items) {
    for (const item of items) Object.assign(item, { answer: null, error: null });
    this.#changed();
    const question = QUESTIONS[items[0].kind];
    const { turn } = photo;
    let answers = [];
    let failed = null;
    try {
      answers = question.answers(await photo.ask(question.what, question.body(items)));
    } catch (error) {
      failed = error;
    }
    if (turn !== photo.turn) return; // queried again since, with another focal length
    items.forEach((item, at) => {
      Object.assign(item, { answer: answers[at] ?? null, error: failed, lens: photo.info });
    });
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
