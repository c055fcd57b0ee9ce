"""Images and depth maps from files and bytes; depth from PNG, TIFF or npy without rounding."""

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from spd.data.depth_units import Unit, to_metres, unit_of, unit_words
from spd.errors import DataError, InputError
from spd.photos.reading import RGBImage, read_image

NPY = b"\x93NUMPY"
EXPECTED = "expected a 16-bit PNG in millimetres, or a float TIFF or .npy file in metres"


def read_image_file(path: Path) -> RGBImage:
    """Upright RGB image, uint8 `[H, W, 3]`.

    Raises:
        DataError: if the file is missing, damaged or not an image.
    """
    try:
        return read_image(path)
    except InputError as error:
        raise DataError(str(error)) from None


def decode_image(data: bytes, name: str) -> RGBImage:
    """Upright RGB image, uint8 `[H, W, 3]`, from the bytes of a file.

    Raises:
        DataError: if they are damaged or not an image.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return read_image(opened)
    except InputError as error:
        raise DataError(f"{name}: {error}") from None
    except MemoryError:
        raise
    except Exception:  # a damaged file raises many types
        raise DataError(f"{name} is not a readable image") from None


def read_bytes(path: Path) -> bytes:
    """Bytes of a depth file.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot read depth file {path}: {reason}") from None


def decode_depth(data: bytes, unit: Unit | None, name: str) -> Float[np.ndarray, "h w"]:
    """Depth in metres, float32, where 0 means no reading.

    Args:
        data: bytes of a file; its first bytes give the format, whatever its name.
        unit: unit of the stored values; None: millimetres for integers, metres for floats.
        name: name in messages.

    Raises:
        DataError: if the data are damaged, truncated, 8-bit, or have more than one channel.
    """
    stored, _ = _decode(data, name)
    unit_of(stored.dtype, unit, name)  # refuses 8-bit colour for its bits rather than its shape
    return to_metres(stored, unit, name)


def describe_depth(data: bytes, unit: Unit | None, name: str) -> str:
    """Type, format and unit of a depth file, such as `16-bit PNG, millimetres`."""
    stored, kind = _decode(data, name)
    return f"{type_words(stored.dtype)} {kind}, {unit_words(unit_of(stored.dtype, unit, name))}"


def type_words(dtype: np.dtype) -> str:
    """The type in words: `float32`, or `16-bit` for integers."""
    return dtype.name if dtype.kind == "f" else f"{8 * dtype.itemsize}-bit"


def _decode(data: bytes, name: str) -> tuple[np.ndarray, str]:
    """Array in its stored type, and the name of the file format."""
    stored, kind = _decode_npy(data, name) if data.startswith(NPY) else _decode_image(data, name)
    if stored.dtype.kind not in "uifb":
        raise DataError(
            f"{name} contains values of type {stored.dtype}, which cannot be depth; {EXPECTED}"
        )
    return stored, kind


def _decode_npy(data: bytes, name: str) -> tuple[np.ndarray, str]:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False), "npy"
    except Exception:  # a damaged header raises many types
        raise DataError(f"{name} is not a readable .npy file; is the file complete?") from None


def _decode_image(data: bytes, name: str) -> tuple[np.ndarray, str]:
    try:
        # Pillow warns about a truncated TIFF before it fails; our error is enough.
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),
            Image.open(io.BytesIO(data)) as opened,
        ):
            return np.asarray(opened), str(opened.format)
    except MemoryError:
        raise
    except Exception:  # a damaged file raises many types
        raise DataError(
            f"{name} is not a readable depth file; is the file complete? {EXPECTED}"
        ) from None
