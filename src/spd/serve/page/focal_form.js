// The focal length: what a person gives, and what the service then uses and why.

import { focalWords } from "./words.js";

const WAYS = { focal_px: { unit: "px", most: Infinity }, fov_deg: { unit: "°", most: 170 } };

const TOLD_ALREADY = /^focal length unknown/; // in words for programmers

export class FocalForm {
  #form = document.getElementById("focal-form");
  #way = document.getElementById("focal-way");
  #value = document.getElementById("focal-value");
  #error = document.getElementById("focal-error");
  #button = this.#form.querySelector("button");
  #used = {};

  /** `use(focal)` sends what was given, or throws an error with a message for people. */
  constructor(use) {
    this.#way.addEventListener("change", () => this.#offer());
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      this.#fail("");
      this.#button.disabled = true;
      try {
        const focal = this.#given();
        await use(focal);
        this.#used = focal;
      } catch (error) {
        this.#fail(error.message);
      } finally {
        this.#button.disabled = false;
      }
    });
    this.#offer();
  }

  /** What the next photo is sent with. */
  get used() {
    return this.#used;
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
    if (!way) return {};
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
