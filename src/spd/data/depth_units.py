"""Conversion of stored depth to metres; the stored type gives the unit unless the user does."""

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
    """Collect the arrays passed to :func:`to_metres` in this block, in their stored type.

    Converted metres no longer show the type, NaN and special values of the file.
    """
    seen: list[np.ndarray] = []
    token = _watcher.set(seen)
    try:
        yield seen
    finally:
        _watcher.reset(token)


def unit_of(stored: np.dtype, unit: Unit | None, name: str) -> Unit:
    """Unit of depth of this type: `unit`, else metres for floats and millimetres for integers.

    Raises:
        DataError: if the type has 8 bits, too coarse for metres.
    """
    if stored.itemsize == 1:
        raise DataError(
            f"{name} contains 8-bit depth, which is too coarse for metric depth; expected 16-bit "
            "millimetres or float metres"
        )
    if unit is not None:
        return unit
    return "metre" if np.issubdtype(stored, np.floating) else "millimetre"


def unit_words(unit: Unit) -> str:
    """The unit in words: `millimetres`, `metres`, or `5000 units per metre`."""
    return f"{unit}s" if isinstance(unit, str) else f"{unit:g} units per metre"


def to_metres(stored: np.ndarray, unit: Unit | None, name: str) -> Float[np.ndarray, "h w"]:
    """Depth in metres, float32; NaN, infinite and negative values become 0, which means no reading.

    Args:
        stored: integers or floats, `[H, W]`.
        unit: unit of `stored`; None: see :func:`unit_of`.
        name: name in messages.

    Raises:
        DataError: on 8-bit depth, or another shape than `[H, W]`.
    """
    if stored.ndim != 2:
        raise DataError(f"{name} must contain depth as [H, W], got {stored.shape}")
    seen = _watcher.get()
    if seen is not None:
        seen.append(stored)
    found = unit_of(stored.dtype, unit, name)
    per_metre = found if isinstance(found, float) else PER_METRE[found]
    depth_m = stored.astype(np.float32) / np.float32(per_metre)
    return np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, np.float32(0))
