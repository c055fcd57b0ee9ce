// What is read at one pixel, and the photo's warnings, for eyes and ears.

import { say } from "./status.js";
import { lengthWords } from "./units.js";
import { place } from "./words.js";

const SPOKEN_AFTER_MS = 350; // of rest before the crosshair’s reading is spoken
const TOLD_ALREADY = /^focal length unknown/; // the page has its own words for this warning

const get = (id) => document.getElementById(id);

export class ReadingPanel {
  #last = null;
  #ranges = true;
  #speech = 0;

  /** Nothing is read yet of a photo with this description. */
  begin(info) {
    this.#last = null;
    this.#ranges = info.focal_px !== null;
    get("read-place").textContent = "Point at the photo";
    get("read-depth").textContent = "–";
    this.#showRange("–");
    get("read-error").textContent = "";
    this.#warn(info.warnings.filter((words) => !TOLD_ALREADY.test(words)));
  }

  /** Show {pixel, answer} or {pixel, error}; `spoken` after a moment without another. */
  show({ pixel, answer, error }, spoken = false) {
    get("read-error").textContent = error?.message ?? "";
    if (error) return;
    this.#last = { pixel, answer };
    this.retell();
    if (!spoken) return;
    this.hush();
    const words = `${place(pixel)}: ${lengthWords(answer.depth_m)}`;
    this.#speech = setTimeout(() => say(words), SPOKEN_AFTER_MS);
  }

  /** Write the last reading in the unit in use. */
  retell() {
    if (!this.#last) return;
    const { pixel, answer } = this.#last;
    get("read-place").textContent = place(pixel);
    get("read-depth").textContent = lengthWords(answer.depth_m);
    this.#showRange(lengthWords(answer.range_m));
  }

  /** Speak nothing that waits to be spoken. */
  hush() {
    clearTimeout(this.#speech);
  }

  #showRange(words) {
    get("read-range").textContent = this.#ranges ? words : "needs the focal length";
    get("read-range").classList.toggle("missing", !this.#ranges);
  }

  #warn(warnings) {
    const item = (words) => Object.assign(document.createElement("li"), { textContent: words });
    get("warnings").replaceChildren(...warnings.map(item));
  }
}
