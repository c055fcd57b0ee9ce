// The focal length: the form to enter it, and the value the service uses with its source.

import { focalWords } from "./words.js";

const WAYS = { focal_px: { unit: "px", most: Infinity }, fov_deg: { unit: "°", most: 170 } };

const NONE = {}; // from the photo's file

/** The value for the next photo: pixels belong to one photo, a field of view to the lens. */
const kept = (focal) => ("focal_px" in focal ? NONE : focal);

export class FocalForm {
  #form = document.getElementById("focal-form");
  #way = document.getElementById("focal-way");
  #value = document.getElementById("focal-value");
  #error = document.getElementById("focal-error");
  #button = this.#form.querySelector("button");
  #next = NONE;
  #givenPx = null; // the last value given in pixels

  /**
   * `use(focal)` sends the value, or throws an error with a message for the user; returns
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

  /** The focal length for the next photo. */
  get next() {
    return this.#next;
  }

  /** A photo was opened: a value in pixels does not hold for the one after it. */
  opened() {
    this.#next = kept(this.#next);
    // A number not yet submitted is being typed for the current photo.
    if (this.#way.value !== "focal_px" || this.#value.valueAsNumber !== this.#givenPx) return;
    this.#form.reset();
    this.#offer();
  }

  /** Show the focal length of a photo. */
  tell(info) {
    const { text, known } = focalWords(info);
    const now = document.getElementById("focal-now");
    now.textContent = text;
    now.classList.toggle("doubtful", !known);
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
      throw new Error(`Enter a number above 0${end}.`);
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
