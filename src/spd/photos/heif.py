"""HEIC, the photos of newer telephones, where the user has installed a decoder for it.

The decoder is loaded when the first such photo comes, and with nothing but the photo: previews,
depth and auxiliary images inside the file are not asked for. The decoder is `pillow-heif` 1.8
or later. SPD does not offer it as an extra because its wheels contain a GPL-licensed encoder;
`pi-heif` 1.4 has no encoder, but it crashes the whole process on some damaged files.
"""

import threading

from spd.errors import InputError

_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"heif"}
_lock = threading.Lock()


def is_heif(head: bytes) -> bool:
    """Whether a file that begins like this is HEIC or HEIF (and not AVIF)."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS and b"avif" not in head[8:32]


def register_heif(name: str) -> None:
    """Teach Pillow to read HEIC, once.

    Raises:
        InputError: if the decoder is not installed, naming it.
    """
    with _lock:
        try:
            import pillow_heif  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError:
            raise InputError(
                f"{name} is HEIC, which needs a decoder: pip install pillow-heif (its wheels "
                "contain GPL-licensed code), or save the photo as JPEG"
            ) from None
        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
