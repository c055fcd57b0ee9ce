"""The sheet of an evaluation: predictions beside truth and their errors."""

import dataclasses
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.colors import Normalize

from spd.errors import InputError
from spd.figures.canvas import (
    Canvas,
    Floats,
    bar_room,
    check_image,
    depth_limits,
    error_colours,
    error_limits,
    panel_size,
)

_PANEL_PX = 400.0
_NARROWEST_PX = 120.0
_TEXT_PX = 17.0
_GAP_PX = 12.0
_LINE_PX = 1.9 * _TEXT_PX
_BAR_PX = 14.0


@dataclasses.dataclass(frozen=True, slots=True)
class SheetRow:
    """One image of :func:`evaluation_sheet`; maps may have any resolution."""

    title: str
    """Title such as "worst: kitchen_0042"."""
    image: npt.NDArray[np.uint8]
    """`[H, W, 3]` RGB."""
    truth_m: Floats
    """`[h, w]` metres of the same field of view; 0 or NaN marks missing depth."""
    predicted_m: Floats
    """`[h, w]` metres of the same field of view."""
    abs_rel: float
    """The image's AbsRel."""
    delta1: float
    """The image's delta1."""


def evaluation_sheet(
    rows: Sequence[SheetRow], path: str | os.PathLike[str], *, heading: Sequence[str] = ()
) -> Path:
    """Draw photo, ground truth, prediction and relative error |p - g| / g, one image per row.

    Truth and prediction of a row share a colour scale; all errors share one, so that rows are
    comparable. Pixels without truth are grey.

    Args:
        rows: the images.
        path: the PNG file to write.
        heading: lines above the rows; long ones are wrapped.

    Raises:
        InputError: if there are no rows, or the name does not end in .png.
    """
    if not rows:
        raise InputError("no images to draw; expected at least one")
    for row in rows:
        check_image(row.image)
    errors = [relative_error(row.predicted_m, row.truth_m) for row in rows]
    error_scale = error_limits(errors)
    sizes = [panel_size(row.image.shape[:2], _PANEL_PX, _NARROWEST_PX) for row in rows]
    scales = [depth_limits([row.truth_m, row.predicted_m]) for row in rows]
    column = max(width for _, width in sizes)
    shortest = min(height for height, _ in sizes)
    rooms = [bar_room(of, shortest, _BAR_PX, _TEXT_PX) for of in (scales, [error_scale])]
    lefts = [_GAP_PX + k * (column + _GAP_PX) for k in range(3)]
    lefts.append(lefts[2] + column + _GAP_PX + rooms[0])
    full_width = lefts[3] + column + _GAP_PX + rooms[1]
    letters = int((full_width - 2 * _GAP_PX) / (_TEXT_PX * 0.56))
    lines = [part for line in heading for part in _evenly(line, letters)]
    top = (len(lines) + 1) * _LINE_PX
    full_height = top + sum(height + _LINE_PX + _GAP_PX for height, _ in sizes)
    canvas = Canvas(full_width, full_height, _TEXT_PX)
    for number, line in enumerate(lines):
        canvas.write(lefts[0], (number + 0.5) * _LINE_PX + 4, line)
    headings = ("photo", "ground truth", "prediction", "relative error")
    for left, word in zip(lefts, headings, strict=True):
        canvas.write(left, top - _LINE_PX / 2 + 4, word, weight="bold")
    for row, scale, error, size in zip(rows, scales, errors, sizes, strict=True):
        _draw_row(canvas, row, error, (scale, error_scale), (lefts, top, size))
        top += _LINE_PX + size[0] + _GAP_PX
    return canvas.save(path)


def _evenly(text: str, letters: int) -> list[str]:
    """The text in the fewest lines, those as narrow as possible, so that no word stands alone."""
    count = len(textwrap.wrap(text, letters))
    narrower = (textwrap.wrap(text, width) for width in range(1, letters + 1))
    return next((lines for lines in narrower if len(lines) <= count), [])


def relative_error(predicted_m: Floats, truth_m: Floats) -> Floats:
    """|p - g| / g at the truth's pixels, from the nearest predicted pixel; NaN without truth."""
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(np.int64)
        for n, m in zip(truth_m.shape, predicted_m.shape, strict=True)
    )
    truth = np.where(truth_m > 0, truth_m, np.nan).astype(np.float64)
    return np.abs(predicted_m[rows[:, None], columns] - truth) / truth


def _draw_row(
    canvas: Canvas,
    row: SheetRow,
    error: Floats,
    scales: tuple[Normalize, Normalize],
    place: tuple[Sequence[float], float, tuple[float, float]],
) -> None:
    lefts, top, (height, width) = place
    score = f"AbsRel {row.abs_rel:.3f}   δ1 {row.delta1:.3f}"
    canvas.write(lefts[0], top + _LINE_PX / 2, f"{row.title}   {score}")
    boxes = [(left, top + _LINE_PX, width, height) for left in lefts]
    scale, error_scale = scales
    canvas.photo(boxes[0], row.image)
    canvas.depth(boxes[1], row.truth_m, scale)
    canvas.depth(boxes[2], row.predicted_m, scale)
    canvas.map(boxes[3], np.ma.masked_invalid(error), error_scale, error_colours())
    bars = [(box[0] + width + _GAP_PX, box[1], _BAR_PX, height) for box in boxes[2:]]
    canvas.colour_bar(bars[0], scale, "depth (m)")
    canvas.colour_bar(bars[1], error_scale, "relative error", error_colours())
