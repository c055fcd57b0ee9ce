// The table of results.

import { csvOf } from "./csv.js";
import { say } from "./status.js";
import { metres, shortPlace } from "./words.js";

const NAMES = { point: "Point", distance: "Distance", box: "Box" };

/** Draws the table; `told.choose(item or null)` receives the row under the pointer. */
export class Table {
  #results;
  #told;
  #body = document.getElementById("rows");

  constructor(results, told) {
    this.#results = results;
    this.#told = told;
    results.addEventListener("change", () => this.#draw());
    const button = (name, act) => document.getElementById(name).addEventListener("click", act);
    button("clear", () => {
      results.clear();
      say("Cleared.");
    });
    button("download", () => this.#download());
    button("copy", () => this.#copy());
    this.#draw();
  }

  #draw() {
    const { items } = this.#results;
    const several = new Set(items.map((item) => item.photo)).size > 1;
    this.#body.replaceChildren(...items.map((item) => this.#row(item, several)));
    document.getElementById("asked").classList.toggle("empty", !items.length);
    for (const name of ["clear", "download", "copy"]) {
      document.getElementById(name).disabled = !items.length;
    }
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

  #download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csvOf(this.#results.items)], { type: "text/csv" }));
    link.download = "spd.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(csvOf(this.#results.items));
      say("Copied as CSV.");
    } catch {
      // Browsers offer the clipboard only to pages from https or from this machine.
      say("The browser does not let this page use the clipboard; use Download CSV instead.");
    }
  }
}

/** An item's answer in words: {main, more: [...]}. */
export function answerWords({ kind, answer, error }) {
  if (error) return { main: error.message, more: [], failed: true };
  if (!answer) return { main: "…", more: [] };
  if (kind === "distance") return { main: metres(answer.distance_m), more: ["in 3D"] };
  if (kind === "point") {
    const range = answer.range_m === null ? [] : [`range ${metres(answer.range_m)}`];
    return { main: metres(answer.depth_m), more: range };
  }
  const more = ["median", `80 % between ${metres(answer.p10_m)} and ${metres(answer.p90_m)}`];
  if (answer.valid_share < 1) more.push(`${Math.floor(100 * answer.valid_share)} % valid`);
  return { main: metres(answer.median_m), more };
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
