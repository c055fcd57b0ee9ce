// Depth as colours: near bright and warm, far dark, as in the pictures `spd query --overlay` makes.

// matplotlib's magma_r without its nearly white and nearly black ends, at even steps; perceptually
// uniform, and straight lines between them are within 2 of 255 of it.
const STOPS = (
  "fde2a3 fed194 febf84 feae77 fe9d6c fc8a62 f9795d f4675c ec5860 e24d66 d3436e c53c74 b5367a " +
  "a6317d 982d80 882781 792282 6b1d81 5c167f 4e117b 3d0f71 2d1161 20114b 130d34 090720"
)
  .split(" ")
  .map((hex) => [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));

const LEAST_SPAN = 0.05; // of far: with less, the noise of a flat scene would get all colours
const SAMPLED = 100_000; // readings that percentiles are taken of

/** 256 colours, RGB bytes, from near to far. */
export const TABLE = Uint8ClampedArray.from({ length: 256 * 3 }, (_, at) => {
  const along = (Math.floor(at / 3) / 255) * (STOPS.length - 1);
  const low = Math.min(Math.floor(along), STOPS.length - 2);
  const channel = at % 3;
  return STOPS[low][channel] + (along - low) * (STOPS[low + 1][channel] - STOPS[low][channel]);
});

/** From near to far in metres: the map's 1st and 99th percentile; null without a reading. */
export function scaleOf(depthM) {
  const step = Math.max(1, Math.floor(depthM.length / SAMPLED));
  const some = new Float32Array(Math.ceil(depthM.length / step));
  for (let at = 0; at < some.length; at += 1) some[at] = depthM[at * step];
  const readings = some.filter((value) => value > 0 && Number.isFinite(value)).sort();
  if (!readings.length) return null;
  const near = readings[Math.floor(0.01 * (readings.length - 1))];
  const far = readings[Math.ceil(0.99 * (readings.length - 1))];
  const margin = Math.max(0, LEAST_SPAN * far - (far - near)) / 2;
  return { near: Math.max(0, near - margin), far: far + margin };
}

/** Round metres inside a scale, at most six. */
export function ticksOf({ near, far }) {
  const rough = (far - near) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let count = Math.ceil(near / step); count * step <= far; count += 1) {
    const value = count * step;
    ticks.push({ at: (value - near) / (far - near), text: value.toFixed(decimals) });
  }
  return ticks;
}

/** Colour depth `[rows, columns]` as RGBA bytes of `width` x `height`, clear without a reading. */
export function painted({ depthM, rows, columns }, scale, width, height) {
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, at = 0; y < height; y += 1) {
    const row = Math.floor(((y + 0.5) * rows) / height) * columns;
    for (let x = 0; x < width; x += 1, at += 4) {
      const value = depthM[row + Math.floor(((x + 0.5) * columns) / width)];
      if (!(value > 0) || !Number.isFinite(value)) continue;
      const along = (value - scale.near) / (scale.far - scale.near);
      const colour = Math.round(Math.min(Math.max(along, 0), 1) * 255) * 3;
      for (let channel = 0; channel < 3; channel += 1) rgba[at + channel] = TABLE[colour + channel];
      rgba[at + 3] = 255;
    }
  }
  return rgba;
}
