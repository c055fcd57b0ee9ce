"""Plots of the experiment: numbers seed by seed, latency, attention, and crops at edges."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from research.plots import COLOURS, legend_beside, style_axes, titled_canvas
from spd.figures.canvas import INK, Canvas, depth_limits

_WIDEST_DISC = 0.85  # of the distance between two tokens


def seeds_plot(
    numbers: Mapping[str, Mapping[str, Sequence[float]]],
    path: str | os.PathLike[str],
    *,
    panels: Sequence[tuple[str, str]],
    title: str,
) -> Path:
    """One panel a number, one row a variant, one dot a seed and a bar at their mean.

    Args:
        numbers: values over seeds, by variant and number.
        path: the PNG file to write.
        panels: numbers to show, each with its caption.
        title: title of the picture.
    """
    names = list(numbers)
    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    left, width, height, aside, gap = 190.0, 250.0, 34.0 * len(names), 64.0, 78.0
    canvas = titled_canvas(left + columns * (width + aside), 50 + lines * (height + gap), title)
    for number, (key, caption) in enumerate(panels):
        line, column = divmod(number, columns)
        box = (left + column * (width + aside), 62 + line * (height + gap), width, height)
        axes = canvas.axes(box)
        for row, name in enumerate(names):
            values = numbers[name].get(key)
            if values is None:
                continue
            colour = COLOURS[row % len(COLOURS)]
            axes.plot(
                values, [row] * len(values), "o", color=colour, alpha=0.55, ms=canvas.points(8)
            )
            axes.plot(
                [np.mean(values)], [row], "|", color=INK, ms=canvas.points(20), mew=canvas.points(3)
            )
        for marks in axes.lines:
            marks.set_clip_on(False)  # whole at the very end of an axis too
        if key.endswith("_f1"):  # a share: the axis starts at 0
            axes.set_xlim(0, max(1.05 * axes.dataLim.x1, 0.1))
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), names if column == 0 else [])
        style_axes(canvas, axes)
        axes.locator_params(axis="x", nbins=4)
        axes.set_title(caption, size=canvas.font, color=INK)
    return canvas.save(path)


def latency_plot(
    milliseconds: Mapping[str, Mapping[str, float]],
    path: str | os.PathLike[str],
    *,
    title: str,
    caution: str | None = None,
) -> Path:
    """Time of a call against the points asked, both logarithmic; the dense map is a dashed line.

    Args:
        milliseconds: by variant, then `K=64` or `dense`.
        path: the PNG file to write.
        title: title of the picture.
        caution: shown below the title if the times are not reliable.
    """
    cautions = textwrap.wrap(caution or "", 105)
    top = 60 + 22 * len(cautions)
    canvas = titled_canvas(980, top + 460, title)
    for number, line in enumerate(cautions):
        canvas.write(14, 50 + 22 * number, line)
    axes = canvas.axes((100, top, 620, 390))
    for number, (name, times) in enumerate(milliseconds.items()):
        colour = COLOURS[number % len(COLOURS)]
        counts = [(int(kind[2:]), ms) for kind, ms in times.items() if kind.startswith("K=")]
        axes.plot(*zip(*counts, strict=True), "o-", color=colour, lw=canvas.points(3), label=name)
        if "dense" in times:
            axes.axhline(times["dense"], color=colour, ls="--", lw=canvas.points(1.5))
    for scale, axis in ((axes.set_xscale, axes.xaxis), (axes.set_yscale, axes.yaxis)):
        scale("log")
        axis.set_major_locator(LogLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    across = "points asked, K (dashed, in the same colour: the whole dense map)"
    style_axes(canvas, axes, across, "milliseconds after encode")
    legend_beside(canvas, axes)
    return canvas.save(path)


def own_surface_plot(
    rows: Sequence[Mapping[str, object]], path: str | os.PathLike[str], *, title: str
) -> Path:
    """Attention mass on the own surface by distance to the edge, beside uniform weights."""
    canvas = titled_canvas(1020, 440, title)
    bands = list(dict.fromkeys(str(row["band"]) for row in rows))
    for stage in (1, 2):
        axes = canvas.axes((90 + (stage - 1) * 460, 84, 400, 270))
        here = [row for row in rows if row["stage"] == stage]
        heads = sorted({int(str(row["head"])) for row in here if row["head"] is not None})
        for head in heads:
            values = [_mean(here, band, head, "mass") for band in bands]
            axes.plot(
                range(len(bands)),
                values,
                color=COLOURS[0],
                alpha=0.35,
                lw=canvas.points(2),
                label="one head" if head == heads[0] else None,
            )
        mass = [_mean(here, band, None, "mass") for band in bands]
        uniform = [_mean(here, band, None, "uniform") for band in bands]
        axes.plot(
            range(len(bands)), mass, "o-", color=COLOURS[0], lw=canvas.points(3), label="attention"
        )
        axes.plot(
            range(len(bands)),
            uniform,
            "s--",
            color=COLOURS[1],
            lw=canvas.points(3),
            label="uniform weights",
        )
        axes.set_xticks(range(len(bands)), bands)
        axes.set_ylim(0, 1)
        up = "share on the query's own surface" if stage == 1 else ""
        style_axes(canvas, axes, "distance to the nearest depth edge", up)
        axes.grid(visible=False, axis="x")
        axes.tick_params(labelleft=stage == 1)
        axes.set_title(
            f"stage {stage}: {'s8 and L2' if stage == 1 else 'L1'}", size=canvas.font, color=INK
        )
        if stage == 1:
            axes.legend(frameon=False, fontsize=canvas.font, labelcolor=INK, loc="lower right")
    return canvas.save(path)


def attention_picture(
    image: UInt8[np.ndarray, "h w 3"],
    point: tuple[float, float],
    places: Sequence[Float[np.ndarray, "n 2"]],
    weights: Sequence[Float[np.ndarray, " n"]],
    own: Sequence[Bool[np.ndarray, " n"]],
    path: str | os.PathLike[str],
    *,
    captions: Sequence[str],
    title: str,
    reach_px: float = 70.0,
) -> Path:
    """A query at an edge and its tokens: discs sized by attention, one panel a map.

    Args:
        image: the photo.
        point: the query, `(u, v)`.
        places: of each map's tokens, `(u, v)`.
        weights: attention on each, mean over heads.
        own: whether it lies on the query's surface.
        path: the PNG file to write.
        captions: one a panel.
        title: title of the picture.
        reach_px: half the side of the crop shown.
    """
    side = 330.0
    canvas = titled_canvas(20 + (side + 16) * (len(places) + 1), side + 120, title)
    u, v = point
    window = (u - reach_px, u + reach_px, v + reach_px, v - reach_px)
    for number in range(len(places) + 1):
        axes = canvas.panel((14 + number * (side + 16), 70, side, side), image, image.shape[:2])
        axes.set_xlim(window[0], window[1])
        axes.set_ylim(window[2], window[3])
        canvas.write(14 + number * (side + 16), 54, captions[number])
        if number > 0:
            at, weight = places[number - 1], weights[number - 1]
            spacing_px = float(np.diff(at[:, 0]).max()) * side / (2 * reach_px)  # along a row
            area = canvas.points(_WIDEST_DISC * spacing_px) ** 2 * weight / weight.max()
            _draw_discs(canvas, axes, at, area, own[number - 1])
        axes.plot(
            [u], [v], "+", color="white", ms=canvas.points(20), mew=canvas.points(5), zorder=4
        )
        axes.plot(
            [u], [v], "+", color="black", ms=canvas.points(18), mew=canvas.points(2), zorder=4
        )
    canvas.write(
        14,
        side + 96,
        "area of a disc: attention, as a share of the panel's largest; "
        "blue with a dark outline: the query's own surface, orange: another",
    )
    return canvas.save(path)


def _draw_discs(
    canvas: Canvas,
    axes: Axes,
    at: Float[np.ndarray, "n 2"],
    area: Float[np.ndarray, " n"],
    own: Bool[np.ndarray, " n"],
) -> None:
    """Draw translucent discs; those on the own surface are outlined and on top."""
    looks = ((~own, COLOURS[1], "white", 1.0), (own, COLOURS[0], INK, 2.0))
    for order, (chosen, colour, outline, width_px) in enumerate(looks):
        axes.scatter(
            at[chosen, 0],
            at[chosen, 1],
            s=area[chosen],
            facecolors=to_rgba(colour, 0.5),
            edgecolors=outline,
            linewidths=canvas.points(width_px),
            zorder=2 + order / 2,
        )


def edge_crops(
    image: UInt8[np.ndarray, "h w 3"],
    maps: Mapping[str, Float[np.ndarray, "h w"]],
    boxes: Sequence[tuple[int, int, int]],
    path: str | os.PathLike[str],
    *,
    title: str,
) -> Path:
    """Crops of a photo and of several depth maps, one row a crop, each with one colour scale.

    Args:
        image: the photo.
        maps: metres, by caption; all of the photo's size.
        boxes: (top, left, side) of each crop in pixels.
        path: the PNG file to write.
        title: title of the picture.
    """
    side, gap, top = 170.0, 10.0, 76.0
    width, height = 130 + (side + gap) * (len(maps) + 1), top + (side + gap) * len(boxes) + 10
    canvas = titled_canvas(width, height, title)
    for column, caption in enumerate(["photo", *maps]):
        canvas.write(14 + column * (side + gap), 58, caption, scale=0.9)
    for row, (y, x, size) in enumerate(boxes):
        part = (slice(y, y + size), slice(x, x + size))
        place = top + row * (side + gap)
        canvas.photo((14, place, side, side), np.ascontiguousarray(image[part]))
        truth = next(iter(maps.values()))[part]
        scale = depth_limits([truth])
        for column, depth_m in enumerate(maps.values()):
            canvas.depth(
                (14 + (column + 1) * (side + gap), place, side, side), depth_m[part], scale
            )
        canvas.colour_bar(
            (14 + (len(maps) + 1) * (side + gap), place + 6, 14, side - 12), scale, "m"
        )
    return canvas.save(path)


def _mean(rows: Sequence[Mapping[str, object]], band: str, head: int | None, key: str) -> float:
    values = [float(str(r[key])) for r in rows if r["band"] == band and r["head"] == head]
    return float(np.mean(values)) if values else float("nan")
