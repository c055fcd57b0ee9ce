"""Depth maps as 16-bit PNG in millimetres, where 0 means no reading."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from spd.data.depth_units import Unit, to_metres
from spd.errors import DataError
from spd.files import atomic_path

_MODES = {"L": "8-bit grey", "P": "8-bit palette", "RGB": "8-bit colour"}


def read_depth_png(path: Path, unit: Unit = "millimetre") -> Float[np.ndarray, "h w"]:
    """Depth in metres, float32, from a 16-bit PNG in `unit`; 0 means no reading.

    Raises:
        DataError: if the file is missing, damaged, or not 16-bit grey.
    """
    if not path.is_file():
        raise DataError(f"depth file {path} does not exist")
    try:
        with Image.open(path) as opened:
            mode = opened.mode
            stored = np.asarray(opened)
    except MemoryError:
        raise
    except Exception:  # a damaged file raises many types
        raise DataError(f"{path} is not a readable PNG; is the file complete?") from None
    if not mode.startswith("I") or stored.ndim != 2:
        raise DataError(
            f"{path} is {_MODES.get(mode, f'mode {mode}')}; expected 16-bit grey in millimetres, "
            "because 8 bits are too coarse for metric depth"
        )
    return to_metres(stored, unit, str(path))


def write_depth_png(depth_m: Float[np.ndarray, "h w"], path: Path) -> None:
    """Write depth in metres as millimetres, rounded; NaN, infinite and negative values become 0.

    Raises:
        DataError: if a depth exceeds 65.535 m, the largest value of 16 bits.
    """
    millimetres = np.nan_to_num(depth_m, nan=0.0, posinf=0.0, neginf=0.0).clip(min=0) * 1000.0
    if millimetres.max(initial=0) > np.iinfo(np.uint16).max:
        raise DataError(f"{path}: depth {depth_m.max():g} m cannot be stored in 16-bit millimetres")
    with atomic_path(path) as temporary:
        Image.fromarray(millimetres.round().astype(np.uint16)).save(temporary)
