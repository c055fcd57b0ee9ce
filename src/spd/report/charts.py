"""Charts as lines, areas and cells on two axes.

The template draws them as SVG inside the page, so they are sharp at any size, follow the reader's
light or dark colours, have tooltips and can be read aloud. Every mark is one path with a CSS class.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 440.0, 300.0
"""Size of the drawing, which the page scales to the available width."""
LEFT, TOP, RIGHT, BOTTOM = 56.0, 14.0, 14.0, 46.0
"""Margins for ticks and labels."""
DENSITY_STEPS = 6
"""Shades of a two-dimensional histogram, in logarithmic steps."""

Floats = npt.NDArray[np.floating]


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """An axis and its range of values."""

    label: str
    """The quantity, with its unit."""
    low: float
    """The value at the left or the bottom."""
    high: float
    """The value at the right or the top."""
    ticks: tuple[tuple[float, str], ...]
    """Values and their texts."""

    def share(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Positions of values between the two ends, 0 to 1."""
        return (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """One path."""

    look: str
    """Its CSS classes: `line`, `dots`, `bar` or `cell` with `series-0`, ...; or `guide`."""
    path: str
    """The `d` attribute of SVG."""
    hint: str = ""
    """The tooltip, also read aloud."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its axes."""

    title: str
    alt: str
    """Description for readers who do not see it."""
    x: Axis
    y: Axis
    marks: Sequence[Mark]
    """From the back to the front."""
    legend: Sequence[tuple[str, str]] = ()
    """CSS classes of marks and their meaning; empty if all marks have one look."""
    note: str = ""
    """A line below the drawing."""
    height: float = HEIGHT
    width: ClassVar[float] = WIDTH

    @property
    def inner(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the area inside the axes."""
        return LEFT, TOP, WIDTH - RIGHT, self.height - BOTTOM

    def x_ticks(self) -> list[tuple[float, str]]:
        """Positions from the left, and texts."""
        return [(float(column(self.x, value)), text) for value, text in self.x.ticks]

    def y_ticks(self) -> list[tuple[float, str]]:
        """Positions from the top, and texts."""
        return [(float(row(self.y, value, self.height)), text) for value, text in self.y.ticks]


def column(axis: Axis, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Positions of values from the left of a drawing."""
    return LEFT + axis.share(values) * (WIDTH - LEFT - RIGHT)


def row(axis: Axis, values: npt.ArrayLike, height: float = HEIGHT) -> npt.NDArray[np.float64]:
    """Positions of values from the top of a drawing."""
    return height - BOTTOM - axis.share(values) * (height - TOP - BOTTOM)


def number_axis(label: str, low: float, high: float, most: int = 6) -> Axis:
    """An axis with round numbers at its ends and about `most` steps."""
    span = high - low if high > low else max(abs(high), 1.0)
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil((low + span) / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = tuple((n * step, f"{n * step:.{digits}f}") for n in range(first, last + 1))
    return Axis(label, first * step, last * step, ticks)


def word_axis(label: str, words: Sequence[str]) -> Axis:
    """An axis of words at 0, 1, 2 and so on."""
    return Axis(label, -0.5, len(words) - 0.5, tuple((float(n), w) for n, w in enumerate(words)))


def line(x: Axis, y: Axis, xs: npt.ArrayLike, ys: npt.ArrayLike, look: str) -> tuple[Mark, ...]:
    """A line through points with a dot on each; a value that is not finite leaves a gap."""
    xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
    places = list(zip(column(x, xs), row(y, np.clip(ys, y.low, y.high)), strict=True))
    pieces, open_piece = [], False
    for (across, down), known in zip(places, np.isfinite(ys), strict=True):
        if known:
            pieces.append(f"{'L' if open_piece else 'M'}{across:.1f} {down:.1f}")
        open_piece = bool(known)
    dots = "".join(
        p.replace("L", "M") + "h0" for p in pieces
    )  # a line of no length with round ends is a dot
    return Mark(f"line {look}", "".join(pieces)), Mark(f"dots {look}", dots)


def bars(
    x: Axis, y: Axis, edges: npt.ArrayLike, heights: npt.ArrayLike, look: str, hints: Sequence[str]
) -> tuple[Mark, ...]:
    """Bars between neighbouring edges, from the bottom up."""
    left_right, tops = column(x, edges), row(y, heights)
    bottom = float(row(y, y.low))
    return tuple(
        Mark(f"bar {look}", _rectangle(left + 0.5, top, right - 0.5, bottom), hint)
        for left, right, top, hint in zip(left_right[:-1], left_right[1:], tops, hints, strict=True)
        if bottom - top > 0
    )


def density(
    x: Axis, y: Axis, x_edges: Floats, y_edges: Floats, counts: npt.NDArray[np.int64], height: float
) -> tuple[Mark, ...]:
    """A two-dimensional histogram `[x, y]`: one path per shade, logarithmic in the count."""
    columns, rows = column(x, x_edges), row(y, y_edges, height)
    most = max(2, int(counts.max(initial=0)))
    shades = np.ceil(DENSITY_STEPS * np.log1p(counts) / math.log1p(most)).astype(np.int64)
    marks = []
    for shade in range(1, DENSITY_STEPS + 1):
        cells = [
            _rectangle(columns[i], rows[j + 1], columns[i + 1], rows[j])
            for i, j in np.argwhere(shades == shade)
        ]
        if cells:
            marks.append(Mark(f"cell shade-{shade}", "".join(cells)))
    return tuple(marks)


def guide(
    x: Axis, y: Axis, xs: Sequence[float], ys: Sequence[float], height: float = HEIGHT
) -> Mark:
    """A thin straight line for comparison."""
    places = zip(column(x, xs), row(y, ys, height), strict=True)
    return Mark("guide", "M" + "L".join(f"{across:.1f} {down:.1f}" for across, down in places))


def _rectangle(left: float, top: float, right: float, bottom: float) -> str:
    return f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}z"
