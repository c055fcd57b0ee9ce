// Outlines of marks, for the screen and for the picture that is downloaded.

import { boxOf, legs } from "./pixels.js";

const MOST_SQUARES = 400; // that stand for a line

/** SVG path of a query's places at `spots`; `radius` is that of a point's circle. */
export function outline(kind, spots, radius) {
  if (kind === "box" && spots.length === 2) {
    const [[x0, y0], [x1, y1]] = spots;
    return `M${x0} ${y0}H${x1}V${y1}H${x0}Z`;
  }
  const circles = spots.map(
    ([x, y]) =>
      `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0` +
      `a${radius} ${radius} 0 1 0 ${-2 * radius} 0`,
  );
  return [...circles, ...legs(spots).map((leg) => between(...leg, radius))].join("");
}

/** Places that a label may stand beside, the best first. */
export function anchors(kind, spots) {
  if (kind === "box") {
    const [left, top, right, bottom] = boxOf(...spots) ?? [...spots[0], ...spots[1]];
    return [[(left + right) / 2, top], [(left + right) / 2, bottom], [right, (top + bottom) / 2]];
  }
  const middles = legs(spots).map(([[x0, y0], [x1, y1]]) => [(x0 + x1) / 2, (y0 + y1) / 2]);
  return [...middles, ...spots];
}

/** Rectangles [left, top, right, bottom] of a query's points, {marks}, and of its {lines}. */
export function covered(kind, spots, radius) {
  const around = ([x, y], reach) => [x - reach, y - reach, x + reach, y + reach];
  const rim = radius * 1.5; // with its stroke
  if (kind === "box") {
    const [[x0, y0], [x1, y1]] = spots;
    const corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]];
    return { marks: squares(corners, radius).map((spot) => around(spot, radius / 2)), lines: [] };
  }
  return {
    marks: spots.map((spot) => around(spot, rim)),
    lines: squares(spots, radius).map((spot) => around(spot, radius)),
  };
}

/** Spots along lines, `step` apart. */
function squares(spots, step) {
  return legs(spots).flatMap(([[x0, y0], [x1, y1]]) => {
    const count = Math.ceil(Math.min(Math.hypot(x1 - x0, y1 - y0) / step, MOST_SQUARES)) || 1;
    const shares = Array.from({ length: count + 1 }, (_, at) => at / count);
    return shares.map((share) => [x0 + share * (x1 - x0), y0 + share * (y1 - y0)]);
  });
}

/** A line from rim to rim of two points' circles. */
function between([x0, y0], [x1, y1], radius) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length <= 2 * radius) return "";
  const [x, y] = [(radius * (x1 - x0)) / length, (radius * (y1 - y0)) / length];
  return `M${x0 + x} ${y0 + y}L${x1 - x} ${y1 - y}`;
}
