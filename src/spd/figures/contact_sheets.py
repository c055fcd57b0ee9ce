"""Sheets of frames: each photo above its depth map, for a data set or for training views."""

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spd.errors import InputError
from spd.figures.canvas import (
    Canvas,
    Floats,
    bar_room,
    depth_colours,
    depth_limits,
    panel_size,
    shorten,
)

if TYPE_CHECKING:  # at run time this would import torch
    from spd.data.sample import RGBDSample
    from spd.data.transforms import TrainingView

_TEXT_PX = 17.0
_LINE_PX = 1.9 * _TEXT_PX
_BAR_PX = 14.0
_BETWEEN_PX = 4.0  # between a photo and its depth map
_MOST_DOTS = 60  # more would hide the picture; any are typical, as points are random


@dataclasses.dataclass(frozen=True, slots=True)
class _Frame:
    """A photo and its depth map."""

    name: str
    image: npt.NDArray[np.uint8]
    """`[H, W, 3]` RGB."""
    depth_m: Floats
    """`[h, w]` metres of the same field of view; NaN where depth is missing."""
    points: Floats = dataclasses.field(default_factory=lambda: np.empty(0))
    """`[K, 3]` points (u, v) of the photo and their depth, drawn as dots."""


def contact_sheet(
    samples: "Sequence[RGBDSample]",
    path: str | os.PathLike[str],
    columns: int = 4,
    *,
    title: str = "",
) -> Path:
    """Draw the photo above the depth of each sample; all share one scale in metres.

    Pixels without valid depth are grey.

    Args:
        samples: the samples to draw.
        path: the PNG file to write.
        columns: samples per row.
        title: above the sheet, with a legend below it.

    Raises:
        InputError: if there are no samples, `columns` is less than 1, or the name does not end
            in .png.
    """
    if not samples or columns < 1:
        raise InputError(
            "a contact sheet needs at least one sample and one column, got "
            f"{len(samples)} and {columns}"
        )
    frames = [
        _Frame(sample.name, sample.image, np.where(sample.valid, sample.depth_m, np.nan))
        for sample in samples
    ]
    legend = "above: the image; below: its valid depth, grey where depth is missing"
    canvas = _draw(frames, columns, (title, legend), panel_px=240.0, gap_px=12.0)
    return canvas.save(path)


def view_sheet(
    views: "Sequence[TrainingView]", path: str | os.PathLike[str], title: str, columns: int = 4
) -> Path:
    """Draw each view's image with some of its query points above its depth map.

    Points and maps share one scale in metres; masked pixels are grey.

    Raises:
        InputError: if there are no views, `columns` is less than 1, or the name does not end in
            .png.
    """
    if not views or columns < 1:
        raise InputError(
            f"a sheet needs at least one view and one column, got {len(views)} and {columns}"
        )
    frames = []
    for view in views:
        dots = np.flatnonzero(view.point_valid)[:_MOST_DOTS]
        frames.append(
            _Frame(
                view.name,
                (view.image * 255).round().clip(0, 255).astype(np.uint8),
                np.where(view.valid, view.depth_m, np.nan),
                np.column_stack([view.points[dots], view.point_depth_m[dots]]),
            )
        )
    count = len(views[0].points)
    shown = f"{_MOST_DOTS} of its {count:,}" if count > _MOST_DOTS else f"its {count:,}"
    legend = f"above: the image and {shown} query points; below: dense depth, grey where masked"
    canvas = _draw(frames, columns, (title, legend), panel_px=260.0, gap_px=14.0, below_px=7.0)
    return canvas.save(path)


def _draw(
    frames: Sequence[_Frame],
    columns: int,
    heading: tuple[str, str],
    *,
    panel_px: float,
    gap_px: float,
    below_px: float = 0.0,
) -> Canvas:
    """The frames row by row under a title and a legend, if there is a title."""
    scale = depth_limits([frame.depth_m for frame in frames])
    columns = min(columns, len(frames))
    sizes = [panel_size(frame.image.shape[:2], panel_px, panel_px / 4) for frame in frames]
    cell_width = max(width for _, width in sizes) + gap_px
    photo_height = max(height for height, _ in sizes)
    bar_height = 2 * photo_height + _BETWEEN_PX
    cell_height = bar_height + _LINE_PX + below_px
    body = math.ceil(len(frames) / columns) * cell_height
    bar_left = columns * cell_width + 2 * gap_px
    title, legend = heading
    head = gap_px + (round(2 * _LINE_PX) if title else 0)
    widest = max(0.6 * _TEXT_PX * len(title), 0.5 * _TEXT_PX * len(legend)) if title else 0
    room = bar_room([scale], bar_height, _BAR_PX, _TEXT_PX)
    width_px = max(bar_left + room, widest + 2 * gap_px)
    canvas = Canvas(width_px, head + body + gap_px, _TEXT_PX)
    if title:
        canvas.write(gap_px, 0.7 * _LINE_PX, title, weight="bold")
        canvas.write(gap_px, 1.55 * _LINE_PX, legend, scale=0.85)
    for index, (frame, (height, width)) in enumerate(zip(frames, sizes, strict=True)):
        row, column = divmod(index, columns)
        left, top = gap_px + column * cell_width, head + row * cell_height
        photo = canvas.photo((left, top + photo_height - height, width, height), frame.image)
        if frame.points.size:
            u, v, depth_m = frame.points.T
            dots = photo.scatter(u, v, canvas.points(5.5) ** 2, depth_m, norm=scale)
            dots.set(cmap=depth_colours(), edgecolor="white", linewidth=canvas.points(0.9))
        canvas.depth((left, top + photo_height + _BETWEEN_PX, width, height), frame.depth_m, scale)
        name = shorten(frame.name, int(cell_width / (_TEXT_PX * 0.56)))
        canvas.write(left, top + bar_height + _LINE_PX / 2, name, scale=0.85)
    canvas.colour_bar((bar_left, head, _BAR_PX, bar_height), scale, "depth (m)")
    return canvas
