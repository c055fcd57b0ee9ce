// Metres at the pixels of a photo, by the exported graphs in onnxruntime-web.
//
// Points are [u, v]: column and row in pixels of the photo, whole numbers at pixel centres. The
// rules are those of docs/conventions.md; the resampling is the browser's and differs a little.

const PATCH = 14;
const MAX_SIDE_PX = 1400;
const MAX_INPUT_PIXELS = 1_000_000;
const MAPS = ["stride_8_map", "l2", "l1"];

/** Focal length in pixels of a photo that covers so many degrees along its longer side. */
export function focalFromFov(fovDeg, width, height) {
  return Math.max(width, height) / 2 / Math.tan((fovDeg * Math.PI) / 360);
}

/**
 * How a photo of width x height pixels becomes an input of the network: scaled to the training
 * camera's pixels per radian, its right and bottom borders repeated to multiples of 14.
 * `about` is export.json.
 */
export function planOf(width, height, focalPx, about) {
  const wanted = about.model.camera.focal_px / focalPx;
  const smallest = (PATCH + 1) / Math.min(width, height);
  let scale = Math.min(Math.max(wanted, smallest), MAX_SIDE_PX / Math.max(width, height));
  const padded = (pixels) => Math.max(2, Math.ceil((pixels * scale) / PATCH - 1e-9)) * PATCH;
  if (padded(height) * padded(width) > MAX_INPUT_PIXELS) {
    const half = (PATCH * (height + width)) / 2;
    const room = height * width * (MAX_INPUT_PIXELS - PATCH * PATCH);
    const fitting = (Math.sqrt(half * half + room) - half) / (height * width);
    scale = Math.min(scale, Math.max(fitting, smallest));
  }
  let [rows, columns] = [padded(height), padded(width)];
  if (about.image_size) {
    const [most, across] = about.image_size;
    if (rows > most || columns > across) {
      throw new Error(`the photo needs ${columns}x${rows} and the model takes ${across}x${most}`);
    }
    [rows, columns] = [most, across];
  }
  return { scale, rows, columns, depthFactor: scale / wanted };
}

/** RGB in 0..1, channels first, of {data: RGBA bytes, width, height}; borders are repeated. */
export function networkInput(pixels, { rows, columns }) {
  const input = new Float32Array(3 * rows * columns);
  for (let v = 0, at = 0; v < rows; v++) {
    const row = Math.min(v, pixels.height - 1) * pixels.width;
    for (let u = 0; u < columns; u++, at++) {
      const from = 4 * (row + Math.min(u, pixels.width - 1));
      for (let c = 0; c < 3; c++) input[c * rows * columns + at] = pixels.data[from + c] / 255;
    }
  }
  return input;
}

/** An exported model: export.json and its two graphs, as addresses or bytes. */
export class Model {
  static async open(ort, about, encode, query) {
    const options = { executionProviders: ["wasm"] };
    const sessions = [
      await ort.InferenceSession.create(encode, options),
      await ort.InferenceSession.create(query, options),
    ];
    return new Model(ort, about, ...sessions);
  }

  constructor(ort, about, encoder, querier) {
    Object.assign(this, { ort, about, encoder, querier });
  }

  /** Encode a photo once; `pixels` are those of the photo at `plan.scale`. */
  async encode(pixels, plan) {
    const shape = [1, 3, plan.rows, plan.columns];
    const image = new this.ort.Tensor("float32", networkInput(pixels, plan), shape);
    return new Scene(this, await this.encoder.run({ image }), plan);
  }
}

class Scene {
  constructor(model, maps, plan) {
    Object.assign(this, { model, maps, plan });
  }

  /** Depth in metres along the optical axis at [[u, v], ...]; NaN outside the network's input. */
  async depthAt(points) {
    const { ort, querier } = this.model;
    const asked = points.flat().map((at) => (at + 0.5) * this.plan.scale - 0.5);
    const feeds = { points: new ort.Tensor("float32", asked, [1, points.length, 2]) };
    for (const name of MAPS) feeds[name] = this.maps[name];
    const { depth_m } = await querier.run(feeds);
    return Array.from(depth_m.data, (metres) => metres * this.plan.depthFactor);
  }
}
