"""Images and depth maps from files and bytes; depth from PNG, TIFF or npy without rounding."""

import io
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from PIL.PpmImagePlugin import PpmImageFile

from spd.data.depth_units import Unit, to_metres, unit_of, unit_words
from spd.data.formats.pair_names import role_of
from spd.errors import DataError, InputError, listed, shortened
from spd.photos.limits import MAX_PIXELS
from spd.photos.reading import RGBImage, read_image

NPY = b"\x93NUMPY"
ZIP = b"PK\x03\x04"  # an .npz file is a zip archive
EXR = b"\x76\x2f\x31\x01"
EXPECTED = "expected a 16-bit PNG in millimetres, or a float TIFF or .npy file in metres"
_MOST_ARRAY_BYTES = 8 * MAX_PIXELS + 1024


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
    if data.startswith(EXR):
        raise DataError(
            f"{name} is an OpenEXR file, which SPD does not read; save its depth with numpy.save "
            "as .npy, in metres along the optical axis"
        )
    if data.startswith(NPY):
        stored, kind = _decode_npy(data, name), "npy"
    elif data.startswith(ZIP):
        stored, kind = _decode_npz(data, name), "npz"
    else:
        stored, kind = _decode_image(data, name)
    if stored.dtype.kind not in "uifb":
        raise DataError(
            f"{name} contains values of type {stored.dtype}, which cannot be depth; {EXPECTED}"
        )
    return stored, kind


def _decode_npy(data: bytes, name: str) -> np.ndarray:
    try:
        return _one_channel(np.load(io.BytesIO(data), allow_pickle=False))
    except Exception:  # a damaged header raises many types
        raise DataError(f"{name} is not a readable .npy file; is the file complete?") from None


def _decode_npz(data: bytes, name: str) -> np.ndarray:
    """The only array of the file, or the only one whose name says depth."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            chosen = _depth_array([member.removesuffix(".npy") for member in sizes], name)
            if sizes[f"{chosen}.npy"] > _MOST_ARRAY_BYTES:
                raise DataError(f"{name}: the array {chosen} is too large for a depth map")
            stored = archive.read(f"{chosen}.npy")
    except DataError:
        raise
    except Exception:  # a damaged archive raises many types
        raise DataError(f"{name} is not a readable .npz file; is the file complete?") from None
    return _decode_npy(stored, f"{name}: the array {chosen}")


def _depth_array(names: Sequence[str], where: str) -> str:
    named = [name for name in names if name.lower() == "depth"] or [
        name for name in names if role_of(name)[0] == "depth"
    ]
    for found in (names, named):
        if len(found) == 1:
            return found[0]
    raise DataError(
        f"{where} contains the arrays {listed([shortened(name) for name in names], 8) or 'none'}; "
        "expected one array, or one named depth; save the depth under that name"
    )


def _one_channel(stored: np.ndarray) -> np.ndarray:
    """Depth `[H, W]` also from `[H, W, 1]` and `[1, H, W]`."""
    while stored.ndim > 2 and 1 in (stored.shape[0], stored.shape[-1]):
        stored = stored[0] if stored.shape[0] == 1 else stored[..., 0]
    return stored


def _decode_image(data: bytes, name: str) -> tuple[np.ndarray, str]:
    try:
        # Pillow warns about a truncated TIFF before it fails; our error is enough.
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),
            Image.open(io.BytesIO(data)) as opened,
        ):
            if isinstance(opened, PpmImageFile) and opened.tile[0].codec_name != "raw":
                return _pgm_values(data, opened), "PGM"  # Pillow stretches them to 16 bits
            return np.asarray(opened), str(opened.format)
    except MemoryError:
        raise
    except Exception:  # a damaged file raises many types
        raise DataError(
            f"{name} is not a readable depth file; is the file complete? {EXPECTED}"
        ) from None


def _pgm_values(data: bytes, opened: PpmImageFile) -> np.ndarray:
    """Values of a PGM file, as stored, whose header gives another maximum than 65535."""
    arguments = opened.tile[0].args
    if data[:2] != b"P5" or not isinstance(arguments, tuple):
        raise ValueError("not binary grey")
    dtype = np.dtype(">u2" if arguments[1] > 255 else np.uint8)
    stored = np.frombuffer(data, dtype, opened.width * opened.height, opened.tile[0].offset)
    return stored.reshape(opened.height, opened.width).astype(dtype.newbyteorder("="))
