// Marks over the photo: points, lines and boxes with their lengths, and the crosshair.

import { anchors, covered, outline } from "./figures.js";
import { arranged } from "./labels.js";
import { holds } from "./mover.js";
import { toScreen } from "./pixels.js";
import { lengthWords } from "./units.js";

const SVG = "http://www.w3.org/2000/svg";
const RADIUS_PX = 5; // of a point's circle
const CLEARANCE_PX = 10; // of a label from the middle of its mark

export class Marks {
  #shapes = document.getElementById("shapes");
  #labels = document.getElementById("labels");
  #handles = document.getElementById("handles");
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
    this.#putHandles(items.flatMap(holds));
    const ranked = items.toSorted((a, b) => Number(b === chosen) - Number(a === chosen));
    const leaders = this.#drawLabels(ranked, chosen);
    this.#shapes.replaceChildren(...leaders, ...shapes);
  }

  /** Draw the unfinished query {kind, places} and the crosshair’s pixel. */
  drawDraft(draft, crosshair) {
    const parts = draft ? [outline(draft.kind, this.#spots(draft), RADIUS_PX)] : [];
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

  #spots({ places }) {
    return places.map((place) => this.#at(place));
  }

  #shapeOf(item, chosen) {
    const group = document.createElementNS(SVG, "g");
    group.classList.toggle("chosen", chosen);
    group.append(...strokes(outline(item.kind, this.#spots(item), RADIUS_PX)));
    return group;
  }

  /**
   * Put unseen discs over the marks, which a finger can drag without scrolling the page. They are
   * kept: a browser ends the touch of an element that is removed.
   */
  #putHandles(places) {
    const handles = this.#handles;
    while (handles.childElementCount > places.length) handles.lastChild.remove();
    while (handles.childElementCount < places.length) {
      const handle = document.createElementNS(SVG, "circle");
      handle.setAttribute("class", "handle");
      handles.append(handle);
    }
    places.forEach((place, at) => {
      const [x, y] = this.#at(place);
      handles.children[at].setAttribute("cx", x);
      handles.children[at].setAttribute("cy", y);
    });
  }

  /** Draw the labels, the first with the best places; returns the lines to those far away. */
  #drawLabels(items, chosen) {
    const labels = items.map((item) => labelOf(item, item === chosen));
    this.#labels.replaceChildren(...labels);
    const taken = { marks: [], lines: [] };
    const sized = items.map((item, at) => {
      const spots = this.#spots(item);
      const { marks, lines } = covered(item.kind, spots, RADIUS_PX);
      taken.marks.push(...marks);
      taken.lines.push(...lines);
      const [whole, answer] = [labels[at], labels[at].lastChild].map((part) =>
        part.getBoundingClientRect(),
      );
      const [full, short] = [whole.width, whole.width - answer.width].map((width) => [
        Math.ceil(width),
        Math.ceil(whole.height),
      ]);
      return { anchors: anchors(item.kind, spots), full, short };
    });
    const room = [this.#labels.clientWidth, this.#labels.clientHeight];
    const places = arranged(sized, taken, room, CLEARANCE_PX);
    return places.flatMap((place, at) => {
      labels[at].hidden = !place;
      if (!place) return [];
      labels[at].lastChild.hidden = place.size === "short";
      Object.assign(labels[at].style, { left: `${place.left}px`, top: `${place.top}px` });
      return place.leader ? strokes(`M${place.leader[0]}L${place.leader[1]}`, "leader ") : [];
    });
  }
}

/** A dark line under a light one, to be seen on any photo. */
function strokes(path, kind = "") {
  return ["halo", "ink"].map((name) => {
    const stroke = document.createElementNS(SVG, "path");
    stroke.setAttribute("d", path);
    stroke.setAttribute("class", kind + name);
    return stroke;
  });
}

function labelOf(item, chosen) {
  const label = document.createElement("span");
  label.className = `label ${item.kind}`;
  label.classList.toggle("chosen", chosen);
  const number = document.createElement("b");
  number.textContent = item.number;
  const answer = document.createElement("span");
  answer.textContent = ` ${shortAnswer(item)}`;
  label.append(number, answer);
  return label;
}

/** An item’s length, or a word for why there is none. */
export function shortAnswer({ answer, error }) {
  if (error) return "failed";
  if (!answer) return "…";
  return lengthWords(answer.depth_m ?? answer.distance_m ?? answer.length_m ?? answer.median_m);
}
