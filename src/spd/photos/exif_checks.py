"""Contradictions between a photo's EXIF and its pixels.

EXIF describes the photo that the camera stored. Programs that crop, stretch, stitch or turn it
often keep the EXIF, whose focal length and orientation are then those of another picture.
"""

import math
import re
from typing import NamedTuple

from PIL import Image

from spd.photos.focal import FILM_DIAGONAL_MM

EXIF, MAKE, ORIENTATION = 0x8769, 0x010F, 0x0112
FOCAL_MM, FOCAL_35_MM, DIGITAL_ZOOM = 0x920A, 0xA405, 0xA404
WIDTH, HEIGHT = 0xA002, 0xA003
_FILE_WIDTH, _FILE_HEIGHT = 0x0100, 0x0101
_CUSTOM_RENDERED, _PANORAMA = 0xA401, 6  # Apple's values, which others read too
_LENS = 0xA434
_CROPPED = re.compile(rb"crs:HasCrop\s*(=\s*[\"']|>\s*)True\b", re.IGNORECASE)

_SHAPE_TOLERANCE = 0.02  # of width / height: codecs cut to whole blocks, and a resize rounds
_OBLONG = 2.5  # phones' longest photos are 21:9; panoramas begin about here
_ZOOM_NOISE = 1.02  # some cameras write 65536/65535 for none
_MOST_ZOOM = 200.0
_WIDEST_MM = 20.0  # phones zoom digitally with their main lens, of 23 mm or more
_FILM_MM = (8.5, 4000.0)  # of lenses without a fisheye's projection, and of the longest telephoto
_SENSOR_DIAGONAL_MM = (2.0, 100.0)  # of the smallest phone's and the largest digital back's

_Sides = tuple[int, int]  # (width, height), as Pillow and EXIF order them


class Whole(NamedTuple):
    """The picture whose angle of view EXIF describes."""

    size: _Sides | None
    """(width, height) in this photo's pixels; None where EXIF cannot describe this photo."""
    mismatch: str = ""
    """How this photo differs from it, as the beginning of a sentence; empty if it does not."""


