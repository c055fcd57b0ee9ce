"""Plot time against the number of points, and against the size of the image."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from research.plots import COLOURS, legend_beside, style_axes, titled_canvas
from spd.figures.canvas import INK, Canvas

Curve = Sequence[tuple[float, float]]
_MARKS = "os^DvPX"
_LEVELS = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))


def points_plot(
    curves: Mapping[str, Curve],
    levels: Mapping[str, float],
    meetings: Mapping[str, tuple[float, float]],
    path: str | os.PathLike[str],
    *,
    title: str,
) -> Path:
    """Plot the time of a call against the number of points, both logarithmic.

    Args:
        curves: (points, seconds) of every form, by its name.
        levels: seconds that do not depend on the points, such as those of a dense map.
        meetings: (points, seconds) where curves cross, marked with a ring and a name.
        path: the PNG file to write.
        title: title of the plot.
    """
    canvas = titled_canvas(1210, 560, title)
    axes = canvas.axes((100, 56, 700, 430))
    _draw(axes, canvas, curves)
    for number, (name, seconds) in enumerate(levels.items()):
        axes.axhline(
            1e3 * seconds,
            color=INK,
            ls=_LEVELS[number % len(_LEVELS)],
            lw=canvas.points(2),
            label=name,
            zorder=1,
        )
    for number, (name, (count, seconds)) in enumerate(meetings.items()):
        axes.plot(
            [count],
            [1e3 * seconds],
            "o",
            ms=canvas.points(24),
            mfc="none",
            mec=INK,
            mew=canvas.points(2),
        )
        axes.annotate(
            name,
            (count, 1e3 * seconds),
            (0.97, 0.05 + 0.07 * number),
            textcoords="axes fraction",
            ha="right",
            size=canvas.font,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": "#999999", "lw": canvas.points(1)},
        )
    axes.set_xscale("log")
    _plain_decades(axes.xaxis)
    return _finish(canvas, axes, path, "points asked of one encoded image, K", "milliseconds")


def resolution_plot(
    curves: Mapping[str, Curve],
    sizes: Mapping[float, str],
    path: str | os.PathLike[str],
    *,
    title: str,
) -> Path:
    """Plot time against the pixels of the image, both logarithmic.

    Args:
        curves: (pixels, seconds) by name.
        sizes: label of each number of pixels, such as 350x476.
        path: the PNG file to write.
        title: title of the plot.
    """
    canvas = titled_canvas(1210, 560, title)
    axes = canvas.axes((100, 56, 700, 430))
    _draw(axes, canvas, curves)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sorted(sizes)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _nearest(sizes, value)))
    axes.xaxis.set_minor_locator(NullLocator())
    return _finish(canvas, axes, path, "image, height x width in pixels", "milliseconds")


def _nearest(sizes: Mapping[float, str], value: float) -> str:
    return sizes[min(sizes, key=lambda pixels: abs(pixels - value))]


def _draw(axes: Axes, canvas: Canvas, curves: Mapping[str, Curve]) -> None:
    for number, (name, curve) in enumerate(curves.items()):
        xs, seconds = zip(*sorted(curve), strict=True)
        axes.plot(
            xs,
            [1e3 * s for s in seconds],
            f"{_MARKS[number % len(_MARKS)]}-",
            color=COLOURS[number % len(COLOURS)],
            lw=canvas.points(3),
            ms=canvas.points(9),
            label=name,
        )


def _finish(canvas: Canvas, axes: Axes, path: str | os.PathLike[str], across: str, up: str) -> Path:
    axes.set_yscale("log")
    _plain_decades(axes.yaxis)
    style_axes(canvas, axes, across, up)
    legend_beside(canvas, axes)
    return canvas.save(path)


def _plain_decades(axis: Axis) -> None:
    """Ticks at powers of ten, and at 2 and 5 times them on a short axis."""
    low, high = axis.get_data_interval()
    subs = (1.0,) if high > 1000 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())
