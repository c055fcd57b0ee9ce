"""Signs that measured distances are not in metres, or that one of them is wrong."""

import math

import numpy as np
from jaxtyping import Float

CONTRADICTION = 1.5
"""Ratio of the factors of two distances above which they contradict each other; errors of 20 % at
both points, in opposite directions, give this ratio."""
_DOUBTFUL = 3.0  # factor beyond which a unit is likelier to be wrong than the model
_UNITS_M = {
    "millimetres": 0.001,
    "centimetres": 0.01,
    "inches": 0.0254,
    "feet": 0.3048,
    "kilometres": 1000.0,
}


def factor_warnings(scale: float) -> tuple[str, ...]:
    """Warning about a calibration's factor that a wrong unit explains better than the model."""
    if 1 / _DOUBTFUL <= scale <= _DOUBTFUL:
        return ()
    units = _unit_hints(scale, 1.0, "they were")
    text = (
        f"the calibration multiplies depth by {scale:.4g}: were the measured distances in "
        f"metres{units or ', and at these pixels'}?"
    )
    return (text,)


def distance_warnings(
    points: Float[np.ndarray, "n 2"],
    known_m: Float[np.ndarray, " n"],
    predicted_m: Float[np.ndarray, " n"],
) -> list[str]:
    """Warnings about distances whose factor is far from the median of all.

    Of two distances neither is the outlier, so the warning names both.
    """
    factors = known_m / predicted_m
    if len(factors) == 2 and factors.max() / factors.min() > CONTRADICTION:
        (u, v), (u2, v2) = points
        return [
            f"the two distances contradict each other: {known_m[0]:g} m at ({u:g}, {v:g}) implies "
            f"a factor of {factors[0]:.4g}, and {known_m[1]:g} m at ({u2:g}, {v2:g}) one of "
            f"{factors[1]:.4g}; check both, and measure a third"
        ]
    usual = float(np.median(factors))
    apart = np.abs(np.log(factors / usual))
    return [
        f"the distance {known_m[n]:g} m at ({points[n, 0]:g}, {points[n, 1]:g}) implies a factor "
        f"of {factors[n]:.4g}, but all together {usual:.4g}; is it in metres"
        f"{_unit_hints(factors[n], usual, 'it was') or ', and is the pixel right'}?"
        for n in np.flatnonzero(apart > math.log(_DOUBTFUL))
        if len(factors) > 2
    ]


def _unit_hints(factor: float, usual: float, subject: str) -> str:
    """Units in which a distance would have about the usual factor, as the end of a question."""
    return "".join(
        f"; if {subject} in {unit}, the factor is {factor * metres:.3g}"
        for unit, metres in _UNITS_M.items()
        if 1 / _DOUBTFUL <= factor * metres / usual <= _DOUBTFUL
    )
