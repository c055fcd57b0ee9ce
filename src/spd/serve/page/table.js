// The table of results.

import { say } from "./status.js";
import { lengthWords, unit } from "./units.js";
import { shortPlace } from "./words.js";

const NAMES = { point: "Point", distance: "Distance", path: "Path", box: "Box" };

/** Draws the table; `told.choose(item or null)` receives the row under the pointer. */
export class Table {
  #results;
  #told;
  #body = document.getElementById("rows");
  #clear = document.getElementById("clear");

  constructor(results, told) {
    this.#results = results;
    this.#told = told;
    results.addEventListener("change", () => this.draw());
    this.#clear.addEventListener("click", () => {
      results.clear();
      say("Cleared. Undo brings the results back.");
    });
    this.draw();
  }

  draw() {
    const { items } = this.#results;
    const several = new Set(items.map((item) => item.photo)).size > 1;
    this.#body.replaceChildren(...items.map((item) => this.#row(item, several)));
    document.getElementById("asked").classList.toggle("empty", !items.length);
    document.getElementById("amounts").textContent = unit().heading;
    this.#clear.disabled = !items.length;
  }

  #row(item, several) {
    const row = document.createElement("tr");
    const where = cell("td", NAMES[item.kind], ...item.places.map(shortPlace));
    where.className = "where";
    if (several) where.append(Object.assign(small(item.photo.name), { className: "name" }));
    row.append(cell("th", item.number), where, answerOf(item), this.#remover(item));
    row.firstChild.scope = "row";
    row.addEventListener("pointerenter", () => this.#told.choose(item));
    row.addEventListener("pointerleave", () => this.#told.choose(null));
    return row;
  }

  #remover(item) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet icon";
    button.textContent = "×";
    button.setAttribute("aria-label", `Remove ${NAMES[item.kind].toLowerCase()} ${item.number}`);
    button.addEventListener("click", () => this.#remove(item));
    const holder = document.createElement("td");
    holder.append(button);
    return holder;
  }

  /** Take an item out, and leave the keyboard where the next one's button is. */
  #remove(item) {
    const at = this.#results.items.indexOf(item);
    this.#results.remove(item);
    this.#told.choose(null);
    const buttons = this.#body.querySelectorAll("button");
    const next = buttons[Math.min(at, buttons.length - 1)] ?? document.getElementById("stage");
    next.focus();
    say(`Removed ${NAMES[item.kind].toLowerCase()} ${item.number}.`);
  }
}

/** An item's answer in words: {main, more: [...]}. */
export function answerWords({ kind, answer, error }) {
  if (error) return { main: error.message, more: [], failed: true };
  if (!answer) return { main: "…", more: [] };
  if (kind === "path") {
    const { length_m, legs_m } = answer;
    const legs = `${legs_m.length} in 3D: ${legs_m.map(lengthWords).join(" + ")}`;
    return { main: lengthWords(length_m), more: [legs] };
  }
  if (kind === "distance") return { main: lengthWords(answer.distance_m), more: ["in 3D"] };
  if (kind === "point") {
    const range = answer.range_m === null ? [] : [`range ${lengthWords(answer.range_m)}`];
    return { main: lengthWords(answer.depth_m), more: range };
  }
  const more = ["median", `80 % between ${lengthWords(answer.p10_m)} and ${lengthWords(answer.p90_m)}`];
  if (answer.valid_share < 1) more.push(`${Math.floor(100 * answer.valid_share)} % valid`);
  return { main: lengthWords(answer.median_m), more };
}

function answerOf(item) {
  const { main, more, failed } = answerWords(item);
  const holder = cell("td", main, ...more);
  holder.className = failed ? "answer failed" : "answer";
  return holder;
}

function cell(tag, main, ...more) {
  const made = document.createElement(tag);
  const first = document.createElement("span");
  first.textContent = main;
  made.append(first, ...more.map(small));
  return made;
}

function small(text) {
  const made = document.createElement("small");
  made.textContent = text;
  return made;
}
