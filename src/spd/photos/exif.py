"""EXIF: focal length and orientation of a photo.

Metadata that is missing, damaged or absurd counts as unknown; it never refuses a photo.
"""

import math

from PIL import Image

from spd.photos.focal import film_px
from spd.photos.structure import check_exif

_ORIENTATION = 0x0112
_EXIF = 0x8769
_FOCAL_MM, _FOCAL_35_MM, _DIGITAL_ZOOM = 0x920A, 0xA405, 0xA404
_WIDTH, _HEIGHT = 0xA002, 0xA003
_AS_TEXT = "Raw profile type exif"  # in a PNG, by ImageMagick
_PLANE_X, _PLANE_UNIT = 0xA20E, 0xA210
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # inch, centimetre, millimetre, micrometre

_SENSOR_MM = (1.5, 80.0)  # smallest and largest sensor width; outside it a tag is wrong

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """The image turned by its EXIF orientation; call it after the pixels are loaded."""
    try:
        turn = _TURNS.get(_tags_of(image).get(_ORIENTATION, 1))
    except Exception:  # Pillow raises many types for damaged metadata
        turn = None
    return image if turn is None else image.transpose(turn)


def focal_px_of(image: Image.Image) -> float | None:
    """Focal length in pixels of the image from its EXIF; None where EXIF has none.

    The 35 mm equivalent is an angle over the diagonal, so it holds at any size and orientation.
    Without it, the focal length in millimetres and the sensor's pixels per millimetre are used,
    corrected for a resize by the recorded width and height. Neither shows that a photo was cropped.
    """
    try:
        tags = _tags_of(image).get_ifd(_EXIF)
        film_mm = _positive(tags.get(_FOCAL_35_MM))
        if film_mm is not None:
            return film_px(film_mm, image.size)
        return _by_sensor(dict(tags), image.size)
    except Exception:  # Pillow raises many types for damaged metadata
        return None


def _tags_of(image: Image.Image) -> Image.Exif:
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


def _by_sensor(tags: dict[int, object], size: tuple[int, int]) -> float | None:
    focal_mm, per_unit = _positive(tags.get(_FOCAL_MM)), _positive(tags.get(_PLANE_X))
    unit = _positive(tags.get(_PLANE_UNIT, 2))
    zoom = _positive(tags.get(_DIGITAL_ZOOM))
    if focal_mm is None or per_unit is None or unit not in _UNIT_MM:
        return None
    if zoom is not None and zoom > 1:  # cameras disagree on whether these tags include it
        return None
    recorded = [_positive(tags.get(tag)) for tag in (_WIDTH, _HEIGHT)]
    taken_px = max((side for side in recorded if side is not None), default=max(size))
    per_mm = per_unit / _UNIT_MM[int(unit)]
    if not _SENSOR_MM[0] <= taken_px / per_mm <= _SENSOR_MM[1]:
        return None
    return focal_mm * per_mm * max(size) / taken_px


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever a file holds
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
