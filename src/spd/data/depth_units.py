"""Stored depth to metres. The stored type decides the unit unless somebody says otherwise."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float

from spd.errors import DataError

Unit = Literal["millimetre", "metre"] | float
PER_METRE = {"millimetre": 1000.0, "metre": 1.0}

_watcher: contextvars.ContextVar[list[np.ndarray] | None] = contextvars.ContextVar(
    "stored depth", default=None
)


@contextlib.contextmanager
def watch_stored() -> Iterator[list[np.ndarray]]:
    """The arrays that :func:`to_metres` is given in this block, as they are stored.

    For those who judge how depth is stored: metres no longer tell its type, NaN and sentinels.
    """
    seen: list[np.ndarray] = []
    token = _watcher.set(seen)
    try:
        yield seen
    finally:
        _watcher.reset(token)


def unit_of(stored: np.dtype, unit: Unit | None, name: str) -> Unit:
    """The unit of depth of this type: what was said, else millimetres for whole numbers.

    Raises:
        DataError: if the type has 8 bits, which cannot hold metres to any use.
    """
    if stored.itemsize == 1:
        raise DataError(
            f"{name} holds 8-bit depth, which has lost its metres; expected 16-bit millimetres or "
            "float metres"
        )
    if unit is not None:
        return unit
    return "metre" if np.issubdtype(stored, np.floating) else "millimetre"


def to_metres(stored: np.ndarray, unit: Unit | None, name: str) -> Float[np.ndarray, "h w"]:
    """Metres, float32; what is NaN, infinite or negative becomes 0, which is no reading.

    Args:
        stored: whole numbers or floats, `[H, W]`.
        unit: as for :func:`unit_of`.
        name: what messages call it.

    Raises:
        DataError: on 8-bit depth, or another shape than `[H, W]`.
    """
    if stored.ndim != 2:
        raise DataError(f"{name} must hold depth as [H, W], got {stored.shape}")
    seen = _watcher.get()
    if seen is not None:
        seen.append(stored)
    found = unit_of(stored.dtype, unit, name)
    per_metre = found if isinstance(found, float) else PER_METRE[found]
    depth_m = stored.astype(np.float32) / np.float32(per_metre)
    return np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, np.float32(0))
