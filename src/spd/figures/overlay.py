"""The photo with a marker and a depth label at each queried point."""

import math
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patheffects import withStroke

from spd.errors import InputError
from spd.figures.canvas import (
    Box,
    Canvas,
    Floats,
    bar_room,
    check_image,
    depth_colours,
    depth_limits,
    panel_size,
    thinned,
)
from spd.figures.labels import Rectangle, place_labels
from spd.pixels import as_points, check_inside

MOST_LABELS = 25
"""With more points than this there are no labels, only colours."""
LEAST_SPAN = 0.25
"""Least share of the farthest depth that the colours span, so that a flat map looks flat."""
_PANEL_PX = 900.0  # longer side of a panel
_NARROWEST_PX = 260.0
_MARGIN_PX = 22.0  # more than a marker's radius, so that a marker in a corner touches nothing
_TEXT_PX = 26.0
_TITLE_SCALE = 0.85
_LINE_PX = 35.0  # whole, so that panels below keep to whole pixels


def point_overlay(
    image_u8: npt.NDArray[np.uint8],
    points_uv: npt.ArrayLike,
    depth_m: npt.ArrayLike,
    path: str | os.PathLike[str],
    *,
    depth_map_m: Floats | None = None,
    lines_uv: Sequence[npt.ArrayLike] = (),
    title: str = "",
) -> Path:
    """Draw a photo with a marker at each point, coloured by depth and labelled in metres.

    Labels are omitted with more than 25 points, on the depth map, and where the space near the
    marker is taken. Points with a depth of NaN (outside the photo) are not drawn.

    Args:
        image_u8: `[H, W, 3]` RGB.
        points_uv: `[K, 2]` points (u, v) in pixels of the photo, integers at pixel centres.
        depth_m: `[K]` metres.
        path: the PNG file to write.
        depth_map_m: `[h, w]` metres of the same field of view, drawn beside the photo with the
            same points and colour scale; 0 or NaN marks missing depth, drawn in grey.
        lines_uv: polylines `[N, 2]` drawn on the photo under the markers, cut at its border.
        title: above the photo, in up to three lines.

    Raises:
        InputError: if shapes do not fit, a point with a depth is outside the photo, or the name
            does not end in .png.
    """
    check_image(image_u8)
    points, depth = _check_points(points_uv, depth_m, (image_u8.shape[0], image_u8.shape[1]))
    height, width = panel_size(image_u8.shape[:2], _PANEL_PX, _NARROWEST_PX)
    maps = [] if depth_map_m is None else [thinned(depth_map_m, (height, width))]
    scale = depth_limits(maps, depth, least_span=LEAST_SPAN)
    bar_left = (1 + len(maps)) * (width + _MARGIN_PX) + _MARGIN_PX
    full_width = bar_left + bar_room([scale], height, _TEXT_PX, _TEXT_PX)
    lines = _title_lines(title, full_width)
    top = _MARGIN_PX + len(lines) * _LINE_PX
    canvas = Canvas(full_width, top + height + _MARGIN_PX, _TEXT_PX)
    for number, line in enumerate(lines):
        canvas.write(_MARGIN_PX, _MARGIN_PX + (number + 0.3) * _LINE_PX, line, scale=_TITLE_SCALE)
    centres = (points + 0.5) * (width / image_u8.shape[1], height / image_u8.shape[0])
    box = (_MARGIN_PX, top, width, height)
    photo = canvas.photo(box, image_u8)
    _draw_lines(canvas, photo, lines_uv)
    _draw_points(canvas, box, centres, depth, scale, labelled=len(centres) <= MOST_LABELS)
    for depth_map in maps:
        beside = (2 * _MARGIN_PX + width, top, width, height)
        canvas.depth(beside, depth_map, scale)
        _draw_points(canvas, beside, centres, depth, scale, labelled=False)
    bar = (bar_left, top, _TEXT_PX, height)
    canvas.colour_bar(bar, scale, "depth (m)", only=_one_depth(maps, depth))
    return canvas.save(path)


def _one_depth(maps: Sequence[Floats], depth_m: Floats) -> float | None:
    """The depth to the centimetre if the picture has only one, else None."""
    shown = [np.ravel(values)[np.ravel(np.isfinite(values) & (values > 0))] for values in maps]
    values = np.concatenate([*shown, depth_m]).astype(np.float64)
    ends = {round(float(end), 2) for end in (values.min(), values.max())} if values.size else ()
    return ends.pop() if len(ends) == 1 else None


