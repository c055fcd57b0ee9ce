// The scale in a corner of the picture: of the depth map's colours, or of lengths at one depth.

import { TABLE, ticksOf } from "./colours.js";
import { lengthWords, unit } from "./units.js";

const LONGEST = 0.3; // of the photo's width, for a bar of lengths
const ROUND_M = [0.001, 0.01, 0.1, 1, 10, 100].flatMap((power) => [power, 2 * power, 5 * power]);
const ROUND_IN = [0.125, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000];
const INCH_M = 0.0254;

/** Draw the colours of a depth map; returns the plate's rectangle [left, top, right, bottom]. */
export function colourBar(pen, size, scale) {
  const { name, metresEach } = unit();
  const title = `Depth in ${name}`;
  const wide = Math.min(size.width, Math.max(0.4 * size.width, pen.width(title)));
  const at = plate(pen, size, wide, 3);
  const high = 0.7 * pen.line;
  const { context } = pen;
  for (let step = 0; step < 256; step += 1) {
    context.fillStyle = `rgb(${TABLE.slice(3 * step, 3 * step + 3).join(" ")})`;
    context.fillRect(at.x + (step / 256) * wide, at.y(0) - high / 2, wide / 256 + 1, high);
  }
  for (const tick of ticksOf({ near: scale.near / metresEach, far: scale.far / metresEach })) {
    pen.write(tick.text, at.x + tick.at * wide, at.y(1), "center");
  }
  pen.write(title, at.x, at.y(2));
  return at.box;
}

/** Draw a length at the marks' middle depth; returns the plate's rectangle. */
export function lengthBar(pen, size, focalPx, depthsM) {
  const middleM = depthsM.toSorted((a, b) => a - b)[depthsM.length >> 1];
  const bar = middleM && longest((LONGEST * size.width * middleM) / focalPx);
  if (!bar) {
    const text = `No length scale: ${focalPx === null ? "focal length unknown" : "no depth"}`;
    const at = plate(pen, size, pen.width(text), 1);
    pen.write(text, at.x, at.y(0));
    return at.box;
  }
  const text = `${bar.words} at a depth of ${lengthWords(middleM)}`;
  const wide = (bar.metres * focalPx) / middleM;
  const at = plate(pen, size, Math.max(wide, pen.width(text)), 2);
  const [y, tip] = [at.y(0), 0.25 * pen.line];
  const end = at.x + wide;
  pen.stroke(`M${at.x} ${y - tip}V${y + tip}M${at.x} ${y}H${end}M${end} ${y - tip}V${y + tip}`);
  pen.write(text, at.x, at.y(1));
  return at.box;
}

/** The longest round length up to `mostM`: {metres, words}; null if none is so short. */
function longest(mostM) {
  const inches = unit().name === "feet";
  const lengths = inches ? ROUND_IN.map((length) => length * INCH_M) : ROUND_M;
  const metres = Math.max(...lengths.filter((length) => length <= mostM));
  if (!(metres > 0)) return null;
  return { metres, words: inches ? lengthWords(metres) : roundWords(metres) };
}

function roundWords(metres) {
  return metres < 1 ? `${Number((100 * metres).toPrecision(3))} cm` : `${metres} m`;
}

/** A dark plate for `lines` of text in the lower left corner. */
function plate(pen, size, width, lines) {
  const edge = 0.5 * pen.line;
  const height = lines * pen.line + edge;
  const top = size.height - height - edge;
  pen.plate(edge, top, width + 2 * edge, height);
  return {
    x: 2 * edge,
    y: (line) => top + edge / 2 + (line + 0.5) * pen.line,
    box: [edge, top, width + 3 * edge, top + height],
  };
}
