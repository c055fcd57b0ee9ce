// A magnifying glass above a finger, which covers what it points at.

import { pixelOf, toScreen } from "./pixels.js";

const WIDTH_PX = 120;
const ABOVE_PX = 44; // of the finger's tip, to the glass's lower rim
const LEAST_PX = 8; // of the screen for a pixel of the photo
const FRAME_PX = 1.5; // of each of the frame's two lines
const MAGNIFIED = 3; // times the photo on the stage, if that is more

export class Loupe {
  #holder = document.getElementById("loupe");
  #glass = this.#holder.querySelector("canvas");
  #words = this.#holder.querySelector("span");
  #layers = ["image", "map"].map((id) => document.getElementById(id));

  /** Show the photo around `place`; the finger is at [x, y] of the window. */
  show(place, words, size, shown, [x, y]) {
    const sharp = WIDTH_PX * devicePixelRatio;
    Object.assign(this.#glass, { width: sharp, height: sharp });
    const pixel = Math.max(LEAST_PX, (MAGNIFIED * shown.width) / size.width) * devicePixelRatio;
    const whole = { left: 0, top: 0, width: size.width * pixel, height: size.height * pixel };
    const [atX, atY] = toScreen(place, whole, size);
    const context = this.#glass.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.translate(sharp / 2 - atX, sharp / 2 - atY);
    for (const layer of this.#layers) {
      if (layer.hidden) continue;
      context.globalAlpha = Number(layer.style.opacity || 1);
      context.drawImage(layer, 0, 0, whole.width, whole.height);
    }
    this.#frame(context, toScreen(pixelOf(place, size), whole, size), pixel);
    this.#words.textContent = words;
    this.#holder.hidden = false;
    this.#put(x, y);
  }

  hide() {
    this.#holder.hidden = true;
  }

  /** A frame around the pixel, which stays in sight. */
  #frame(context, [x, y], pixel) {
    context.globalAlpha = 1;
    for (const [at, colour] of ["#fff", "#000"].entries()) {
      const half = pixel / 2 + (at + 0.5) * FRAME_PX * devicePixelRatio;
      Object.assign(context, { strokeStyle: colour, lineWidth: FRAME_PX * devicePixelRatio });
      context.strokeRect(x - half, y - half, 2 * half, 2 * half);
    }
  }

  /** Above the finger, or beside it where the window ends. */
  #put(x, y) {
    const { offsetWidth: wide, offsetHeight: high } = this.#holder;
    const top = y - ABOVE_PX - high;
    const aside = x < innerWidth / 2 ? x + ABOVE_PX : x - ABOVE_PX - wide;
    const left = top < 0 ? aside : x - wide / 2;
    const held = (value, room) => Math.min(Math.max(value, 4), room - 4);
    this.#holder.style.left = `${held(left, innerWidth - wide)}px`;
    this.#holder.style.top = `${held(top, innerHeight - high)}px`;
  }
}