def positive(value: object) -> float | None:
    """A tag's value as a positive number; None where it is anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever a file holds
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def recorded_sizes(tags: Image.Exif, form: str | None) -> list[_Sides]:
    """(width, height) that EXIF records, as far as they are plausible.

    Args:
        tags: the photo's EXIF.
        form: Pillow's name of the file format. A TIFF's own tags describe its pixels and not
            another picture.
    """
    pairs = [[positive(tags.get_ifd(EXIF).get(tag)) for tag in (WIDTH, HEIGHT)]]
    if form != "TIFF":
        pairs.append([positive(tags.get(tag)) for tag in (_FILE_WIDTH, _FILE_HEIGHT)])
    sizes = [(int(w), int(h)) for w, h in pairs if w is not None and h is not None]
    return [size for size in sizes if min(size) > 1]


def is_turned_already(image: Image.Image, tags: Image.Exif, orientation: object) -> bool:
    """True if orientation 5 to 8 was already applied, judged by the recorded size.

    The pixels then match the recorded size, or a crop of it, only with width and height swapped.
    This cannot be seen in a square photo, or with orientations 2 to 4.
    """
    if orientation not in (5, 6, 7, 8):
        return False
    sizes = recorded_sizes(tags, image.format)
    return bool(sizes) and all(_fits_turned_only(image.size, size) for size in sizes)


def _fits_turned_only(size: _Sides, recorded: _Sides) -> bool:
    turned = recorded[::-1]
    fits = size[0] <= recorded[0] and size[1] <= recorded[1]
    if _is_crop(size, turned) and not fits:
        return not _alike(size, recorded)
    return _alike(size, turned) and not _alike(size, recorded)


def whole_of(image: Image.Image, tags: Image.Exif) -> Whole:
    """The picture that EXIF describes, from the recorded sizes and the shape of `image`.

    A plain resize keeps the shape. A photo with one recorded side and a shorter other side is a
    crop that was not resized. Every other shape has several explanations of different focal
    lengths.
    """
    width, height = image.size
    for recorded in recorded_sizes(tags, image.format):
        if any(_alike(image.size, one) for one in (recorded, recorded[::-1])):
            continue
        mismatch = (
            f"EXIF records a photo of {recorded[0]}x{recorded[1]} pixels, but this one has "
            f"{width}x{height}"
        )
        for one in (recorded, recorded[::-1]):
            if _is_crop(image.size, one):
                return Whole(one, mismatch)
        return Whole(None, f"{mismatch}, so it was cropped, stretched or stitched")
    if _is_marked_as_crop(image):
        return Whole(None, "XMP records that the photo was cropped")
    if max(image.size) > _OBLONG * min(image.size) and min(image.size) > 1:
        return Whole(None, f"a photo of {width}x{height} pixels has the shape of a panorama")
    return Whole(image.size)


def film_focal(tags: Image.Exif) -> tuple[float | None, str]:
    """The 35 mm equivalent focal length in mm with digital zoom, and a conflict in the tags.

    The standard (CIPA DC-008, DCG-001) defines it by the image area, which digital zoom reduces.
    Apple follows it; other makers write the focal length of the lens. Where the tag divided by the
    zoom would be an ultra-wide lens, it is taken as the lens's.

    Returns:
        The focal length, None where it is missing or unusable; and the conflict as the beginning
        of a sentence, empty where the tags agree.
    """
    exif = tags.get_ifd(EXIF)
    film_mm = positive(exif.get(FOCAL_35_MM))
    if film_mm is None:
        return None, ""
    zoom = digital_zoom(exif)
    lens_mm = positive(exif.get(FOCAL_MM))
    if lens_mm is not None:
        diagonal_mm = FILM_DIAGONAL_MM * lens_mm / film_mm
        least, most = _SENSOR_DIAGONAL_MM
        if diagonal_mm * zoom < least or diagonal_mm > most:
            return None, (
                f"EXIF's focal length of {lens_mm:g} mm and its 35 mm equivalent of {film_mm:g} mm "
                f"would need a sensor of {diagonal_mm:.2g} mm"
            )
    if film_mm < _FILM_MM[0]:
        return None, (
            f"EXIF's 35 mm equivalent of {film_mm:g} mm is that of a fisheye lens, or the focal "
            "length in millimetres"
        )
    if film_mm > _FILM_MM[1]:
        return None, f"EXIF's 35 mm equivalent of {film_mm:g} mm is longer than any lens"
    if zoom == 1 or str(tags.get(MAKE, "")).strip("\0 ") == "Apple":
        return film_mm, ""
    zoomed = f"EXIF records a digital zoom of {zoom:g} and a 35 mm equivalent of {film_mm:g} mm"
    if zoom > _MOST_ZOOM:
        return None, zoomed
    if film_mm / zoom >= _WIDEST_MM:
        return (
            film_mm,
            f"{zoomed}, which is assumed to include it (otherwise {zoom:g} times longer)",
        )
    return film_mm * zoom, f"{zoomed}, which is assumed not to include it"


def digital_zoom(exif: dict[int, object]) -> float:
    """Digital zoom recorded in the EXIF directory; 1 where there is none."""
    zoom = positive(exif.get(DIGITAL_ZOOM))
    return zoom if zoom is not None and zoom > _ZOOM_NOISE else 1.0


def projection_warning(image: Image.Image, tags: Image.Exif) -> tuple[str, bool]:
    """Warning about a photo of no pinhole camera, and whether EXIF's focal length is useless.

    Panoramas are marked by Apple's CustomRendered 6 and by Google's XMP names.
    """
    exif = tags.get_ifd(EXIF)
    text = _xmp_of(image)
    if exif.get(_CUSTOM_RENDERED) == _PANORAMA or (
        b"GPano:" in text and b"rectilinear" not in text.lower()
    ):
        return (
            "the file is marked as a panorama, which no single focal length describes; depth is "
            "not reliable, so use a photo of one view"
        ), True
    lens = exif.get(_LENS, "")
    if "fisheye" in str(lens).lower().replace("-", ""):
        return (
            "EXIF names a fisheye lens; depth is for photos without such distortion, so rectify "
            "the photo first"
        ), False
    return "", False


def _xmp_of(image: Image.Image) -> bytes:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")


def _is_marked_as_crop(image: Image.Image) -> bool:
    """True if Adobe's raw converter cropped the photo; it updates the recorded size."""
    return bool(_CROPPED.search(_xmp_of(image)))


def _is_crop(size: _Sides, recorded: _Sides) -> bool:
    """True if one side is the recorded one and the other is not longer."""
    (width, height), (w, h) = size, recorded
    return (width == w and height <= h) or (height == h and width <= w)


def _alike(size: _Sides, other: _Sides) -> bool:
    """True if `size` is `other` resized: sides are whole pixels, so their ratio is rounded."""
    (width, height), (w, h) = size, other
    return abs(width * h - height * w) <= max(w + h, _SHAPE_TOLERANCE * min(width * h, height * w))
