"""Metres as 16-bit steps: never 8 bits, never clipped."""

import numpy as np
from jaxtyping import Float, UInt16

from spd.errors import InputError

STEPS_PER_METRE = 1000
"""Millimetres, as NYU, TUM and most cameras have it."""

_MOST = int(np.iinfo(np.uint16).max)


def to_steps(
    depth_m: Float[np.ndarray, "h w"], steps_per_metre: float, *, what: str, remedy: str
) -> UInt16[np.ndarray, "h w"]:
    """Depth in steps; 0 stands for no reading (not finite, or not in front of the camera).

    Args:
        depth_m: metres.
        steps_per_metre: how many steps make a metre; 1000 is millimetres.
        what: the picture that they are for, for the message of an error.
        remedy: what else can be done, likewise.

    Raises:
        InputError: if a depth is beyond 65,535 steps, or nearer than half of one; or the steps are
            no positive number.
    """
    if not (np.isfinite(steps_per_metre) and steps_per_metre > 0):
        raise InputError(f"steps a metre must be a positive number, got {steps_per_metre}")
    with np.errstate(invalid="ignore"):
        known = np.isfinite(depth_m) & (depth_m > 0)
    steps = np.rint(np.where(known, depth_m, 0).astype(np.float64) * steps_per_metre)
    if steps.max(initial=0) > _MOST or (steps[known] == 0).any():
        nearest, farthest = (float(end(depth_m[known])) for end in (np.min, np.max))
        raise InputError(
            f"{what}: depths from {nearest:.4g} to {farthest:.4g} m do not fit 16 bits at "
            f"{steps_per_metre:g} steps a metre, which hold {0.5 / steps_per_metre:.3g} to "
            f"{_MOST / steps_per_metre:.5g} m; choose other steps ({remedy})"
        )
    return steps.astype(np.uint16)
