"""HEIC, the photo format of newer phones, if the user has installed a decoder.

The decoder, `pillow-heif` 1.8 or later, is loaded for the first HEIC photo. Previews, depth and
auxiliary images inside a file are not read. The decoder is not an extra of this package because
its wheels contain a GPL-licensed encoder; `pi-heif` 1.4, which has none, crashes the process on
some damaged files.
"""

from spd.errors import InputError
from spd.processes import SafeLock

_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"heif"}
_lock = SafeLock()


def is_heif(head: bytes) -> bool:
    """True if a file that begins with these bytes is HEIC or HEIF (and not AVIF)."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS and b"avif" not in head[8:32]


def register_heif(name: str) -> None:
    """Register the HEIC decoder with Pillow, once.

    Raises:
        InputError: if the decoder is not installed, naming it.
    """
    with _lock:
        try:
            import pillow_heif  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError:
            raise InputError(
                f"{name} is a HEIC file, which needs a decoder: pip install pillow-heif (its "
                "wheels contain GPL-licensed code), or save the photo as JPEG"
            ) from None
        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
