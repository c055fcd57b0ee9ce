// Places for labels: beside their marks, over no mark and over no other label.

// Gaps of a label from its anchor, in clearances: near ones at every anchor before far ones at any.
const GAPS = [[1, 1.8, 2.9], [4.5, 6.5, 9, 12, 16]];
const FAR = 3; // from here on a line leads from the label to its mark
// Shares of (half of the label + gap) that its middle lies off its anchor: right, left, above, …
const WAYS = [
  [1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [-1, -1], [1, 1], [-1, 1],
  [0.5, -1], [-0.5, -1], [0.5, 1], [-0.5, 1], [1, -0.5], [1, 0.5], [-1, -0.5], [-1, 0.5],
]; // prettier-ignore

/**
 * Arrange labels, the first before the others.
 *
 * Each label has `anchors` [[x, y], ...] and sizes [width, height]: `full`, and `short` for where
 * there is no room. `marks` and `lines` are rectangles [left, top, right, bottom]: a label lies
 * over lines only where it has no other place. `room` is the [width, height] to stay inside,
 * `clearance` the least distance from an anchor. Returns one {left, top, size, leader} for each
 * label, or null for a label without a place; `leader` is [from, to], or null.
 */
export function arranged(labels, { marks, lines }, room, clearance) {
  const taken = [...marks];
  return labels.map((label) => {
    const found =
      placed(label, "full", [...taken, ...lines], room, clearance) ??
      placed(label, "full", taken, room, clearance) ??
      placed(label, "short", taken, room, clearance);
    if (found) taken.push(found.box);
    return found && { ...found, box: undefined };
  });
}

function placed({ anchors, ...sizes }, size, taken, room, clearance) {
  const [width, height] = sizes[size];
  const seen = anchors.filter(([x, y]) => x >= 0 && y >= 0 && x <= room[0] && y <= room[1]);
  const tries = GAPS.flatMap((gaps) => seen.flatMap((at) => gaps.map((gap) => [at, gap])));
  for (const [at, gap] of tries) {
    for (const [right, down] of WAYS) {
      const left = at[0] - width / 2 + right * (width / 2 + gap * clearance);
      const top = at[1] - height / 2 + down * (height / 2 + gap * clearance);
      const box = [left, top, left + width, top + height];
      if (!fits(box, room) || taken.some((other) => overlap(box, other))) continue;
      return { left, top, size, box, leader: gap < FAR ? null : [nearest(box, at), at] };
    }
  }
  return null;
}

function fits([left, top, right, bottom], [width, height]) {
  return left >= 0 && top >= 0 && right <= width && bottom <= height;
}

function overlap(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

/** The point of a rectangle that is nearest to a point outside it. */
function nearest([left, top, right, bottom], [x, y]) {
  return [Math.min(Math.max(x, left), right), Math.min(Math.max(y, top), bottom)];
}
