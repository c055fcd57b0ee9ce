// One photo at the service: posted, queried, and posted again if the service removed it.

import { ServiceError } from "./service.js";

const EXPIRED = 404;

export class Photo {
  /** The service’s description of the photo: id, width, height, focal lengths; null before it is posted. */
  info = null;
  /** Counts changes of the focal length, which change the answers. */
  turn = 0;
  #service;
  #focal = {};
  #resending = null;

  /** `onResent()` is called when an expired photo was posted again. */
  constructor(service, file, onResent) {
    this.#service = service;
    this.file = file;
    this.name = file.name || "pasted photo";
    this.onResent = onResent;
  }

  get size() {
    return { width: this.info.width, height: this.info.height };
  }

  /** Encode with a focal length: {focal_px}, {fov_deg}, or {} for the file’s own. */
  async send(focal) {
    const before = this.info;
    this.info = await this.#service.json("POST", "images", { query: focal, body: this.file });
    this.#focal = focal;
    this.turn += 1;
    if (before) this.#forget(before.id);
  }

  /** An error's message, with this photo's name where the service says "the image". */
  named({ message }) {
    return message.replace(/^the image\b/, this.name);
  }

  /** Query `points`, `boxes` or `distances`. */
  async ask(what, body) {
    return this.#current((id) => this.#service.json("POST", `images/${id}/${what}`, { body }));
  }

  /** The bytes of depth.npy. */
  async depthMap() {
    return this.#current((id) => this.#service.bytes(`images/${id}/depth.npy`));
  }

  /** Delete the photo at the service. */
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
