"""EXIF: focal length and orientation of a photo.

Metadata that is missing, damaged or absurd counts as unknown; it never refuses a photo.
"""

import dataclasses

from PIL import Image

from spd.photos.exif_checks import (
    EXIF,
    FOCAL_MM,
    HEIGHT,
    ORIENTATION,
    WIDTH,
    digital_zoom,
    film_focal,
    is_turned_already,
    positive,
    projection_warning,
    whole_of,
)
from spd.photos.focal import film_px
from spd.photos.structure import check_exif

_AS_TEXT = "Raw profile type exif"  # in a PNG, by ImageMagick
_PLANE_X, _PLANE_UNIT = 0xA20E, 0xA210
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # inch, centimetre, millimetre, micrometre
_SENSOR_MM = (1.5, 80.0)  # smallest and largest sensor width; outside it a tag is wrong
_MODEL, _EOS = 0x0110, "EOS"  # Canon's cameras, which record no 35 mm equivalent
_EOS_MM = ((21.8, 23.4), (27.5, 29.6), (35.0, 37.4))  # widths by their tags, up to 3 % too large

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that makes an image of each EXIF orientation upright."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExifCamera:
    """Camera of a photo as EXIF describes it."""

    focal_px: float | None = None
    """Focal length in pixels of the photo; None where EXIF has none that fits the photo."""
    warnings: tuple[str, ...] = ()
    """Reasons to doubt that the photo is a pinhole camera's."""
    focal_warnings: tuple[str, ...] = ()
    """Reasons to doubt EXIF's focal length, or why it is not used."""


def upright(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The image turned by its EXIF orientation, and reasons to doubt that it is upright now.

    Call it after the pixels are loaded. An image in memory that was turned and kept its tag is not
    turned again, if EXIF's recorded size shows it. A file is always turned, as viewers do.
    """
    try:
        tags = tags_of(image)
        orientation = tags.get(ORIENTATION, 1)
        turn = TURNS.get(orientation)
        again = is_turned_already(image, tags, orientation)
    except Exception:  # Pillow raises many types for damaged metadata
        return image, ()
    if turn is None:
        return image, ()
    found = (
        f"the photo of {image.width}x{image.height} pixels has EXIF orientation {orientation}, but "
        "EXIF's recorded size shows that it was turned before"
    )
    if again and image.format is None:
        return image, (f"{found}; it is not turned again",)
    warnings = (f"{found}; if it is on its side now, remove the orientation tag",) if again else ()
    return image.transpose(turn), warnings


def camera_of(image: Image.Image) -> ExifCamera:
    """Focal length in pixels of the image from its EXIF, with reasons to doubt it.

    The 35 mm equivalent is an angle over the diagonal, so it holds at any size and orientation.
    Without it, the focal length in millimetres and the sensor's pixels per millimetre are used,
    corrected for a resize by the recorded width and height. Where the image has another shape than
    the recorded size, it is the focal length of a crop that was not resized, or unknown.
    """
    try:
        tags = tags_of(image)
        text, useless = projection_warning(image, tags)
        warnings = (text,) if text else ()
        return ExifCamera(None, warnings) if useless else _by_tags(image, tags, warnings)
    except Exception:  # Pillow raises many types for damaged metadata
        return ExifCamera()


def _by_tags(image: Image.Image, tags: Image.Exif, warnings: tuple[str, ...]) -> ExifCamera:
    size, mismatch = whole_of(image, tags)
    film_mm, conflict = film_focal(tags)
    measured = size or image.size
    if film_mm is not None:
        focal_px = film_px(film_mm, measured)
    elif conflict:
        return ExifCamera(None, warnings, (f"{conflict}; EXIF's focal length is not used",))
    else:
        found, wrong = _by_sensor(tags, measured)
        if found is None:
            return ExifCamera(None, warnings, (wrong,) if wrong else ())
        focal_px = found
    if size is None:
        return ExifCamera(None, warnings, (f"{mismatch}; EXIF's focal length is not used",))
    told = []
    if mismatch:
        told.append(
            f"{mismatch}: it is taken as a crop that was not resized, with the whole photo's focal "
            f"length of {focal_px:.1f} px; pass focal_px if it was stretched or resized"
        )
    if conflict:
        told.append(f"{conflict}: {focal_px:.1f} px is used; pass focal_px if you know better")
    return ExifCamera(focal_px, warnings, tuple(told))


def tags_of(image: Image.Image) -> Image.Exif:
    """The image's EXIF.

    Raises:
        InputError: if it refers to far more bytes than it has; Pillow copies them all.
    """
    stored = image.info.get("exif")
    if stored is None and _AS_TEXT in image.info:
        stored = bytes.fromhex("".join(image.info[_AS_TEXT].split("\n")[3:]))
    if isinstance(stored, bytes):
        check_exif(stored, "the photo")
    return image.getexif()


def _by_sensor(whole: Image.Exif, size: tuple[int, int]) -> tuple[float | None, str]:
    """Focal length in pixels by the sensor's pixels per millimetre, or why it is not used."""
    tags: dict[int, object] = dict(whole.get_ifd(EXIF))
    focal_mm, per_unit = positive(tags.get(FOCAL_MM)), positive(tags.get(_PLANE_X))
    unit = positive(tags.get(_PLANE_UNIT, 2))
    if focal_mm is None or per_unit is None or unit not in _UNIT_MM:
        return None, ""
    if digital_zoom(tags) > 1:  # cameras disagree on whether these tags include it
        return None, ""
    recorded = [positive(tags.get(tag)) for tag in (WIDTH, HEIGHT)]
    taken_px = max((side for side in recorded if side is not None), default=max(size))
    per_mm = per_unit / _UNIT_MM[int(unit)]
    if not _SENSOR_MM[0] <= taken_px / per_mm <= _SENSOR_MM[1]:
        return None, ""
    wide_mm = taken_px / per_mm
    if _EOS in str(whole.get(_MODEL, "")) and not any(a <= wide_mm <= b for a, b in _EOS_MM):
        return None, (
            f"EXIF's sensor resolution implies a sensor {wide_mm:.1f} mm wide, which no {_EOS} "
            "has, as after a resize that updated the recorded size; EXIF's focal length is not used"
        )
    return focal_mm * per_mm * max(size) / taken_px, ""
