// The unit that lengths are shown in: metres, or feet and inches. Files are always in metres.

import { metres } from "./words.js";

const KEY = "spd-unit";
const FOOT_M = 0.3048;
const INCH_PARTS = 16; // the finest fraction of an inch

const UNITS = {
  m: { name: "metres", heading: "Metres", metresEach: 1, words: metres },
  ft: { name: "feet", heading: "Feet, inches", metresEach: FOOT_M, words: feet },
};

let chosen = remembered();

/** The unit in use: {name, heading, metresEach, words(metres)}. */
export function unit() {
  return UNITS[chosen];
}

/** A length in the unit in use. */
export function lengthWords(valueM) {
  return UNITS[chosen].words(valueM);
}

/** Connect the page's choice of unit; `changed()` is called after each change. */
export function listenToUnit(changed) {
  const choice = document.getElementById("unit");
  choice.value = chosen;
  choice.addEventListener("change", () => {
    chosen = choice.value;
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // A browser that stores nothing forgets the choice with the tab.
    }
    changed();
  });
}

function remembered() {
  try {
    const name = localStorage.getItem(KEY);
    return Object.hasOwn(UNITS, name) ? name : "m";
  } catch {
    return "m";
  }
}

/** Feet and inches to an eighth of an inch, below one metre to a sixteenth. */
export function feet(valueM) {
  if (!Number.isFinite(valueM)) return metres(valueM);
  const step = Math.abs(valueM) < 1 ? 1 : 2;
  const parts = step * Math.round((Math.abs(valueM) / FOOT_M) * ((12 * INCH_PARTS) / step));
  const whole = Math.floor(parts / (12 * INCH_PARTS));
  const inches = inchWords(parts % (12 * INCH_PARTS));
  const sign = valueM < 0 && parts ? "−" : "";
  return sign + (whole ? `${whole} ft ${inches} in` : `${inches} in`);
}

function inchWords(parts) {
  const whole = Math.floor(parts / INCH_PARTS);
  let [top, bottom] = [parts % INCH_PARTS, INCH_PARTS];
  if (!top) return String(whole);
  while (top % 2 === 0) [top, bottom] = [top / 2, bottom / 2];
  return whole ? `${whole} ${top}/${bottom}` : `${top}/${bottom}`;
}
