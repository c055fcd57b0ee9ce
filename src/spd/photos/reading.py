"""Reading photos from files, bytes, arrays and tensors: upright 8-bit RGB and EXIF focal length."""

import contextlib
import dataclasses
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, UnidentifiedImageError

from spd.errors import InputError
from spd.photos.arrays import Channels as Channels
from spd.photos.arrays import check_channels, from_array, from_tensor, is_tensor
from spd.photos.exif import focal_px_of, upright
from spd.photos.heif import is_heif, register_heif
from spd.photos.resampling import resample as resample

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
RGBImage = UInt8[np.ndarray, "h w 3"]

FORMATS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF", "BMP", "DIB", "GIF", "JPEG2000"),
    *("PCX", "PPM", "QOI", "SGI", "TGA"),
)
"""File formats that are read; EPS, PDF, WMF and the like are not, as they can run programs."""

MAX_PIXELS = 178_956_970
"""Largest number of pixels of a file: Pillow's limit against decompression bombs."""

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_LOSSY = ("JPEG", "MPO")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo that has been read; `read_photo` returns it unchanged."""

    pixels: RGBImage
    """Upright RGB pixels."""
    exif_focal_px: float | None = None
    """Focal length in these pixels from EXIF; None where EXIF has none."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image"
    " | np.ndarray | torch.Tensor | Photo"
)


def read_image(image: ImageLike, *, channels: Channels = "rgb") -> RGBImage:
    """Pixels of a photo; see `read_photo`."""
    return read_photo(image, channels=channels).pixels


def read_photo(image: ImageLike, *, channels: Channels = "rgb") -> Photo:
    """Read a photo as upright 8-bit RGB.

    EXIF orientation is applied, so points refer to the upright image. Transparent pixels become
    white, grey becomes RGB, 16-bit grey keeps its upper eight bits, CMYK and palettes become RGB,
    and only the first of several frames is read.

    Args:
        image: a path; a file's bytes, or an open binary file; a PIL image; a uint8 array
            `[H, W, 3]` or grey `[H, W]`; a tensor `[3, H, W]` or `[H, W, 3]`, uint8 or floating in
            0..1; a `Photo`.
        channels: channel order of an array or tensor; "bgr" is OpenCV's.

    Raises:
        InputError: if the file is missing, empty, damaged, too large or not an image; if an array
            or tensor has another shape, dtype or range.
    """
    check_channels(channels)
    if isinstance(image, np.ndarray):
        return Photo(from_array(image, channels))
    if is_tensor(image):
        return Photo(from_tensor(image, channels))
    if channels != "rgb":
        raise InputError("channels='bgr' is only for arrays and tensors; files define their order")
    if isinstance(image, Photo):
        return image
    if isinstance(image, Image.Image):
        return _decoded(image, "the image")
    if isinstance(image, bytes | bytearray | memoryview):
        return _opened(bytes(image), "the image", _decoded)
    if isinstance(image, str | os.PathLike):
        return _opened(_bytes_of(Path(image)), str(Path(image)), _decoded)
    if hasattr(image, "read"):
        return _from_file(image)  # type: ignore[arg-type]  # not a tensor: see above
    raise InputError(
        "a photo must be a path, bytes, a binary file, a PIL image, an array or a tensor, got "
        f"{type(image).__name__}"
    )


def read_mask_pixels(image: str | os.PathLike[str] | bytes) -> Bool[np.ndarray, "h w"]:
    """Read a mask as booleans; true is neither black, nor 0, nor transparent.

    Args:
        image: a path or a file's bytes; 16-bit labels and palettes are read too.

    Raises:
        InputError: if it is missing, not an image, or a JPEG (lossy: black becomes almost black).
    """
    if isinstance(image, bytes):
        return _opened(image, "the mask", _inside)
    return _opened(_bytes_of(Path(image)), str(Path(image)), _inside)


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"no image file {path}; check the path")
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path} cannot be read: {reason}") from None


def _from_file(file: "IO[bytes]") -> Photo:
    name = str(getattr(file, "name", "the image"))
    try:
        data = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read: {error}") from None
    if not isinstance(data, bytes):
        raise InputError(f"{name} is open in text mode; open it in mode 'rb'")
    return _opened(data, name, _decoded)


def _opened(data: bytes, name: str, decode: Callable[[Image.Image, str], T]) -> T:
    if not data:
        raise InputError(f"{name} is empty")
    if is_heif(data[:32]):
        register_heif(name)
    with _told(name), Image.open(io.BytesIO(data), formats=_formats()) as opened:
        return decode(opened, name)


def _formats() -> list[str]:
    """Formats that can be read; HEIF only after its decoder is registered."""
    return [name for name in FORMATS if name != "HEIF" or name in Image.OPEN]


def _decoded(image: Image.Image, name: str) -> Photo:
    with _told(name):
        turned = _turned(image)
        pixels = _rgb(turned, name)
        return Photo(pixels, focal_px_of(image))  # in either orientation the same


def _inside(image: Image.Image, name: str) -> Bool[np.ndarray, "h w"]:
    if image.format in _LOSSY:
        raise InputError(
            f"{name} is a JPEG; lossy compression changes mask values, so save the mask as PNG"
        )
    with _told(name):
        turned = _turned(image)
        if turned.mode in _DEEP_GREY:  # labels from 1 to 255 would become black in eight bits
            return np.asarray(turned) > 0
        rgba = np.asarray(turned.convert("RGBA"))
        return (rgba[..., :3].max(axis=2) > 0) & (rgba[..., 3] > 0)


def _turned(image: Image.Image) -> Image.Image:
    """The decoded image, upright."""
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    image.load()  # turns a TIFF; its orientation tag is right only afterwards
    return upright(image)


def _rgb(image: Image.Image, name: str) -> RGBImage:
    if image.mode in _DEEP_GREY:  # Pillow would clip it
        return _from_deep_grey(np.asarray(image), name)
    if image.mode == "F":
        raise InputError(
            f"{name} has floating-point pixels of unknown range; save it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(rgba)
    return np.asarray(image.convert("RGB"))


def _from_deep_grey(values: np.ndarray, name: str) -> RGBImage:
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"{name} has more than 16 bits per channel; save it with 8 or 16 bits")
    grey = (values.astype(np.float64) / 257).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn Pillow's errors into one line that names the file."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{name} is not a readable image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{name} has too many pixels to be opened safely") from None
    except Exception as error:  # decoders raise many types for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name} is damaged or truncated ({reason})") from None
