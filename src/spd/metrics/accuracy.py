"""Accuracy of metric depth as the NYU Depth V2 literature reports it.

Numbers are taken per image over its valid pixels and then averaged over images, the way BTS,
NeWCRFs and ZoeDepth do it. Nothing is aligned to the truth first: a prediction that is 10 % too
far everywhere has an AbsRel of 0.1. With `d = ln p - ln g`, prediction `p` and truth `g`:

    abs_rel   mean |p - g| / g               rmse      sqrt mean (p - g)^2
    sq_rel    mean (p - g)^2 / g             rmse_log  sqrt mean d^2
    log10     mean |log10 p - log10 g|       silog     100 sqrt(mean d^2 - (mean d)^2)
    delta_k   share of pixels with max(p / g, g / p) < 1.25^k
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spd.errors import DataError

MIN_DEPTH_M = 1e-3
"""Predictions are clamped to no less than this, and truth must exceed it to be scored."""
MAX_DEPTH_M = 10.0
"""Predictions are clamped to no more than this, and truth beyond it is not scored."""


@dataclasses.dataclass(frozen=True, slots=True)
class DepthMetrics:
    """The nine numbers of one image, or their means over images; the order is fixed."""

    abs_rel: float
    """Mean absolute error relative to the truth."""
    sq_rel: float
    """Mean squared error relative to the truth, in metres."""
    rmse: float
    """Root mean squared error, in metres."""
    rmse_log: float
    """Root mean squared difference of natural logarithms."""
    log10: float
    """Mean absolute difference of decimal logarithms."""
    silog: float
    """Scale-invariant error: 100 times the standard deviation of `d`."""
    delta1: float
    """Share of pixels within a factor of 1.25, exclusive."""
    delta2: float
    """Share of pixels within a factor of 1.25^2, exclusive."""
    delta3: float
    """Share of pixels within a factor of 1.25^3, exclusive."""

    def to_dict(self) -> dict[str, float]:
        """Plain data, in the order of the fields."""
        return dataclasses.asdict(self)


METRIC_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(DepthMetrics))
"""The names of the numbers in :class:`DepthMetrics`, in order."""


def clamp_prediction(predicted_m: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Predictions as they are scored: float64 in 1e-3..10 m; infinity to 10, NaN to 1e-3."""
    predicted = np.asarray(predicted_m, dtype=np.float64)
    return np.clip(np.nan_to_num(predicted, nan=MIN_DEPTH_M), MIN_DEPTH_M, MAX_DEPTH_M)


def within_range(truth_m: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which ground-truth readings are scored: 1e-3 < d <= 10 m; NaN and infinity are not."""
    truth = np.asarray(truth_m)  # in its own precision: float32(1e-3) is not above 1e-3
    return (truth > MIN_DEPTH_M) & (truth <= MAX_DEPTH_M)


def depth_metrics(predicted_m: npt.ArrayLike, truth_m: npt.ArrayLike) -> DepthMetrics:
    """The nine numbers of one image, in float64.

    Args:
        predicted_m: `[N]` predicted depth in metres; clamped by :func:`clamp_prediction`.
        truth_m: `[N]` measured depth in metres, valid readings only.

    Raises:
        DataError: if there is no pixel, the lengths differ, or a truth is not finite and positive.
    """
    predicted, truth = clamp_prediction(predicted_m), np.asarray(truth_m, dtype=np.float64)
    _check(predicted, truth)
    error = predicted - truth
    d = np.log(predicted) - np.log(truth)
    ratio = np.maximum(predicted / truth, truth / predicted)
    return DepthMetrics(
        abs_rel=float(np.mean(np.abs(error) / truth)),
        sq_rel=float(np.mean(error**2 / truth)),
        rmse=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean(d**2))),
        log10=float(np.mean(np.abs(np.log10(predicted) - np.log10(truth)))),
        # The standard deviation is mean d^2 - (mean d)^2 under the root without its cancellation.
        silog=float(100 * np.std(d)),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
    )


def mean_metrics(per_image: Sequence[DepthMetrics]) -> DepthMetrics:
    """The mean over images of each number; every image counts the same, whatever its pixels.

    Raises:
        DataError: if there is no image.
    """
    if not per_image:
        raise DataError("no image to average over: score at least one image")
    table = np.array([dataclasses.astuple(metrics) for metrics in per_image])
    return DepthMetrics(*(float(value) for value in table.mean(axis=0)))


def _check(predicted: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> None:
    if predicted.ndim != 1 or predicted.shape != truth.shape:
        raise DataError(
            f"prediction and truth must be 1-D of one length, got {predicted.shape} and "
            f"{truth.shape}; read both at the same valid pixels"
        )
    if truth.size == 0:
        raise DataError("no pixel to score: expected at least one valid reading; skip this image")
    bad = ~(np.isfinite(truth) & (truth > 0))
    if bad.any():
        index = int(np.argmax(bad))
        raise DataError(
            f"truth at {index} is {truth[index]:g} m; pass valid readings only (finite, above 0)"
        )
