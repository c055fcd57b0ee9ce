// Depth of the pixel under the pointer: one request at a time, none repeated.

const PAUSE_MS = 40; // between two requests
const AFTER_ERROR_MS = 1000;
const MOST_KEPT = 50_000; // answers

export class LiveReading {
  #photo = null;
  #turn = 0;
  #answers = new Map();
  #wanted = null;
  #busy = false;
  #show;

  /** `show({pixel, answer})` or `show({pixel, error})` receives the result of a pixel. */
  constructor(show) {
    this.#show = show;
  }

  /** Read from a photo, or from it with another focal length. */
  attach(photo) {
    this.#photo = photo;
    this.#turn = photo.turn;
    this.#answers.clear();
    this.#wanted = null;
  }

  /** Query a pixel [u, v]; while a request runs, only the last pixel is remembered. */
  want(pixel) {
    const known = this.#answers.get(String(pixel));
    this.#wanted = known ? null : pixel;
    if (known) this.#show({ pixel, answer: known });
    else this.#work();
  }

  /** Forget the remembered pixel. */
  drop() {
    this.#wanted = null;
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#wanted) {
      const pixel = this.#wanted;
      this.#wanted = null;
      const well = await this.#ask(pixel, this.#photo, this.#turn);
      await new Promise((resolve) => setTimeout(resolve, well ? PAUSE_MS : AFTER_ERROR_MS));
    }
    this.#busy = false;
  }

  async #ask(pixel, photo, turn) {
    const current = () => photo === this.#photo && turn === this.#turn;
    try {
      const all = await photo.ask("points", { points: [pixel], xyz: false });
      if (!current()) return true;
      const answer = { depth_m: all.depth_m[0], range_m: all.range_m?.[0] ?? null };
      if (this.#answers.size >= MOST_KEPT) this.#answers.clear();
      this.#answers.set(String(pixel), answer);
      this.#show({ pixel, answer });
      return true;
    } catch (error) {
      if (current()) this.#show({ pixel, error });
      return false;
    }
  }
}
