// The focal length: what a person gives, and what the service then uses and why.

import { focalWords } from "./words.js";

const WAYS = { focal_px: { unit: "px", most: Infinity }, fov_deg: { unit: "°", most: 170 } };

const TOLD_ALREADY = /^focal length unknown/; // in words for programmers

const NONE = {}; // what the photo's file says

/** What holds for the next photo too: pixels are those of one photo, a field of view the lens's. */
const kept = (focal) => ("focal_px" in focal ? NONE : focal);

export class FocalForm {
  #form = document.getElementById("focal-form");
  #way = document.getElementById("focal-way");
  #value = document.getElementById("focal-value");
  #error = document.getElementById("focal-error");
  #button = this.#form.querySelector("button");
  #next = NONE;
  #givenPx = null; // what was given in pixels last

  /**
   * `use(focal)` sends what was given, or throws an error with a message for people; it says
   * whether there was a photo to send it with.
   */
  constructor(use) {
    this.#way.addEventListener("change", () => this.#offer());
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      this.#fail("");
      this.#button.disabled = true;
      try {
        const focal = this.#given();
        this.#givenPx = focal.focal_px ?? null;
        this.#next = (await use(focal)) ? kept(focal) : focal;
      } catch (error) {
        this.#fail(error.message);
      } finally {
        this.#button.disabled = false;
      }
    });
    this.#offer();
  }

  /** What the next photo is sent with. */
  get next() {
    return this.#next;
  }

  /** A photo was opened: pixels that were given are not those of the one after it. */
  opened() {
    this.#next = kept(this.#next);
    // A number that was not yet given is being typed for the photo that is there now.
    if (this.#way.value !== "focal_px" || this.#value.valueAsNumber !== this.#givenPx) return;
    this.#form.reset();
    this.#offer();
  }

  /** Tell what the service uses for a photo, and what it warns of. */
  tell(info) {
    const { text, known } = focalWords(info);
    const now = document.getElementById("focal-now");
    now.textContent = text;
    now.classList.toggle("doubtful", !known);
    const warnings = info.warnings.filter((words) => !TOLD_ALREADY.test(words));
    const item = (words) => Object.assign(document.createElement("li"), { textContent: words });
    document.getElementById("focal-warnings").replaceChildren(...warnings.map(item));
  }

  /** Open the form and put the keyboard in it. */
  open() {
    document.getElementById("focal-details").open = true;
    this.#way.focus();
  }

  #given() {
    const way = this.#way.value;
    if (!way) return NONE;
    const value = this.#value.valueAsNumber;
    const { most } = WAYS[way];
    if (!(value > 0 && value <= most)) {
      const end = most < Infinity ? ` and up to ${most}` : "";
      throw new Error(`Give a number above 0${end}.`);
    }
    return { [way]: value };
  }

  #offer() {
    const unit = WAYS[this.#way.value]?.unit;
    document.getElementById("focal-amount").hidden = !unit;
    document.getElementById("focal-unit").textContent = unit ?? "";
    this.#fail("");
  }

  #fail(words) {
    this.#error.textContent = words;
    this.#value.setAttribute("aria-invalid", String(Boolean(words)));
  }
}