def _check_points(
    points_uv: npt.ArrayLike, depth_m: npt.ArrayLike, size: tuple[int, int]
) -> tuple[Floats, Floats]:
    """The points with a depth, and their depths."""
    points, depth = as_points(points_uv), np.asarray(depth_m, dtype=np.float64)
    if depth.shape != points.shape[:1]:
        raise InputError(
            f"points must be [K, 2] with depth [K], got {points.shape} and {depth.shape}"
        )
    points, depth = points[np.isfinite(depth)], depth[np.isfinite(depth)]
    check_inside(points, size)
    return points, depth


def _title_lines(title: str, width_px: float) -> list[str]:
    letters = int((width_px - 2 * _MARGIN_PX) / (0.58 * _TEXT_PX * _TITLE_SCALE))
    return textwrap.wrap(title, max(1, letters), max_lines=3, placeholder=" …")


def _draw_lines(canvas: Canvas, photo: Axes, lines_uv: Sequence[npt.ArrayLike]) -> None:
    """Draw polylines in pixels of the photo, cut at its border."""
    borders = {"xlim": photo.get_xlim(), "ylim": photo.get_ylim()}
    width = canvas.points(_TEXT_PX * 0.1)
    for line in lines_uv:
        u, v = np.asarray(line, dtype=np.float64).T
        for extra, colour in ((2.4, "black"), (1.2, "white")):
            photo.plot(u, v, color=colour, linewidth=width * extra, solid_joinstyle="miter")
    photo.set(**borders)


def _draw_points(
    canvas: Canvas, box: Box, centres: Floats, depth_m: Floats, scale: Normalize, *, labelled: bool
) -> None:
    """Draw markers and labels on transparent axes whose coordinates are the page's pixels."""
    axes = canvas.axes(box)
    axes.set(xlim=(0, box[2]), ylim=(box[3], 0), facecolor="none")
    axes.set_axis_off()
    # The more dots, the smaller they are, so that they cover no more of the photo.
    shrink = max(0.3, math.sqrt(MOST_LABELS / max(MOST_LABELS, len(centres))))
    radius = _TEXT_PX * 0.42 * shrink
    outlines = [(radius * 1.45, ["black"]), (radius * 1.25, ["white"])]
    for size, colours in [*outlines, (radius, depth_colours()(scale(depth_m)))]:
        area = canvas.points(2 * size) ** 2
        axes.scatter(
            centres[:, 0], centres[:, 1], s=area, c=colours, linewidths=0, clip_on=False, zorder=3
        )
    if labelled:
        _draw_labels(canvas, axes, centres, depth_m, radius * 1.45)


def _draw_labels(
    canvas: Canvas, axes: Axes, centres: Floats, depth_m: Floats, radius: float
) -> None:
    outline = withStroke(linewidth=canvas.points(_TEXT_PX * 0.2), foreground="black")
    look: dict[str, Any] = {"color": "white", "weight": "bold", "ha": "center", "va": "center"}
    look["size"] = canvas.font
    texts = [axes.text(0, 0, f"{depth:.2f} m", zorder=4, **look) for depth in depth_m]
    renderer = canvas.agg.get_renderer()
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = [(box.width + _TEXT_PX * 0.4, box.height + _TEXT_PX * 0.3) for box in extents]
    panel = (axes.get_xlim()[1], axes.get_ylim()[0])
    places = place_labels([(x, y) for x, y in centres], sizes, radius, panel)
    for centre, text, place in zip(centres, texts, places, strict=True):
        if place is None:
            text.remove()
            continue
        text.set(position=place.centre, path_effects=[outline])
        _draw_leader(canvas, axes, centre, place, radius)


def _draw_leader(
    canvas: Canvas, axes: Axes, centre: Floats, place: Rectangle, radius: float
) -> None:
    """Draw a line from a marker to a label that had to move away from it."""
    x, y = float(centre[0]), float(centre[1])
    near_x = min(max(x, place.left), place.right)
    near_y = min(max(y, place.top), place.bottom)
    if math.hypot(near_x - x, near_y - y) < 1.8 * radius:
        return
    width = canvas.points(_TEXT_PX * 0.1)
    for extra, colour in ((2.2, "black"), (1.0, "white")):
        axes.plot([x, near_x], [y, near_y], color=colour, linewidth=width * extra, zorder=2)
