"""Metres as 16-bit steps, never clipped."""

import numpy as np
from jaxtyping import Float, UInt16

from spd.errors import InputError
from spd.pixels import as_map, as_number

STEPS_PER_METRE = 1000
"""Steps of a millimetre, as most depth cameras write them."""

_MOST = int(np.iinfo(np.uint16).max)


def to_steps(
    depth_m: Float[np.ndarray, "h w"], steps_per_metre: float, *, what: str, remedy: str
) -> UInt16[np.ndarray, "h w"]:
    """Convert depth to steps; 0 means no depth (not finite, or not in front of the camera).

    Args:
        depth_m: metres.
        steps_per_metre: 1000 for millimetres.
        what: the name of the picture, for an error.
        remedy: what the user can do, for an error.

    Raises:
        InputError: if a depth is beyond 65,535 steps or below half a step, or the steps per metre
            are not a positive number, or it is no depth map.
    """
    depth_m = as_map(depth_m)
    expected = "steps per metre must be a positive number"
    steps_per_metre = as_number(steps_per_metre, expected)
    if not (np.isfinite(steps_per_metre) and steps_per_metre > 0):
        raise InputError(f"{expected}, got {steps_per_metre}")
    with np.errstate(invalid="ignore"):
        known = np.isfinite(depth_m) & (depth_m > 0)
    steps = np.rint(np.where(known, depth_m, 0).astype(np.float64) * steps_per_metre)
    if steps.max(initial=0) > _MOST or (steps[known] == 0).any():
        nearest, farthest = (float(end(depth_m[known])) for end in (np.min, np.max))
        raise InputError(
            f"{what}: depths from {nearest:.4g} to {farthest:.4g} m do not fit 16 bits at "
            f"{steps_per_metre:g} steps per metre, which cover {0.5 / steps_per_metre:.3g} to "
            f"{_MOST / steps_per_metre:.5g} m; choose a different number of steps ({remedy})"
        )
    return steps.astype(np.uint16)
