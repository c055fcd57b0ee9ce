"""Accuracy of metric depth as the NYU Depth V2 literature reports it.

Metrics are computed per image over its valid pixels and then averaged over images, as BTS,
NeWCRFs and ZoeDepth do; :func:`pooled` weighs every pixel equally instead. Nothing is aligned to
the truth here: a prediction that is 10 % too far everywhere has an AbsRel of 0.1. With
`d = ln p - ln g`, prediction `p` and truth `g`:

    abs_rel   mean |p - g| / g               rmse      sqrt mean (p - g)^2
    sq_rel    mean (p - g)^2 / g             rmse_log  sqrt mean d^2
    log10     mean |log10 p - log10 g|       silog     100 sqrt(mean d^2 - (mean d)^2)
    delta_k   share of pixels with max(p / g, g / p) < 1.25^k

Depth Anything V2 computes silog differently: sqrt(mean d^2 - 0.5 (mean d)^2), not times 100.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.metrics import Floats, Mask

MIN_DEPTH_M = 1e-3
"""Lower clamp of predictions; truth must exceed it to be scored."""
MAX_DEPTH_M = 10.0
"""Upper clamp of predictions, unless the data states another; truth beyond it is not scored."""

SILog = Literal["bts", "dav2"]
"""`bts`: 100 sqrt(mean d^2 - (mean d)^2); `dav2`: sqrt(mean d^2 - 0.5 (mean d)^2)."""


@dataclasses.dataclass(frozen=True, slots=True)
class DepthMetrics:
    """The nine metrics of one image, or their means over images, in a fixed order."""

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
    """Scale-invariant error: 100 times the standard deviation of `d`, or see :data:`SILog`."""
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
"""The names of the metrics in :class:`DepthMetrics`, in order."""


@dataclasses.dataclass(frozen=True, slots=True)
class PixelMeans:
    """Means over pixels from which all metrics follow; they can be pooled over images."""

    pixels: int
    """Number of pixels."""
    abs_rel: float
    """Mean |p - g| / g."""
    sq_rel: float
    """Mean (p - g)^2 / g."""
    squared: float
    """Mean (p - g)^2."""
    log10: float
    """Mean |log10 p - log10 g|."""
    mean_log: float
    """Mean of `d`."""
    variance_log: float
    """Mean (d - mean d)^2."""
    delta1: float
    delta2: float
    delta3: float

    def metrics(self, silog: SILog = "bts") -> DepthMetrics:
        """The nine metrics of these pixels."""
        mean_squared = self.mean_log**2
        return DepthMetrics(
            abs_rel=self.abs_rel,
            sq_rel=self.sq_rel,
            rmse=self.squared**0.5,
            rmse_log=(self.variance_log + mean_squared) ** 0.5,
            log10=self.log10,
            # mean d^2 - (mean d)^2 is the variance, which is taken without that cancellation.
            silog=(
                100 * self.variance_log**0.5
                if silog == "bts"
                else (self.variance_log + 0.5 * mean_squared) ** 0.5
            ),
            delta1=self.delta1,
            delta2=self.delta2,
            delta3=self.delta3,
        )


def clamp_prediction(
    predicted_m: npt.ArrayLike, *, above: bool = True, max_m: float = MAX_DEPTH_M
) -> Floats:
    """Clamp predictions to 1e-3..`max_m` in float64; infinity becomes `max_m` and NaN 1e-3 m.

    Args:
        predicted_m: metres.
        above: whether to clamp finite predictions beyond `max_m`; infinity always is.
        max_m: upper clamp in metres.
    """
    predicted = np.asarray(predicted_m, dtype=np.float64)
    finite = np.nan_to_num(predicted, nan=MIN_DEPTH_M, posinf=max_m, neginf=MIN_DEPTH_M)
    return np.clip(finite, MIN_DEPTH_M, max_m if above else None)


def within_range(truth_m: npt.ArrayLike, max_m: float = MAX_DEPTH_M) -> Mask:
    """Mask of the readings that are scored: 1e-3 < d <= `max_m`, so neither NaN nor infinity."""
    truth = np.asarray(truth_m)  # in its own precision: float32(1e-3) is not above 1e-3
    return (truth > MIN_DEPTH_M) & (truth <= max_m)


def depth_metrics(
    predicted_m: npt.ArrayLike,
    truth_m: npt.ArrayLike,
    silog: SILog = "bts",
    max_m: float = MAX_DEPTH_M,
) -> DepthMetrics:
    """The nine metrics of one image, in float64.

    Args:
        predicted_m: `[N]` predicted depth in metres; clamped by :func:`clamp_prediction`.
        truth_m: `[N]` measured depth in metres, valid readings only.
        silog: the formula of silog.
        max_m: upper clamp of predictions.

    Raises:
        DataError: if there are no pixels, lengths differ, or a truth is not finite and positive.
    """
    return pixel_means(clamp_prediction(predicted_m, max_m=max_m), truth_m).metrics(silog)


def pixel_means(predicted_m: npt.ArrayLike, truth_m: npt.ArrayLike) -> PixelMeans:
    """The pixel means of one image, in float64.

    Args:
        predicted_m: `[N]` predicted depth in metres, finite and above 0; clamp it first.
        truth_m: `[N]` measured depth in metres, valid readings only.

    Raises:
        DataError: as :func:`depth_metrics`, or if a prediction is not finite and positive.
    """
    predicted = np.asarray(predicted_m, dtype=np.float64)
    truth = np.asarray(truth_m, dtype=np.float64)
    _check(predicted, truth)
    error = predicted - truth
    d = np.log(predicted) - np.log(truth)
    ratio = np.maximum(predicted / truth, truth / predicted)
    return PixelMeans(
        pixels=len(truth),
        abs_rel=float(np.mean(np.abs(error) / truth)),
        sq_rel=float(np.mean(error**2 / truth)),
        squared=float(np.mean(error**2)),
        log10=float(np.mean(np.abs(d)) / np.log(10)),
        mean_log=float(np.mean(d)),
        variance_log=float(np.var(d)),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
    )


def pooled(parts: Sequence[PixelMeans]) -> PixelMeans:
    """The means over all pixels of several images, as of one large image.

    Raises:
        DataError: if there are no images.
    """
    if not parts:
        raise DataError("no images to average over; score at least one image")
    table = np.array([dataclasses.astuple(part) for part in parts])
    means = np.average(table, axis=0, weights=table[:, 0]).tolist()
    pixels = sum(part.pixels for part in parts)
    whole = PixelMeans(pixels, *means[1:])
    between = np.average((table[:, 5] - whole.mean_log) ** 2, weights=table[:, 0])
    return dataclasses.replace(whole, variance_log=whole.variance_log + float(between))


def mean_metrics(per_image: Sequence[DepthMetrics]) -> DepthMetrics:
    """The mean over images of each metric; every image has the same weight.

    Raises:
        DataError: if there are no images.
    """
    if not per_image:
        raise DataError("no images to average over; score at least one image")
    table = np.array([dataclasses.astuple(metrics) for metrics in per_image])
    return DepthMetrics(*(float(value) for value in table.mean(axis=0)))


def _check(predicted: Floats, truth: Floats) -> None:
    if predicted.ndim != 1 or predicted.shape != truth.shape:
        raise DataError(
            f"prediction and truth must be 1-D arrays of equal length, got {predicted.shape} and "
            f"{truth.shape}; read both at the same valid pixels"
        )
    if truth.size == 0:
        raise DataError("no pixels to score; expected at least one valid pixel, so skip this image")
    for what, depth_m in (("truth", truth), ("prediction", predicted)):
        bad = ~(np.isfinite(depth_m) & (depth_m > 0))
        if bad.any():
            index = int(np.argmax(bad))
            advice = "pass valid depth only" if what == "truth" else "clamp predictions first"
            raise DataError(f"{what}[{index}] is {depth_m[index]:g} m; {advice} (finite, above 0)")
