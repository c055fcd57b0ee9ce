"""The charts of a report: errors by distance to edges, by true depth, by image; predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spd.errors import counted
from spd.evaluation.metrics import Floats
from spd.report.charts import (
    Axis,
    Chart,
    Mark,
    bars,
    density,
    guide,
    line,
    number_axis,
    row,
    word_axis,
)
from spd.report.tally import Tally

Named = Sequence[tuple[str, str]]
"""The name and the look of each series."""
_FEWEST_BARS, _MOST_BARS = 8, 24
_SAME_PX = 1.0  # lines are more than 2 px wide


def edges_chart(
    bands: Sequence[Sequence[Mapping[str, Any]]], named: Named, modes: Sequence[str]
) -> Chart:
    """AbsRel by distance to the nearest true edge, one line per evaluation and mode."""
    words = [str(band["band"]) for band in bands[0]]
    values = [
        [np.nan if (value := band.get(f"{mode}_abs_rel")) is None else value for band in each]
        for each in bands
        for mode in modes
    ]
    x = word_axis("distance to the nearest true depth edge", words)
    y = number_axis("AbsRel", 0.0, _most(values))
    marks = [
        mark
        for (_, look), ys in zip(named, values, strict=True)
        for mark in line(x, y, range(len(words)), ys, look)
    ]
    alt = "; ".join(
        f"{name}: " + ", ".join(f"{word} {v:.3f}" for word, v in zip(words, ys, strict=True))
        for (name, _), ys in zip(named, values, strict=True)
    )
    note = _coinciding(named, values, y)
    return Chart("Error near depth edges", alt, x, y, marks, _legend(named), note)


def distance_chart(tallies: Sequence[Tally], named: Named, modes: Sequence[str]) -> Chart:
    """AbsRel by true depth, above a histogram of the readings."""
    first = tallies[0]
    band_m = first.band_m
    bands = round(first.farthest_m / band_m)
    counts = first.readings[:bands]
    values = [
        (getattr(tally, mode).error / np.where(tally.readings > 0, tally.readings, np.nan))[:bands]
        for tally in tallies
        for mode in modes
    ]
    x = number_axis("true depth (m)", 0.0, first.farthest_m, most=10)
    y = number_axis("AbsRel", 0.0, _most(values))
    edges = np.arange(bands + 1) * band_m
    heights = y.low + (y.high - y.low) * counts / max(1, int(counts.max()))
    share = counts / max(1, int(counts.sum()))
    hints = [
        f"{low:g} to {high:g} m: {part:.1%} of the pixels"
        for low, high, part in zip(edges[:-1], edges[1:], share, strict=True)
    ]
    marks = list(bars(x, y, edges, heights, "ground", hints))
    for (_, look), ys in zip(named, values, strict=True):
        marks += line(x, y, edges[:-1] + band_m / 2, ys, look)
    worst = float(np.nanmax(values[0]))
    place = edges[int(np.nanargmax(values[0]))]
    alt = f"{named[0][0]}: largest error, {worst:.3f}, at {place:g} to {place + band_m:g} m"
    legend = (*_legend(named, always=True), ("bar ground", "number of pixels"))
    note = f"All pixels have the same weight. {_coinciding(named, values, y)}".rstrip()
    return Chart("Error by true depth", alt, x, y, marks, legend, note)


def images_axes(several: Sequence[Floats]) -> tuple[Axis, Floats, Axis]:
    """The axes and bins that the histograms of several evaluations share."""
    values = np.concatenate(list(several))
    count = int(np.clip(np.sqrt(len(several[0])) * 1.5, _FEWEST_BARS, _MOST_BARS))
    low = 0.0 if values.min() < 0.5 * values.max() else float(values.min())
    x = number_axis("AbsRel per image", low, float(values.max()))
    edges = np.linspace(x.low, x.high, count + 1)
    most = max(int(np.histogram(each, edges)[0].max()) for each in several)
    return x, edges, number_axis("images", 0, most, most=min(5, most))


def images_chart(values: Floats, axes: tuple[Axis, Floats, Axis], title: str, look: str) -> Chart:
    """A histogram of the AbsRel of images."""
    x, edges, y = axes
    counts = np.histogram(values, edges)[0]
    hints = [
        f"{low:.3f} to {high:.3f}: {count} {'image' if count == 1 else 'images'}"
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    ends = np.percentile(values, (0, 25, 50, 75, 100))
    alt = "Minimum {:.3f}, quartiles {:.3f}, {:.3f}, {:.3f}, maximum {:.3f}".format(*ends)
    middle = guide(x, y, (ends[2], ends[2]), (y.low, y.high))
    marks = (*bars(x, y, edges, counts, look, hints), Mark("guide broken", middle.path, "median"))
    return Chart(title, alt, x, y, marks, note=f"{alt}. The dashed line marks the median.")


def baseline_chart(
    abs_rel: Sequence[Mapping[str, float]], baseline: Mapping[str, float], named: Named
) -> Chart:
    """The AbsRel of each image against that of its true median; below the line the model wins."""
    xs = np.array(list(baseline.values()))
    values = [np.array([each[image] for image in baseline]) for each in abs_rel]
    most = max(float(each.max()) for each in (xs, *values))
    x = number_axis("AbsRel of the image-median baseline", 0.0, most)
    y = number_axis("AbsRel of the model", 0.0, most)
    marks, wins = [guide(x, y, (0, x.high), (0, y.high))], []
    for (name, look), ys in zip(named, values, strict=True):
        marks.append(line(x, y, xs, ys, look)[1])
        won = f"on {int((ys < xs).sum()):,} of {counted(len(ys), 'image')}"
        wins.append(f"by {name} {won}" if len(named) > 1 else won)
    alt = f"The baseline is beaten (points below the line) {', '.join(wins)}."
    legend = [(f"dots {look}", name) for name, look in named] if len(named) > 1 else ()
    note = f"{alt} {_coinciding(named, values, y)}".rstrip()
    return Chart("Each image against its baseline", alt, x, y, marks, legend, note)


def scatter_chart(tally: Tally, mode: str, farthest_m: float, title: str) -> Chart:
    """A two-dimensional histogram of predicted against true depth."""
    cells = getattr(tally, mode).cells
    group = 1 if farthest_m <= tally.max_m / 2 else 2  # coarser cells where more metres have to fit
    size = len(cells) // group
    cells = cells.reshape(size, group, size, group).sum(axis=(1, 3))
    x = number_axis("true depth (m)", 0.0, farthest_m, most=8)
    y = number_axis("predicted depth (m)", 0.0, farthest_m, most=8)
    shown = round(x.high / (tally.cell_m * group))
    edges = np.arange(shown + 1) * tally.cell_m * group
    inside = cells[:shown, :shown]
    height, end = 420.0, x.high
    marks = (
        *density(x, y, edges, edges, inside, height),
        guide(x, y, (0, end), (0, end), height),
        Mark("guide broken", guide(x, y, (0, end / 1.25), (0, end), height).path),
        Mark("guide broken", guide(x, y, (0, end), (0, end / 1.25), height).path),
    )
    outside = int(cells.sum() - inside.sum())
    left_out = f" {counted(outside, 'pixel')} outside the plotted range." if outside else ""
    near = int(getattr(tally, mode).near.sum())
    total = int(tally.readings.sum())
    alt = f"{near / total:.1%} of {total:,} pixels are predicted within a factor of 1.25"
    note = (
        f"Darker cells contain more pixels, on a logarithmic scale up to {int(inside.max()):,}. "
        f"Predictions on the solid line are exact.{left_out}"
    )
    legend = (("guide", "exact"), ("guide broken", "factor of 1.25"))
    return Chart(title, alt, x, y, marks, legend, note, height)


def _legend(named: Named, always: bool = False) -> list[tuple[str, str]]:
    if len(named) == 1 and not always:
        return []
    return [(f"line {look}", name) for name, look in named]


def _coinciding(named: Named, values: Sequence[Floats | Sequence[float]], y: Axis) -> str:
    """A sentence naming series whose lines coincide as drawn; empty if none do."""
    places = [row(y, each) for each in values]
    for place in places:
        together = [
            name
            for (name, _), other in zip(named, places, strict=True)
            if np.nanmax(np.abs(np.append(place - other, 0.0))) <= _SAME_PX
        ]
        if len(together) > 1:
            return f"The lines of {', '.join(together[:-1])} and {together[-1]} coincide."
    return ""


def _most(values: Sequence[npt.ArrayLike]) -> float:
    return max(float(np.nanmax(np.append(np.asarray(v, np.float64), 0.0))) for v in values) or 1.0
