// Marks over the photo: points, lines and boxes with their metres, and the crosshair.

import { boxOf, toScreen } from "./pixels.js";
import { metres } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export class Marks {
  #shapes = document.getElementById("shapes");
  #labels = document.getElementById("labels");
  #draft = document.getElementById("draft");
  #shown;
  #size;

  /** The photo's rectangle on the stage, and its size. */
  place(shown, size) {
    this.#shown = shown;
    this.#size = size;
  }

  /** Draw the shown photo’s results; `chosen` is highlighted. */
  draw(items, chosen) {
    const shapes = items.map((item) => this.#shapeOf(item, item === chosen));
    this.#shapes.replaceChildren(...shapes);
    this.#labels.replaceChildren(...items.map((item) => this.#labelOf(item, item === chosen)));
  }

  /** Draw the unfinished query {kind, places} and the crosshair’s pixel. */
  drawDraft(draft, crosshair) {
    const parts = draft ? this.#figure(draft) : [];
    if (crosshair) {
      const [x, y] = this.#at(crosshair);
      const { left, top, width, height } = this.#shown;
      parts.push(`M${left} ${y}H${x - 9}M${x + 9} ${y}H${left + width}`);
      parts.push(`M${x} ${top}V${y - 9}M${x} ${y + 9}V${top + height}`);
    }
    this.#draft.replaceChildren(...strokes(parts.join("")));
  }

  #at(place) {
    return toScreen(place, this.#shown, this.#size);
  }

  /** Paths of a query’s places. */
  #figure({ kind, places }) {
    const spots = places.map((place) => this.#at(place));
    const parts = [];
    if (kind === "box" && spots.length === 2) {
      const [[x0, y0], [x1, y1]] = spots;
      parts.push(`M${x0} ${y0}H${x1}V${y1}H${x0}Z`);
    } else {
      parts.push(...spots.map(([x, y]) => `M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`));
      if (spots.length === 2) parts.push(between(...spots));
    }
    return parts;
  }

  #shapeOf(item, chosen) {
    const group = document.createElementNS(SVG, "g");
    group.classList.toggle("chosen", chosen);
    group.append(...strokes(this.#figure(item).join("")));
    return group;
  }

  #labelOf(item, chosen) {
    const label = document.createElement("span");
    label.className = `label ${item.kind}`;
    label.classList.toggle("chosen", chosen);
    const number = document.createElement("b");
    number.textContent = item.number;
    label.append(number, ` ${shortAnswer(item)}`);
    const [x, y] = this.#anchor(item);
    label.style.left = `${x}px`;
    label.style.top = `${y}px`;
    const stage = this.#labels;
    label.classList.toggle("leftward", x > stage.clientWidth - 110);
    label.classList.toggle("below", y < 26);
    return label;
  }

  #anchor({ kind, places }) {
    if (kind === "box") {
      const box = boxOf(...places);
      return this.#at([box[0], box[1]]);
    }
    const spots = places.map((place) => this.#at(place));
    return [0, 1].map((axis) => spots.reduce((sum, spot) => sum + spot[axis], 0) / spots.length);
  }
}

/** A line from rim to rim of two points' circles. */
function between([x0, y0], [x1, y1]) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length <= 10) return "";
  const [x, y] = [(5 * (x1 - x0)) / length, (5 * (y1 - y0)) / length];
  return `M${x0 + x} ${y0 + y}L${x1 - x} ${y1 - y}`;
}

/** A dark line under a light one, to be seen on any photo. */
function strokes(path) {
  return ["halo", "ink"].map((name) => {
    const stroke = document.createElementNS(SVG, "path");
    stroke.setAttribute("d", path);
    stroke.setAttribute("class", name);
    return stroke;
  });
}

/** An item’s metres, or a word for why there are none. */
function shortAnswer({ answer, error }) {
  if (error) return "failed";
  if (!answer) return "…";
  return metres(answer.depth_m ?? answer.distance_m ?? answer.median_m);
}
