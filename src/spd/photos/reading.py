"""Reading photos from files, bytes, arrays and tensors: upright 8-bit RGB and EXIF focal length."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageFile

from spd.errors import InputError, reason_of, shown
from spd.files import missing_advice
from spd.memory import reserved
from spd.photos.arrays import Channels as Channels
from spd.photos.arrays import check_channels, from_array, from_tensor
from spd.photos.exif import camera_of, upright
from spd.photos.frames import photo_frame, preview_warnings
from spd.photos.limits import MAX_PIXELS as MAX_PIXELS
from spd.photos.opening import FORMATS as FORMATS
from spd.photos.opening import opened, ready, refused_closed, told
from spd.photos.peaks import BLOCK_PIXELS
from spd.photos.pixel_checks import pixel_warnings
from spd.photos.resampling import resample as resample
from spd.pixels import is_tensor

if TYPE_CHECKING:
    import torch

RGBImage = UInt8[np.ndarray, "h w 3"]

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_MOST_PIXEL_BYTES = 8
_LOSSY = ("JPEG", "MPO")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo that has been read; `read_photo` returns it unchanged."""

    pixels: RGBImage
    """Upright RGB pixels."""
    exif_focal_px: float | None = None
    """Focal length in these pixels from EXIF; None where EXIF has none."""
    warnings: tuple[str, ...] = ()
    """Reasons to doubt that the pixels are the photo."""
    focal_warnings: tuple[str, ...] = ()
    """Reasons to doubt EXIF's focal length; they concern only those who give none."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image"
    " | np.ndarray | torch.Tensor | Photo"
)


def read_image(
    image: ImageLike, *, channels: Channels = "rgb", max_pixels: int = MAX_PIXELS
) -> RGBImage:
    """Pixels of a photo; see `read_photo`."""
    return read_photo(image, channels=channels, max_pixels=max_pixels).pixels


def read_photo(
    image: ImageLike, *, channels: Channels = "rgb", max_pixels: int = MAX_PIXELS
) -> Photo:
    """Read a photo as upright 8-bit RGB.

    EXIF orientation is applied, so points refer to the upright image. Transparent pixels become
    white, grey becomes RGB, 16-bit grey keeps its upper eight bits, CMYK and palettes become RGB,
    and only the first of several frames is read; of a TIFF that begins with a preview, the photo.

    A PIL image that was turned with `transpose` or `rotate` keeps its EXIF orientation. With
    orientations 5 to 8, EXIF's recorded size shows it, and the image is not turned again. With 2 to
    4, in a square, or without a recorded size nothing shows it: use `ImageOps.exif_transpose`,
    which removes the tag.

    Args:
        image: a path; a file's bytes, or an open binary file; a PIL image; a uint8 array
            `[H, W, 3]` or grey `[H, W]`; a tensor `[3, H, W]` or `[H, W, 3]`, uint8 or floating in
            0..1; a `Photo`.
        channels: channel order of an array or tensor; "bgr" is OpenCV's.
        max_pixels: most pixels of a file or PIL image; a larger one is not decoded.

    Raises:
        InputError: if the file is missing, empty, damaged, too large, costs far more to decode
            than a photo, or is not an image; if an array or tensor has another shape, dtype or
            range.
        OutOfMemoryError: if decoding it needs more memory than is left.
    """

    def decode(data: bytes, name: str) -> Photo:
        frame = photo_frame(data, name)
        with opened(frame.data, name, max_pixels) as found:
            return _decoded(found, name, frame.warnings)

    check_channels(channels)
    if isinstance(image, np.ndarray):
        return _of_pixels(from_array(image, channels))
    if is_tensor(image):
        return _of_pixels(from_tensor(image, channels))
    if channels != "rgb":
        raise InputError("channels='bgr' is only for arrays and tensors; files define their order")
    if isinstance(image, Photo):
        return image
    if isinstance(image, Image.Image):
        with told("the image"), refused_closed(), ready(image, "the image", max_pixels):
            return _decoded(image, "the image", preview_warnings(image))
    if isinstance(image, bytes | bytearray | memoryview):
        return decode(bytes(image), "the image")
    if isinstance(image, str | os.PathLike):
        return decode(*_from_path(image))
    if callable(getattr(image, "read", None)):
        return decode(*_from_file(image))  # type: ignore[arg-type]  # not a tensor: see above
    raise InputError(
        "a photo must be a path, bytes, a binary file, a PIL image, an array or a tensor, got "
        f"{type(image).__name__}"
    )


def read_mask_pixels(
    image: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS
) -> Bool[np.ndarray, "h w"]:
    """Read a mask as booleans; true is neither black, nor 0, nor transparent.

    Args:
        image: a path or a file's bytes; 16-bit labels and palettes are read too.
        max_pixels: most pixels; a larger mask is not decoded.

    Raises:
        InputError: if it is missing, not an image, or a JPEG (lossy: black becomes almost black).
        OutOfMemoryError: if decoding it needs more memory than is left.
    """
    data, name = (image, "the mask") if isinstance(image, bytes) else _from_path(image)
    with opened(data, name, max_pixels) as found:
        return _inside(found, name)


def _from_path(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    try:
        name = os.fsdecode(path)
    except Exception:  # whatever the given object raises
        raise InputError(f"a path must be text, got {shown(path)}") from None
    if not os.path.isfile(name):  # `Path.is_file` raises for a name that is too long
        advice = missing_advice(name)
        if os.path.exists(name):
            kind = "a folder" if os.path.isdir(name) else "a pipe or a device"
            advice = f"it is {kind}; pass a file or an open one"
        raise InputError(f"no image file {_short(name)}; {advice}")
    try:
        with reserved(os.stat(name).st_size, name, "it is too large for a photo"):
            return Path(name).read_bytes(), name
    except OSError as error:
        raise InputError(f"{name} cannot be read: {reason_of(error)}") from None


def _short(name: str) -> str:
    """A path that may be no path at all, such as all the text of a page."""
    plain = all(one.isprintable() or "\ud800" <= one <= "\udfff" for one in name)
    return name if plain and 0 < len(name) <= 300 else shown(name)


def _from_file(file: "IO[bytes]") -> tuple[bytes, str]:
    name = str(getattr(file, "name", "the image"))
    if getattr(file, "closed", False) is True:
        raise InputError(
            f"{name} is closed; pass it before it is closed, or pass its bytes or path"
        )
    try:
        data: object = file.read()
    except MemoryError:
        raise
    except Exception as error:  # downloads and archives raise many types
        raise InputError(f"{name} cannot be read: {reason_of(error)}") from None
    if isinstance(data, bytes | bytearray | memoryview):
        if not data and _was_read(file):
            raise InputError(f"{name} was read or written to its end; rewind it with seek(0)")
        return bytes(data), name
    if isinstance(data, str):
        raise InputError(f"{name} is open in text mode; open it in mode 'rb'")
    raise InputError(f"{name} cannot be read: expected bytes, got {shown(data)}")


def _was_read(file: "IO[bytes]") -> bool:
    try:
        return file.tell() > 0
    except Exception:  # pipes and downloads have no place
        return False


def _of_pixels(pixels: RGBImage) -> Photo:
    return Photo(pixels, warnings=pixel_warnings(pixels))


def _decoded(image: Image.Image, name: str, found: tuple[str, ...]) -> Photo:
    deep = image.mode in _DEEP_GREY or ";16" in str(getattr(image, "tile", ""))
    turned, of_turn = _turned(image)
    pixels = np.empty((turned.height, turned.width, 3), dtype=np.uint8)
    _by_blocks(turned, lambda block: _rgb(block, name), pixels)
    camera = camera_of(image)  # in either orientation the same
    found += of_turn + camera.warnings + pixel_warnings(pixels, deep=deep, image=turned)
    return Photo(pixels, camera.focal_px, found, camera.focal_warnings)


def _inside(image: Image.Image, name: str) -> Bool[np.ndarray, "h w"]:
    if image.format in _LOSSY:
        raise InputError(
            f"{name} is a JPEG; lossy compression changes mask values, so save the mask as PNG"
        )
    turned, _ = _turned(image)
    inside = np.empty((turned.height, turned.width), dtype=bool)
    _by_blocks(turned, _not_black, inside)
    return inside


def _turned(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The decoded image, upright, and reasons to doubt that it is."""
    if isinstance(image, ImageFile.ImageFile):  # raw decoders join these blocks up to a whole row
        image.decodermaxblock = max(image.decodermaxblock, _MOST_PIXEL_BYTES * image.width)
    image.load()  # turns a TIFF; its orientation tag is right only afterwards
    return upright(image)


