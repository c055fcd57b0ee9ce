// One photo on its way to the service and back: sent, asked, and sent again where it was forgotten.

import { ServiceError } from "./service.js";

const EXPIRED = 404;

export class Photo {
  /** What the service says of the photo: id, width, height, focal lengths; null until it has. */
  info = null;
  /** Grows when the focal length changes, and answers with it. */
  turn = 0;
  #service;
  #focal = {};
  #resending = null;

  /** `onResent()` is told when an expired photo was sent anew. */
  constructor(service, file, onResent) {
    this.#service = service;
    this.file = file;
    this.name = file.name || "pasted photo";
    this.onResent = onResent;
  }

  get size() {
    return { width: this.info.width, height: this.info.height };
  }

  /** Encode with a focal length: {focal_px}, {fov_deg}, or {} for what the file says. */
  async send(focal) {
    const before = this.info;
    this.info = await this.#service.json("POST", "images", { query: focal, body: this.file });
    this.#focal = focal;
    this.turn += 1;
    if (before) this.#forget(before.id);
  }

  /** Ask `points`, `boxes` or `distances`. */
  async ask(what, body) {
    return this.#current((id) => this.#service.json("POST", `images/${id}/${what}`, { body }));
  }

  /** The bytes of depth.npy. */
  async depthMap() {
    return this.#current((id) => this.#service.bytes(`images/${id}/depth.npy`));
  }

  /** Let the service forget it. */
  close() {
    if (this.info) this.#forget(this.info.id);
  }

  async #current(call) {
    const { id } = this.info;
    try {
      return await call(id);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.status !== EXPIRED) throw error;
    }
    if (id === this.info.id) await this.#resend();
    return call(this.info.id);
  }

  async #resend() {
    const again = async () => {
      const query = this.#focal;
      this.info = await this.#service.json("POST", "images", { query, body: this.file });
      this.onResent();
    };
    this.#resending ??= again().finally(() => (this.#resending = null));
    await this.#resending;
  }

  #forget(id) {
    this.#service.json("DELETE", `images/${id}`).catch(() => {}); // it expires by itself
  }
}
