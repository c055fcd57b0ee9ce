// Position of the photo on the stage: fitted, zoomed, moved.

const FINEST_PX = 40; // CSS pixels that a pixel of the photo may take
export const ZOOM_STEP = 1.5; // factor of one press of a button or key

export class View {
  #stage;
  #layers;
  #size = null;
  #zoom = 1;
  #centre = [0.5, 0.5]; // the share of the photo that lies in the middle of the stage
  #onChange;

  constructor(stage, layers, onChange) {
    this.#stage = stage;
    this.#layers = layers;
    this.#onChange = onChange;
    new ResizeObserver(() => this.#settle()).observe(stage);
  }

  /** Show a photo of `size` whole. */
  open(size) {
    this.#size = size;
    this.#stage.style.aspectRatio = `${size.width} / ${size.height}`;
    this.fit();
  }

  fit() {
    this.#zoom = 1;
    this.#settle();
  }

  get zoomed() {
    return this.#zoom > 1;
  }

  /** The photo's rectangle on the stage. */
  get onStage() {
    const [width, height] = this.#extent();
    const left = this.#stage.clientWidth / 2 - this.#centre[0] * width;
    const top = this.#stage.clientHeight / 2 - this.#centre[1] * height;
    return { left, top, width, height };
  }

  /** CSS pixels of one pixel of the photo. */
  get scale() {
    return this.#extent()[0] / this.#size.width;
  }

  /** The photo's rectangle in the window. */
  get inWindow() {
    const shown = this.onStage;
    const [x, y] = this.#corner();
    return { ...shown, left: shown.left + x, top: shown.top + y };
  }

  /** Zoom and keep what lies at (x, y) of the window where it is; by default the middle. */
  zoomBy(factor, at = null) {
    if (!this.#size) return;
    const [x, y] = this.#corner();
    const { clientWidth, clientHeight } = this.#stage;
    const [atX, atY] = at ? [at[0] - x, at[1] - y] : [clientWidth / 2, clientHeight / 2];
    const { left, top, width, height } = this.onStage;
    const share = [(atX - left) / width, (atY - top) / height];
    this.#zoom = Math.min(Math.max(this.#zoom * factor, 1), this.#mostZoom());
    const [wide, high] = this.#extent();
    this.#centre = [
      share[0] + (clientWidth / 2 - atX) / wide,
      share[1] + (clientHeight / 2 - atY) / high,
    ];
    this.#settle();
  }

  /** Move the photo by CSS pixels. */
  moveBy(x, y) {
    const [width, height] = this.#extent();
    this.#centre = [this.#centre[0] - x / width, this.#centre[1] - y / height];
    this.#settle();
  }

  /** Move the photo until a share of it, say [0.2, 0.9], is in sight. */
  reveal(share) {
    const { left, top, width, height } = this.onStage;
    const short = (at, room) => Math.min(0, room - at) + Math.max(0, -at);
    const { clientWidth, clientHeight } = this.#stage;
    const x = short(left + share[0] * width, clientWidth);
    const y = short(top + share[1] * height, clientHeight);
    if (x || y) this.moveBy(x, y);
  }

  #corner() {
    const box = this.#stage.getBoundingClientRect();
    return [box.left + this.#stage.clientLeft, box.top + this.#stage.clientTop];
  }

  #fitted() {
    const { clientWidth, clientHeight } = this.#stage;
    return Math.min(clientWidth / this.#size.width, clientHeight / this.#size.height);
  }

  #mostZoom() {
    return Math.max(1, FINEST_PX / this.#fitted());
  }

  #extent() {
    const scale = this.#fitted() * this.#zoom;
    return [this.#size.width * scale, this.#size.height * scale];
  }

  #settle() {
    if (!this.#size || !this.#stage.clientWidth) return;
    const rooms = [this.#stage.clientWidth, this.#stage.clientHeight];
    this.#centre = this.#extent().map((length, axis) => {
      const least = Math.min(0.5, rooms[axis] / 2 / length);
      return Math.min(Math.max(this.#centre[axis], least), 1 - least);
    });
    const shown = this.onStage;
    for (const layer of this.#layers) {
      for (const side of ["left", "top", "width", "height"]) layer.style[side] = `${shown[side]}px`;
      layer.classList.toggle("squares", shown.width / this.#size.width > 4);
    }
    this.#stage.classList.toggle("zoomed", this.zoomed);
    this.#onChange();
  }
}
