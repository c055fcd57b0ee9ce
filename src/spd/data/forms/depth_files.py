"""Depth from the bytes of a file: PNG, TIFF or npy, with no conversion that could lose metres."""

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from spd.data.depth_units import Unit, to_metres, unit_of
from spd.errors import DataError, InputError
from spd.photos.reading import read_image

NPY = b"\x93NUMPY"
EXPECTED = "expected 16-bit PNG in millimetres, or float TIFF or npy in metres"


def read_depth_file(path: Path, unit: Unit | None = None) -> Float[np.ndarray, "h w"]:
    """Metres, float32, from a depth file; see :func:`decode_depth`."""
    return decode_depth(_bytes_of(path), unit, str(path))


def decode_depth(data: bytes, unit: Unit | None, name: str) -> Float[np.ndarray, "h w"]:
    """Metres, float32; 0 is no reading.

    Args:
        data: the bytes of a file; what they begin with decides its format, not its name.
        unit: of what is stored; by default millimetres for whole numbers and metres for floats.
        name: what messages call it.

    Raises:
        DataError: if they are damaged, truncated, 8-bit, or of more than one channel.
    """
    stored, _ = _decode(data, name)
    unit_of(stored.dtype, unit, name)  # 8-bit colour is refused for its bits, not its shape
    return to_metres(stored, unit, name)


def describe_depth_file(path: Path, unit: Unit | None = None) -> str:
    """How a depth file stores its depth, such as `16-bit PNG, millimetres`."""
    return describe_depth(_bytes_of(path), unit, str(path))


def describe_depth(data: bytes, unit: Unit | None, name: str) -> str:
    """Likewise, for the bytes of a file."""
    stored, kind = _decode(data, name)
    return f"{type_words(stored.dtype)} {kind}, {unit_words(unit_of(stored.dtype, unit, name))}"


def type_words(dtype: np.dtype) -> str:
    """`float32`, or `16-bit` for whole numbers."""
    return dtype.name if dtype.kind == "f" else f"{8 * dtype.itemsize}-bit"


def unit_words(unit: Unit) -> str:
    """`millimetres`, `metres`, or `5000 to the metre`."""
    return f"{unit}s" if isinstance(unit, str) else f"{unit:g} to the metre"


def decode_image(data: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """An upright RGB image from the bytes of a file.

    Raises:
        DataError: if they are no image, or damaged.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return read_image(opened)
    except InputError as error:
        raise DataError(f"{name}: {error}") from None
    except (OSError, Image.DecompressionBombError):
        raise DataError(f"{name} is not an image that can be read") from None


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot read depth file {path}: {reason}") from None


def _decode(data: bytes, name: str) -> tuple[np.ndarray, str]:
    """What is stored, as it is stored, and the kind of file."""
    stored, kind = _decode_npy(data, name) if data.startswith(NPY) else _decode_image(data, name)
    if stored.dtype.kind not in "uifb":
        raise DataError(f"{name} holds {stored.dtype}, which is no depth; {EXPECTED}")
    return stored, kind


def _decode_npy(data: bytes, name: str) -> tuple[np.ndarray, str]:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False), "npy"
    except (ValueError, EOFError, OSError):
        raise DataError(f"{name} is not a npy file that can be read; is it complete?") from None


def _decode_image(data: bytes, name: str) -> tuple[np.ndarray, str]:
    try:
        # Pillow warns of a truncated TIFF before it fails; the one line below says it.
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),
            Image.open(io.BytesIO(data)) as opened,
        ):
            return np.asarray(opened), str(opened.format)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise DataError(
            f"{name} is not a depth file that can be read; is it complete? {EXPECTED}"
        ) from None
