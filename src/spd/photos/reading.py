"""Reading photos, whatever they come as: upright 8-bit RGB and what the file says of its lens."""

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
"""File formats that are read; EPS, PDF, WMF, ... run programs or are not photos."""

MAX_PIXELS = 178_956_970
"""Most pixels of a file; Pillow treats more as a possible attack."""

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_LOSSY = ("JPEG", "MPO")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo that has been read; whatever takes a photo takes it too."""

    pixels: RGBImage
    """Upright."""
    exif_focal_px: float | None = None
    """Focal length in these pixels by the file's EXIF; None where it does not say."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image"
    " | np.ndarray | torch.Tensor | Photo"
)


def read_image(image: ImageLike, *, channels: Channels = "rgb") -> RGBImage:
    """The pixels of a photo, as `read_photo` reads them."""
    return read_photo(image, channels=channels).pixels


def read_photo(image: ImageLike, *, channels: Channels = "rgb") -> Photo:
    """An upright 8-bit RGB photo from whatever holds one.

    EXIF orientation is applied, so points are asked in the upright image. What is transparent
    shows white; grey is repeated; 16-bit grey keeps its upper eight bits; CMYK and palettes become
    RGB; of several frames the first is taken.

    Args:
        image: a path; a file's bytes, or a binary file that is open; a PIL image; a uint8 array
            `[H, W, 3]` or grey `[H, W]`; a tensor `[3, H, W]` or `[H, W, 3]`, uint8 or floating in
            0..1; a photo that was read before.
        channels: order of an array's or tensor's channels; "bgr" is OpenCV's.

    Raises:
        InputError: if the file is missing, empty, damaged, too large or no image; if an array or
            tensor has another shape, dtype or range.
    """
    check_channels(channels)
    if isinstance(image, np.ndarray):
        return Photo(from_array(image, channels))
    if is_tensor(image):
        return Photo(from_tensor(image, channels))
    if channels != "rgb":
        raise InputError("channels='bgr' is for arrays and tensors; a file knows its own order")
    if isinstance(image, Photo):
        return image
    if isinstance(image, Image.Image):
        return _decoded(image, "the image")
    if isinstance(image, bytes | bytearray | memoryview):
        return _opened(bytes(image), "the image", _decoded)
    if isinstance(image, str | os.PathLike):
        return _opened(_bytes_of(Path(image)), str(Path(image)), _decoded)
    if hasattr(image, "read"):
        return _from_file(image)  # type: ignore[arg-type]  # no tensor: see above
    raise InputError(
        "a photo is a path, bytes, a binary file, a PIL image, an array or a tensor, got "
        f"{type(image).__name__}"
    )


def read_mask_pixels(image: str | os.PathLike[str] | bytes) -> Bool[np.ndarray, "h w"]:
    """Which pixels of an upright mask are inside: neither black, nor 0, nor transparent.

    Args:
        image: a path or a file's bytes; labels of 16 bits and palettes do as well.

    Raises:
        InputError: if it is missing, no image, or a JPEG, whose black is not black.
    """
    if isinstance(image, bytes):
        return _opened(image, "the mask", _inside)
    return _opened(_bytes_of(Path(image)), str(Path(image)), _inside)


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"no image file {path}")
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
        raise InputError(f"{name} is open as text; open it in mode 'rb'")
    return _opened(data, name, _decoded)


def _opened(data: bytes, name: str, decode: Callable[[Image.Image, str], T]) -> T:
    if not data:
        raise InputError(f"{name} is empty")
    if is_heif(data[:32]):
        register_heif(name)
    with _told(name), Image.open(io.BytesIO(data), formats=_formats()) as opened:
        return decode(opened, name)


def _formats() -> list[str]:
    """Those of `FORMATS` that can be read; Pillow loads the rarer ones when it comes to them."""
    return [name for name in FORMATS if name != "HEIF" or name in Image.OPEN]


def _decoded(image: Image.Image, name: str) -> Photo:
    with _told(name):
        turned = _turned(image)
        pixels = _rgb(turned, name)
        return Photo(pixels, focal_px_of(image))  # the same number, whichever way up


def _inside(image: Image.Image, name: str) -> Bool[np.ndarray, "h w"]:
    if image.format in _LOSSY:
        raise InputError(f"{name}: a JPEG's black is not quite black; save the mask as PNG")
    with _told(name):
        turned = _turned(image)
        if turned.mode in _DEEP_GREY:  # labels from 1 to 255 would become black in eight bits
            return np.asarray(turned) > 0
        rgba = np.asarray(turned.convert("RGBA"))
        return (rgba[..., :3].max(axis=2) > 0) & (rgba[..., 3] > 0)


def _turned(image: Image.Image) -> Image.Image:
    """Unpacked and upright."""
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    image.load()  # which turns a TIFF; its orientation is right to ask for only then
    return upright(image)


def _rgb(image: Image.Image, name: str) -> RGBImage:
    if image.mode in _DEEP_GREY:  # Pillow would clip it
        return _from_deep_grey(np.asarray(image), name)
    if image.mode == "F":
        raise InputError(
            f"{name} has floating pixels, of no known range; save it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(rgba)
    return np.asarray(image.convert("RGB"))


def _from_deep_grey(values: np.ndarray, name: str) -> RGBImage:
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"{name} has more than 16 bits a pixel; save it with 8 or 16 bits")
    grey = (values.astype(np.float64) / 257).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn Pillow's errors for a file into one line that names the file."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{name} is not an image that can be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{name} has too many pixels to be opened safely") from None
    except Exception as error:  # decoders raise many kinds for what is damaged
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name} is damaged or truncated ({reason})") from None
