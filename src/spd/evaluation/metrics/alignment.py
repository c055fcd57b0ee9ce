"""Aligning a prediction to the truth before it is scored, as some published tables do.

A model without metric scale can only be scored so; a metric model that is aligned is forgiven its
worst error, so its numbers are no metric accuracy. Each image is fitted by itself, to the scored
pixels alone, on predictions that are finite and not clamped:

    median                          p * median(g) / median(p)
    least squares                   a p + b with the least sum of (a p + b - g)^2
    least squares in inverse depth  1 / (a q + b) with the least sum of (a q + b - 1 / g)^2

where `q` is 1 / p, or the answer itself of a model that predicts inverse depth (disparity).
"""

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

from spd.evaluation.metrics.accuracy import MIN_DEPTH_M

Alignment = Literal["none", "median", "least squares", "least squares in inverse depth"]
"""See above; `none` takes predictions as they are."""
Kind = Literal["metric", "relative-depth", "relative-disparity"]
"""What a model answers: metres; depth up to scale and shift; inverse depth up to both."""

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """How one image's answers become metres."""

    scale: float = 1.0
    shift: float = 0.0
    inverse: bool = False
    """Whether scale and shift are of inverse depth."""
    of_disparity: bool = False
    """Whether the answers are inverse depth."""

    def apply(self, answers: npt.ArrayLike) -> Floats:
        """Metres, not clamped: 0 or less may come out, and infinity where inverse depth is."""
        values = np.asarray(answers, dtype=np.float64)
        if not self.inverse:
            return self.scale * values + self.shift
        fitted = self.scale * (values if self.of_disparity else _inverted(values)) + self.shift
        metres = np.full(fitted.shape, np.inf)
        np.divide(1.0, fitted, out=metres, where=fitted > 0)
        return np.where(np.isnan(fitted), np.nan, metres)

    def not_positive(self, answers: npt.ArrayLike) -> int:
        """How many answers are finite and have, once fitted, a depth or inverse depth of 0 or less.

        They are scored at 1e-3 m, or at 10 m where inverse depth was fitted.
        """
        values = np.asarray(answers, dtype=np.float64)
        metres = self.apply(values)
        wrong = np.isposinf(metres) if self.inverse else metres <= 0
        return int((wrong & np.isfinite(values)).sum())


def fit(
    answers: npt.ArrayLike, truth_m: npt.ArrayLike, alignment: Alignment, kind: Kind = "metric"
) -> Fit | None:
    """The alignment of one image.

    Args:
        answers: `[N]` what the model said at the scored pixels.
        truth_m: `[N]` metres there, positive.
        alignment: which.
        kind: what the model says.

    Returns:
        The fit; None where there is none: no answer is finite, or their median is not above 0.
    """
    values, truth = np.asarray(answers, np.float64), np.asarray(truth_m, np.float64)
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
    """Scale and shift with the least sum of (scale x + shift - y)^2; scale 0 where x is constant.

    Deviations are taken from the means first, which loses no digits where the spread is small.
    """
    x_mean, y_mean = float(x.mean()), float(y.mean())
    deviation = x - x_mean
    spread = float(deviation @ deviation)
    # All equal up to the rounding of their mean: no slope can be told.
    if spread <= len(x) * (4 * np.finfo(np.float64).eps * abs(x_mean)) ** 2:
        return 0.0, y_mean
    scale = float(deviation @ (y - y_mean)) / spread
    return scale, y_mean - scale * x_mean


def _inverted(depth: Floats) -> Floats:
    """Inverse depth, what is nearer than 1e-3 m counting as there."""
    return 1 / np.maximum(depth, MIN_DEPTH_M)
