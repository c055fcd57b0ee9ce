// The photo with its marks, labels and a scale, as a PNG of the photo's own size.

import { anchors, covered, outline } from "./figures.js";
import { arranged } from "./labels.js";
import { shortAnswer } from "./marks.js";
import { colourBar, lengthBar } from "./picture_scale.js";
import { toScreen } from "./pixels.js";

const USUAL_PX = 1000; // of the longer side of a photo on which marks have the screen's size
const LEAST = 0.75; // times the screen's size: smaller text cannot be read
const MOST_POINTS = 1000; // whose depth is asked for, for the scale

/**
 * A blob of the picture. `seen` is the photo's image, or null if the browser cannot show it;
 * `layer` is {canvas, opacity, scale} of the depth map over it, or null.
 */
export async function annotated(photo, items, seen, layer) {
  const { width, height } = photo.size;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  if (!context) throw new Error(`this browser makes no picture of ${width} × ${height} pixels`);
  if (seen) context.drawImage(seen, 0, 0, width, height);
  if (layer) {
    context.globalAlpha = layer.opacity;
    context.drawImage(layer.canvas, 0, 0, width, height);
    context.globalAlpha = 1;
  }
  const pen = new Pen(context, Math.max(LEAST, Math.max(width, height) / USUAL_PX));
  const corner = layer
    ? colourBar(pen, photo.size, layer.scale)
    : lengthBar(pen, photo.size, photo.info.focal_px, await depthsAt(photo, items));
  drawMarks(pen, photo.size, items, corner);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error(`this browser makes no picture of ${width} × ${height} pixels`);
  return blob;
}

/** Draws in lengths of the screen, on a canvas of any size. */
export class Pen {
  constructor(context, scale) {
    this.context = context;
    this.scale = scale;
    this.line = 20 * scale; // height of a line of text
    context.font = `${13 * scale}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.lineCap = "round";
  }

  /** A dark line under a light one. */
  stroke(path, width = 1.75) {
    const { context, scale } = this;
    for (const [colour, thick] of [["rgb(0 0 0 / .6)", width + 2.75], ["#fff", width]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thick * scale });
      context.stroke(new Path2D(path));
    }
  }

  /** A dark plate, for text to be read on any photo. */
  plate(left, top, width, height) {
    this.context.fillStyle = "rgb(18 17 22 / .82)";
    this.context.beginPath();
    this.context.roundRect(left, top, width, height, 5 * this.scale);
    this.context.fill();
  }

  width(text) {
    return this.context.measureText(text).width;
  }

  /** Text with its left end, or its middle, at (x, y). */
  write(text, x, y, align = "left") {
    Object.assign(this.context, { fillStyle: "#fff", textAlign: align });
    this.context.fillText(text, x, y);
  }
}

async function depthsAt(photo, items) {
  if (photo.info.focal_px === null) return [];
  const points = items.flatMap((item) => item.places).slice(0, MOST_POINTS);
  if (!points.length) return [];
  const { depth_m } = await photo.ask("points", { points, xyz: false });
  return depth_m.filter((metres) => metres > 0);
}

/** Marks and labels; none of these lies over `corner`, a rectangle. */
function drawMarks(pen, size, items, corner) {
  const whole = { left: 0, top: 0, ...size };
  const radius = 5 * pen.scale;
  const taken = { marks: [corner], lines: [] };
  const labels = items.map((item) => {
    const spots = item.places.map((place) => toScreen(place, whole, size));
    const { marks, lines } = covered(item.kind, spots, radius);
    taken.marks.push(...marks);
    taken.lines.push(...lines);
    pen.stroke(outline(item.kind, spots, radius));
    const short = String(item.number);
    const full = `${short}  ${shortAnswer(item)}`;
    const room = (text) => [pen.width(text) + 14 * pen.scale, pen.line];
    const texts = { short, full };
    return { anchors: anchors(item.kind, spots), texts, short: room(short), full: room(full) };
  });
  arranged(labels, taken, [size.width, size.height], 10 * pen.scale).forEach((found, at) => {
    if (!found) return;
    const { left, top, size: chosen, leader } = found;
    if (leader) pen.stroke(`M${leader[0]}L${leader[1]}`, 1);
    pen.plate(left, top, ...labels[at][chosen]);
    pen.write(labels[at].texts[chosen], left + 7 * pen.scale, top + pen.line / 2);
  });
}
