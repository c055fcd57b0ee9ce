// The depth map over the photo: fetched once, coloured here, with its colour bar.

import { painted, scaleOf, TABLE, ticksOf } from "./colours.js";
import { readNpy } from "./npy.js";
import { lengthWords, unit } from "./units.js";

const LARGEST_PX = 1600; // of the layer's longer side; the screen shows no more

export class DepthLayer {
  #canvas = document.getElementById("map");
  #legend = document.getElementById("legend");
  #scale = null; // {near, far} in metres
  #loaded = null; // what the canvas shows: a photo and its turn
  #wanted = null; // the photo whose map is to be seen, here or on its way

  constructor() {
    const bar = document.getElementById("bar");
    const colours = new ImageData(256, 1);
    for (let at = 0; at < 256; at += 1) {
      colours.data.set([...TABLE.subarray(3 * at, 3 * at + 3), 255], 4 * at);
    }
    bar.getContext("2d").putImageData(colours, 0, 0);
  }

  /** Show the map of a photo; what was shown of another is gone at once. */
  async show(photo) {
    if (this.#loaded?.photo !== photo || this.#loaded.turn !== photo.turn) {
      this.hide();
      this.#loaded = null;
      this.#wanted = photo;
      const { turn } = photo;
      const map = readNpy(await photo.depthMap());
      if (this.#wanted !== photo || turn !== photo.turn) return; // another is, or none
      this.#draw(map);
      this.#loaded = { photo, turn };
    }
    this.#canvas.hidden = false;
    this.#legend.classList.add("shown");
  }

  hide() {
    this.#wanted = null;
    this.#canvas.hidden = true;
    this.#legend.classList.remove("shown");
  }

  set opacity(share) {
    this.#canvas.style.opacity = share;
  }

  #draw(map) {
    const scale = scaleOf(map.depthM) ?? { near: 0, far: 10 };
    const shrink = Math.min(1, LARGEST_PX / Math.max(map.rows, map.columns));
    const width = Math.max(1, Math.round(map.columns * shrink));
    const height = Math.max(1, Math.round(map.rows * shrink));
    Object.assign(this.#canvas, { width, height });
    const pixels = new ImageData(painted(map, scale, width, height), width, height);
    this.#canvas.getContext("2d").putImageData(pixels, 0, 0);
    this.#scale = scale;
    this.tell();
  }

  /** The scale of the map that is shown, in metres; null if none is. */
  get scale() {
    return this.#canvas.hidden ? null : this.#scale;
  }

  /** Write the scale in the unit in use. */
  tell() {
    if (!this.#scale) return;
    const { near, far } = this.#scale;
    const { name, metresEach } = unit();
    const ticks = ticksOf({ near: near / metresEach, far: far / metresEach }).map(({ at, text }) => {
      const tick = document.createElement("span");
      tick.textContent = text;
      tick.style.left = `${100 * at}%`;
      return tick;
    });
    document.getElementById("ticks").replaceChildren(...ticks);
    document.getElementById("scale-words").textContent =
      `Depth in ${name}, linear from ${lengthWords(near)} to ${lengthWords(far)} (1st to ` +
      "99th percentile of this map).";
  }
}