def _by_blocks(
    image: Image.Image, convert: Callable[[Image.Image], np.ndarray], into: np.ndarray
) -> None:
    """Convert an image in blocks, because every conversion makes copies."""
    columns = min(image.width, BLOCK_PIXELS)
    rows = max(1, BLOCK_PIXELS // columns)
    for top in range(0, image.height, rows):
        for left in range(0, image.width, columns):
            right, bottom = min(left + columns, image.width), min(top + rows, image.height)
            into[top:bottom, left:right] = convert(image.crop((left, top, right, bottom)))


def _not_black(block: Image.Image) -> Bool[np.ndarray, "h w"]:
    if block.mode in _DEEP_GREY:  # labels from 1 to 255 would become black in eight bits
        return np.asarray(block) > 0
    rgba = np.asarray(block.convert("RGBA"))
    return (rgba[..., :3].max(axis=2) > 0) & (rgba[..., 3] > 0)


def _rgb(image: Image.Image, name: str) -> RGBImage:
    if image.mode in _DEEP_GREY:  # Pillow would clip it
        return _from_deep_grey(np.asarray(image), name)
    if image.mode == "F":
        raise InputError(
            f"{name} has floating-point pixels of unknown range; save it with 8 or 16 bits"
        )
    if image.mode == "La":  # Pillow converts it to this alone
        image = image.convert("LA")
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
