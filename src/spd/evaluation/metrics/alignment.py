"""Aligns a prediction to the truth before scoring, as some published tables do.

A model without metric scale can only be scored this way. Aligning a metric model removes its error
of scale, so the result does not measure metric accuracy. Each image is fitted separately, to the
scored pixels only, on predictions that are finite and not clamped:

    median                          p * median(g) / median(p)
    least squares                   a p + b with the least sum of (a p + b - g)^2
    least squares in inverse depth  1 / (a q + b) with the least sum of (a q + b - 1 / g)^2

where `q` is 1 / p, or the prediction itself of a model of inverse depth (disparity).
"""

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

from spd.evaluation.metrics import Floats
from spd.evaluation.metrics.accuracy import MIN_DEPTH_M

Alignment = Literal["none", "median", "least squares", "least squares in inverse depth"]
"""See above; `none` leaves predictions unchanged."""
Kind = Literal["metric", "relative-depth", "relative-disparity"]
"""Kind of prediction: metres, or depth or inverse depth up to scale and shift."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """The map from one image's predictions to metres."""

    scale: float = 1.0
    shift: float = 0.0
    inverse: bool = False
    """Whether scale and shift apply to inverse depth."""
    of_disparity: bool = False
    """Whether the predictions are inverse depth."""

    def apply(self, predictions: npt.ArrayLike) -> Floats:
        """Metres, not clamped: they may be 0 or less; inverse depth of 0 or less gives infinity."""
        values = np.asarray(predictions, dtype=np.float64)
        if not self.inverse:
            return self.scale * values + self.shift
        fitted = self.scale * (values if self.of_disparity else _inverted(values)) + self.shift
        metres = np.full(fitted.shape, np.inf)
        np.divide(1.0, fitted, out=metres, where=fitted > 0)
        return np.where(np.isnan(fitted), np.nan, metres)

    def not_positive(self, predictions: npt.ArrayLike) -> int:
        """The number of finite predictions whose fitted depth or inverse depth is 0 or less.

        They are scored as 1e-3 m, or as the cap where inverse depth was fitted.
        """
        values = np.asarray(predictions, dtype=np.float64)
        metres = self.apply(values)
        wrong = np.isposinf(metres) if self.inverse else metres <= 0
        return int((wrong & np.isfinite(values)).sum())


def fit(
    predictions: npt.ArrayLike, truth_m: npt.ArrayLike, alignment: Alignment, kind: Kind = "metric"
) -> Fit | None:
    """Fit one image to its truth.

    Args:
        predictions: `[N]` at the scored pixels.
        truth_m: `[N]` true depths there in metres, positive.
        alignment: the method.
        kind: what the model predicts.

    Returns:
        The fit; None if no prediction is finite, or their median is not above 0.
    """
    values, truth = np.asarray(predictions, np.float64), np.asarray(truth_m, np.float64)
    if alignment == "none":
        return Fit()
    finite = np.isfinite(values)
    values, truth = values[finite], truth[finite]
    if not len(values):
        return None
    if alignment == "median":
        middle = float(np.median(values))
        return Fit(scale=float(np.median(truth)) / middle) if middle > 0 else None
    if alignment == "least squares":
        return Fit(*least_squares(values, truth))
    disparity = kind == "relative-disparity"
    inverted = values if disparity else _inverted(values)
    return Fit(*least_squares(inverted, 1 / truth), inverse=True, of_disparity=disparity)


def least_squares(x: Floats, y: Floats) -> tuple[float, float]:
    """Scale and shift with the least sum of (scale x + shift - y)^2; scale 0 if x is constant.

    Subtracts the means first, which loses no digits where the spread is small.
    """
    x_mean, y_mean = float(x.mean()), float(y.mean())
    deviation = x - x_mean
    spread = float(deviation @ deviation)
    # All equal up to the rounding of their mean: the slope is undefined.
    if spread <= len(x) * (4 * np.finfo(np.float64).eps * abs(x_mean)) ** 2:
        return 0.0, y_mean
    scale = float(deviation @ (y - y_mean)) / spread
    return scale, y_mean - scale * x_mean


def _inverted(depth: Floats) -> Floats:
    """Inverse depth; depth below 1e-3 m is raised to it."""
    return 1 / np.maximum(depth, MIN_DEPTH_M)
