"""Boundary metrics of both modes from whole maps, averaged over the images that have each."""

import dataclasses
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from spd.evaluation.metrics.alignment import Fit
from spd.evaluation.metrics.boundary import BOUNDARY_NAMES, boundary_scores
from spd.evaluation.metrics.boundary_distance import REACH_PX
from spd.evaluation.predictions import ImageMaps, ImagePredictions
from spd.evaluation.protocols import EIGEN_CROP, Protocol, Size

Numbers = dict[str, float | None]


@dataclasses.dataclass(frozen=True, slots=True)
class ModeBoundaries:
    """The boundary metrics of one image; a number is None where the truth has no such edge."""

    size: Size
    """(height, width) of the compared maps."""
    sparse: Numbers | None
    """Every pixel queried; None where only the dense map was requested."""
    dense: Numbers
    """The dense map."""

    def to_row(self) -> Numbers:
        """The columns of `per_image.csv`."""
        columns: Numbers = {f"dense_{name}": value for name, value in self.dense.items()}
        if self.sparse is not None:
            columns |= {f"sparse_{name}": value for name, value in self.sparse.items()}
        return columns


@dataclasses.dataclass(frozen=True, slots=True)
class BoundaryMeans:
    """The boundary metrics of a data set."""

    sizes: tuple[Size, ...]
    """Every (height, width) of the compared maps; usually one."""
    images: int
    """Images with whole maps."""
    counts: dict[str, int]
    """Images that each number is averaged over: those whose truth has such edges."""
    sparse: Numbers | None
    """Means; None unless every image has sparse maps."""
    dense: Numbers
    """Means."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self) | {"sizes": [f"{h}x{w}" for h, w in self.sizes]}


def boundaries_of(
    maps: ImageMaps, predictions: ImagePredictions, protocol: Protocol, fits: tuple[Fit, Fit]
) -> ModeBoundaries:
    """The boundary metrics of one image inside a protocol's crop and range."""
    top, bottom, left, right = EIGEN_CROP if protocol.crop == "eigen" else predictions.seen
    row, column = predictions.seen[0], predictions.seen[2]
    part = (slice(top - row, bottom - row), slice(left - column, right - column))
    truth_m = maps.truth_m[part]
    valid = truth_m > protocol.min_m
    valid &= truth_m <= protocol.max_m if protocol.max_counts else truth_m < protocol.max_m
    numbers = [
        boundary_scores(fitted.apply(depth_m[part]), truth_m, valid).to_dict()
        if depth_m is not None
        else None
        for fitted, depth_m in zip(fits, (maps.sparse_m, maps.dense_m), strict=True)
    ]
    assert numbers[1] is not None  # the dense map is always there
    return ModeBoundaries((truth_m.shape[0], truth_m.shape[1]), numbers[0], numbers[1])


def mean_boundaries(images: Sequence[ModeBoundaries | None]) -> BoundaryMeans | None:
    """Means over the images that have each number; None if no image has maps."""
    found = [image for image in images if image is not None]
    if not found:
        return None
    sparse = [image.sparse for image in found if image.sparse is not None]
    dense = [image.dense for image in found]
    return BoundaryMeans(
        sizes=tuple(dict.fromkeys(image.size for image in found)),
        images=len(found),
        counts={name: len(_values(dense, name)) for name in BOUNDARY_NAMES},
        sparse=_means(sparse) if len(sparse) == len(found) else None,
        dense=_means(dense),
    )


def _means(images: Sequence[Numbers]) -> Numbers:
    values = {name: _values(images, name) for name in BOUNDARY_NAMES}
    return {name: float(np.mean(known)) if known else None for name, known in values.items()}


def _values(images: Sequence[Numbers], name: str) -> list[float]:
    return [value for numbers in images if (value := numbers[name]) is not None]


def format_boundaries(means: BoundaryMeans) -> list[str]:
    """Lines for a terminal."""
    sizes = ", ".join(f"{height}x{width}" for height, width in means.sizes)
    lines = [f"boundary metrics of {sizes} maps, over images whose ground truth has such edges:"]
    lines.append(f"{'':<31}{'images':>7}  {'better':<6}{'sparse':>9}{'dense':>9}")
    for name in BOUNDARY_NAMES:
        values = [
            "-" if numbers is None or (value := numbers[name]) is None else f"{value:.4f}"
            for numbers in (means.sparse, means.dense)
        ]
        better = "lower" if name.endswith("_px") else "higher"
        lines.append(f"{name:<31}{means.counts[name]:>7}  {better:<6}{values[0]:>9}{values[1]:>9}")
    without_edges = [
        mode
        for mode, numbers in (("sparse", means.sparse), ("dense", means.dense))
        if numbers is not None and _finds_no_edge(numbers)
    ]
    if without_edges:
        words = (
            f"{' and '.join(without_edges)}: no edges are predicted where the ground truth "
            f"has edges, so precision, recall and F1 are 0 or nearly 0, and distances are at "
            f"their maximum of {REACH_PX:g} px"
        )
        lines += textwrap.wrap(words, 80, subsequent_indent="  ")
    return lines


def _finds_no_edge(numbers: Numbers) -> bool:
    """Whether no predicted edge matches a true one: no neighbour pair, none within 10 px."""
    shares = [numbers[name] for name in BOUNDARY_NAMES if name.startswith("si_")]
    distances = [numbers[name] for name in BOUNDARY_NAMES if name.endswith("_px")]
    known = [value for value in (*shares, *distances) if value is not None]
    return bool(known) and not any(shares) and all(d in (None, REACH_PX) for d in distances)
