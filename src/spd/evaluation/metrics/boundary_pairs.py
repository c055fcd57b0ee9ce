"""Boundary F1 by depth ratio, over pairs of nearby pixels.

A pair of pixels is a boundary at threshold t if the second is more than t times as deep as the
first. Only the ratio matters, so a constant factor of the prediction has no effect. Two published
forms differ in the pairs and in how they count them:

    Depth Pro   the four neighbours of each pixel; precision and recall per direction, then the
                mean of the four; F1 per t; weights t / sum t
    MoGe        all pixels of a disc around each pixel that lies at least its radius inside the
                map; pairs of all directions in one count; weights (t - 1) / sum (t - 1)

Both use t = 1.05 .. 1.25 in ten steps, and only pairs of two readings. A floor seen at a low angle
is a boundary too where its depth changes by 5 % within a pair, which happens in the larger discs:
compare models, not radii.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spd.evaluation.metrics import Floats, Mask

RATIOS: Floats = np.linspace(1.05, 1.25, 10)
"""Thresholds that the ratio of a boundary exceeds."""
FOUR_NEIGHBOURS: tuple[tuple[int, int], ...] = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""(row, column) offsets from a pixel to the other pixel of each pair."""


class RatioScores(NamedTuple):
    """Weighted means over the thresholds; all None where the truth has no boundary at any."""

    precision: float | None
    """Share of the predicted boundaries that are true; 0 where none is predicted."""
    recall: float | None
    """Share of the true boundaries that are predicted."""
    f1: float | None
    """Weighted mean of each threshold's F1; not the harmonic mean of the two above."""


def neighbour_scores(predicted_m: Floats, truth_m: Floats, valid: Mask) -> RatioScores:
    """Depth Pro's scale-invariant boundary F1, and the precision and recall in it.

    As published, a direction without a true boundary counts as 0: a perfect prediction of a single
    vertical edge scores 0.25. Objects in a photo have edges in all four directions.

    Args:
        predicted_m: `[H, W]` positive depth; ignored outside `valid`.
        truth_m: `[H, W]` positive depth.
        valid: `[H, W]` mask of the readings in `truth_m`.
    """
    counts = [_count(predicted_m, truth_m, valid, offset) for offset in FOUR_NEIGHBOURS]
    return _scores(np.stack(counts), RATIOS)


def disc_scores(predicted_m: Floats, truth_m: Floats, valid: Mask, radius_px: int) -> RatioScores:
    """MoGe's boundary F1 at one radius; arguments as for :func:`neighbour_scores`."""
    counts = [
        _count(predicted_m, truth_m, valid, offset, margin=radius_px) for offset in disc(radius_px)
    ]
    return _scores(np.sum(counts, axis=0)[None], RATIOS - 1)


def disc(radius_px: int) -> list[tuple[int, int]]:
    """(row, column) offsets in a disc without its centre: 4, 12, 28 for radii 1, 2, 3."""
    steps = range(-radius_px, radius_px + 1)
    return [(y, x) for y in steps for x in steps if 0 < y * y + x * x <= radius_px * radius_px]


def _count(
    predicted_m: Floats, truth_m: Floats, valid: Mask, offset: tuple[int, int], margin: int = 0
) -> npt.NDArray[np.int64]:
    """`[3, T]`: predicted, true and common boundaries of one direction at each threshold."""
    first, second = _pair(valid.shape, offset, margin)
    readings = valid[first] & valid[second]
    predicted, truth = (depth_m[second] / depth_m[first] for depth_m in (predicted_m, truth_m))
    some = readings & ((predicted > RATIOS[0]) | (truth > RATIOS[0]))
    # The number of thresholds that a pair exceeds; a common boundary exceeds them in both maps.
    predicted, truth = (np.searchsorted(RATIOS, ratio[some]) for ratio in (predicted, truth))
    levels = (predicted, truth, np.minimum(predicted, truth))
    return np.stack([_exceeding(level) for level in levels])


def _pair(
    shape: Sequence[int], offset: tuple[int, int], margin: int
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the first and second pixels of all pairs; the first stay off the border."""
    first, second = [], []
    for size, step in zip(shape, offset, strict=True):
        start = max(margin, -step)
        stop = max(start, size - max(margin, step))
        first.append(slice(start, stop))
        second.append(slice(start + step, stop + step))
    return tuple(first), tuple(second)


def _exceeding(level: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`[T]` number of pairs that exceed each threshold."""
    each = np.bincount(level, minlength=len(RATIOS) + 1)
    return each[::-1].cumsum()[::-1][1:]


def _scores(counts: npt.NDArray[np.int64], weights: Floats) -> RatioScores:
    """Scores from `[D, 3, T]` counts of D directions of equal weight."""
    predicted, truth, common = counts.transpose(1, 0, 2)
    if not truth.any():
        return RatioScores(None, None, None)
    precision = (common / np.maximum(predicted, 1)).mean(axis=0)
    recall = (common / np.maximum(truth, 1)).mean(axis=0)
    # Where both are 0 so is the product; any divisor but 0 gives the published F1 of 0.
    f1 = 2 * precision * recall / np.where(precision + recall > 0, precision + recall, 1)
    share = weights / weights.sum()
    return RatioScores(*(float(share @ values) for values in (precision, recall, f1)))
