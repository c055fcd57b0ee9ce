// Keys on the stage: a crosshair that moves from pixel to pixel, and the zoom.

import { pixelOf } from "./pixels.js";
import { ZOOM_STEP } from "./view.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Calls `step(pixel)`, `pick(pixel)`, `finish()` and `lift()` of `told`, whose `crosshair` is a
 * pixel or null; Escape calls `giveUp()`.
 */
export function listenToKeys(stage, view, told, giveUp) {
  stage.addEventListener("keydown", (event) => {
    if (!told.size || event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = told.size;
    const middle = [(width - 1) / 2, (height - 1) / 2];
    const at = told.crosshair ?? pixelOf(middle, told.size);
    const arrow = ARROWS[event.key];
    if (arrow) {
      const far = event.shiftKey ? Math.max(1, Math.round(Math.max(width, height) / 20)) : 1;
      const next = told.crosshair ? at.map((value, axis) => value + far * arrow[axis]) : at;
      const pixel = pixelOf(next, told.size);
      view.reveal([(pixel[0] + 0.5) / width, (pixel[1] + 0.5) / height]);
      told.step(pixel);
    } else if (event.key === "Enter" || event.key === " ") {
      if (told.crosshair) told.pick(at);
      else if (!told.finish()) told.step(at);
    } else if (event.key === "Escape") giveUp();
    else if (event.key === "m" || event.key === "M") told.lift();
    else if (event.key === "+" || event.key === "=") view.zoomBy(ZOOM_STEP);
    else if (event.key === "-") view.zoomBy(1 / ZOOM_STEP);
    else if (event.key === "0") view.fit();
    else return;
    event.preventDefault();
  });
}
