"""A sheet of training views: images, their query points and their depth."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spd.errors import InputError
from spd.figures.canvas import (
    Canvas,
    bar_room,
    depth_colours,
    depth_limits,
    panel_size,
    shorten,
)

if TYPE_CHECKING:  # at run time this would import torch
    from spd.data.transforms import TrainingView

_PANEL_PX = 260.0
_TEXT_PX = 17.0
_GAP_PX = 14.0
_LINE_PX = 1.9 * _TEXT_PX
_BAR_PX = 14.0
_MOST_DOTS = 60  # more would hide the picture; any are typical, as points are random


def view_sheet(
    views: "Sequence[TrainingView]", path: str | os.PathLike[str], title: str, columns: int = 4
) -> Path:
    """Draw each view's image with some of its query points above its depth map.

    Points and maps share one scale in metres; masked pixels are grey.

    Raises:
        InputError: if there is no view, `columns` is less than 1, or the name does not end in
            .png.
    """
    if not views or columns < 1:
        raise InputError(f"a sheet needs views and columns, got {len(views)} and {columns}")
    depths = [np.where(view.valid, view.depth_m, np.nan) for view in views]
    scale = depth_limits(depths)
    columns = min(columns, len(views))
    lines = math.ceil(len(views) / columns)
    height, width = panel_size(views[0].depth_m.shape, _PANEL_PX, _PANEL_PX / 2)
    cell_width, cell_height = width + _GAP_PX, 2 * height + 4 + _LINE_PX + _GAP_PX / 2
    head = 2.4 * _LINE_PX
    bar_left = _GAP_PX + columns * cell_width
    canvas = Canvas(
        max(
            bar_left + bar_room([scale], 2 * height + 4, _BAR_PX, _TEXT_PX),
            0.55 * _TEXT_PX * len(title) + 2 * _GAP_PX,
        ),
        head + lines * cell_height + _GAP_PX / 2,
        _TEXT_PX,
    )
    canvas.write(_GAP_PX, 0.8 * _LINE_PX, title, weight="bold")
    canvas.write(_GAP_PX, 1.65 * _LINE_PX, _legend(views[0]), scale=0.85)
    for index, (view, depth_m) in enumerate(zip(views, depths, strict=True)):
        line, column = divmod(index, columns)
        left, top = _GAP_PX + column * cell_width, head + line * cell_height
        photo = canvas.photo((left, top, width, height), _as_photo(view))
        dots = np.flatnonzero(view.point_valid)[:_MOST_DOTS]
        photo.scatter(
            view.points[dots, 0],
            view.points[dots, 1],
            c=view.point_depth_m[dots],
            cmap=depth_colours(),
            norm=scale,
            s=canvas.points(5.5) ** 2,
            linewidths=canvas.points(0.9),
            edgecolors="white",
        )
        canvas.depth((left, top + height + 4, width, height), depth_m, scale)
        name = shorten(view.name, int(width / (_TEXT_PX * 0.5)))
        canvas.write(left, top + 2 * height + 4 + _LINE_PX / 2, name, scale=0.85)
    canvas.colour_bar((bar_left, head, _BAR_PX, 2 * height + 4), scale, "depth (m)")
    return canvas.save(path)


def _legend(view: "TrainingView") -> str:
    count = len(view.points)
    shown = f"{_MOST_DOTS} of its {count:,}" if count > _MOST_DOTS else f"its {count:,}"
    return f"above: the image and {shown} drawn points; below: dense depth, masked where grey"


def _as_photo(view: "TrainingView") -> np.ndarray:
    return (view.image * 255).round().clip(0, 255).astype(np.uint8)
