"""Open a photo's file with Pillow: its header is read, and nothing is decoded."""

import contextlib
import ctypes
import struct
import warnings
from collections.abc import Iterator

from PIL import Image, UnidentifiedImageError, _imaging

from spd.errors import InputError, SPDError
from spd.memory import memory_for, reserved
from spd.photos.bounded_file import BoundedFile
from spd.photos.heif import is_heif, register_heif
from spd.photos.limits import check_pixels
from spd.photos.peaks import photo_bytes
from spd.photos.structure import check_structure, webp_size
from spd.pixels import Size

FORMATS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF", "BMP", "DIB", "GIF", "JPEG2000"),
    *("PCX", "PPM", "QOI", "SGI", "TGA"),
)
"""File formats that are read; EPS, PDF, WMF and the like are not, as they can run programs."""

_TURNED = ("TIFF", "AVIF", "HEIF", "PNG", "WEBP")  # EXIF may lie behind the pixels
_ADVICE = "scale the photo down, and a focal length in pixels with it, or allow more memory"


def quiet_decoders() -> None:
    """Let decoders print nothing in this process: their errors are raised, and one line each.

    libtiff prints a line for every damaged row, so a small file could fill a log.
    """
    warnings.filterwarnings("ignore", module="PIL")  # about metadata
    with contextlib.suppress(OSError, AttributeError):  # libtiff is linked into Pillow
        pillow = ctypes.CDLL(_imaging.__file__)
        pillow.TIFFSetErrorHandler(None)
        pillow.TIFFSetWarningHandler(None)


@contextlib.contextmanager
def opened(data: bytes, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """Open a photo for decoding within the context, which reserves the memory for it.

    Args:
        data: the file's bytes.
        name: name of the photo, for messages.
        max_pixels: most pixels of the photo.

    Raises:
        InputError: if it is not an image, has too many pixels, or costs too much to decode.
        OutOfMemoryError: if its decoding needs more memory than is left.
    """
    if not data:
        raise InputError(f"{name} is empty")
    if is_heif(data[:32]):
        register_heif(name)
    with told(name), memory_for(f"reading {name}", _ADVICE):
        held_bytes = check_structure(data, name)
        if (size := webp_size(data)) is not None:  # its decoder takes memory when it is opened
            with (
                _room(size, "RGBA", "WEBP", name, max_pixels),
                _open(BoundedFile(data, name), data[:16]) as image,
            ):
                yield image
            return
        with (
            _open(BoundedFile(data, name), data[:16]) as image,
            ready(image, name, max_pixels, held_bytes),
        ):
            yield image


def ready(
    image: Image.Image, name: str, max_pixels: int, held_bytes: int = 0
) -> contextlib.AbstractContextManager[None]:
    """Check the pixels of an opened image, and reserve memory for its decoding.

    Raises:
        PhotoTooLargeError: if it has too many pixels.
        OutOfMemoryError: if its decoding needs more memory than is left.
    """
    turned = "exif" in image.info or image.format in _TURNED
    size = (image.height, image.width)
    return _room(size, image.mode, image.format, name, max_pixels, turned, held_bytes)


@contextlib.contextmanager
def _room(
    size: Size,
    mode: str,
    form: str | None,
    name: str,
    max_pixels: int,
    turned: bool = True,
    held_bytes: int = 0,
) -> Iterator[None]:
    check_pixels(size[1], size[0], max_pixels, name)
    what = f"{name} with {size[1]}x{size[0]} pixels"
    needed = photo_bytes(size, mode, form, turned=turned, held_bytes=held_bytes)
    with reserved(needed, what, _ADVICE), memory_for(what, _ADVICE):
        yield


@contextlib.contextmanager
def told(name: str) -> Iterator[None]:
    """Turn Pillow's errors into one line that names the file."""
    try:
        yield
    except (SPDError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise InputError(f"{name} is not a readable image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{name} has too many pixels to be opened safely") from None
    except Exception as error:  # decoders raise many types for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name} is damaged or truncated ({reason})") from None


@contextlib.contextmanager
def refused_closed() -> Iterator[None]:
    """Turn the errors of a PIL image that was closed into one that says so."""
    try:
        yield
    except (AssertionError, ValueError) as error:  # an assertion: closed before it was decoded
        if isinstance(error, AssertionError) or "closed" in str(error):
            raise InputError(
                "the image is closed; pass it within its `with` block, or pass a copy() made there"
            ) from None
        raise


def _open(file: BoundedFile, head: bytes) -> Image.Image:
    """`Image.open` for our formats, without Pillow's limit on pixels, which is a global setting."""
    for name in FORMATS:
        if name not in Image.OPEN:
            Image.init()
        if name not in Image.OPEN:  # HEIF before its decoder is registered
            continue
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(head)
        if not accepted or isinstance(accepted, str):  # text: Pillow was built without it
            continue
        file.seek(0)
        with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
            return factory(file, "")
    raise UnidentifiedImageError
