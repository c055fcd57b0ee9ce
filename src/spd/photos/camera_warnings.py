"""Warnings about camera numbers that are possible, but probably not meant for this photo."""

import math

from spd.photos.focal import film_px, view_deg
from spd.pixels import Intrinsics, Size

_OFF_CENTRE = 0.25  # share of a side; only crops have their principal point farther off
_NEAR_CENTRE = 0.08  # cameras have it nearer
_OTHER_SIZE = 1.15  # ratio of sizes from which a principal point cannot be the camera's own
_SAME_RATIO = 1.08  # both sides give the same ratio of sizes, but for cameras' own offsets
_FRAMES = (4 / 3, 3 / 2, 16 / 10, 16 / 9)  # shapes of ordinary frames, longer side by shorter
_SAME_FRAME = 1.025
_NARROW_RADIANS = (0.1, math.pi)  # views in degrees that are common ones in radians
_MILLIMETRES = 300.0  # longest common lens
_WIDE_DEG = 140.0  # wider than almost every lens
_OTHER_FOCAL = 1.6  # ratio to EXIF's focal length: neither an error of EXIF nor a crop


def intrinsics_warnings(camera: Intrinsics, size: Size) -> tuple[str, ...]:
    """Warning about intrinsics that seem to belong to a photo of another size or orientation.

    The principal point of a camera is near the centre of its photo, so twice its coordinates are
    about the photo's sides.
    """
    height, width = size
    wide, high = 2 * camera.cx + 1, 2 * camera.cy + 1  # sides of the photo that it would suit
    off_centre = max(abs(wide / width - 1), abs(high / height - 1)) / 2
    if off_centre <= _NEAR_CENTRE:
        return ()
    suited = _suited_photo(wide, high, size)
    if not suited and off_centre <= _OFF_CENTRE:
        return ()
    text = (
        f"the principal point ({camera.cx:g}, {camera.cy:g}) is far from the centre of the "
        f"{width}x{height} photo; are the intrinsics for this size?{suited}"
    )
    return (text,)


def _suited_photo(wide: float, high: float, size: Size) -> str:
    """Sentence on the photo that the intrinsics suit instead; empty where none is evident."""
    if min(wide, high) <= 0:
        return ""
    height, width = size
    about = "x".join(str(2 * round(at / 2 - 0.25)) for at in (wide, high))  # 640 of 319.5, 320
    suited = f" They suit a photo of about {about}"
    ratio = _common_ratio(wide / width, high / height)
    if ratio is not None and not _is_same_size(ratio):
        return f"{suited}; scale the intrinsics by {1 / ratio:.3g}"
    ratio = _common_ratio(wide / height, high / width)
    nearly_square = max(size) / min(size) < _OTHER_SIZE  # an offset is likelier than a turn
    if ratio is not None and (wide > high) != (width > height) and not nearly_square:
        if _is_same_size(ratio):
            return f"{suited}, this size turned; turn the intrinsics with the photo"
        return f"{suited}, another size and turned; scale and turn the intrinsics"
    if _is_other_frame(wide / high, width / height):
        return f"{suited}; scale and crop them as the photo was"
    return ""


def _is_same_size(ratio: float) -> bool:
    return 1 / _OTHER_SIZE < ratio < _OTHER_SIZE


def _is_other_frame(shape: float, of_photo: float) -> bool:
    """True for the aspect ratio of an ordinary frame that is not the photo's.

    One camera may take video in 16:9 and photos in 4:3. Stereo pairs also have principal points
    off the centre, but match no ordinary frame.
    """
    alike = [max(shape, each) / min(shape, each) for each in (*_FRAMES, of_photo)]
    return min(alike[:-1]) < _SAME_FRAME and alike[-1] > _SAME_RATIO


def fov_warnings(fov_deg: float) -> tuple[str, ...]:
    """Warning about a field of view that seems to be in radians."""
    if not _NARROW_RADIANS[0] <= fov_deg < _NARROW_RADIANS[1]:
        return ()
    meant = math.degrees(fov_deg)
    text = (
        f"a field of view of {fov_deg:g} degrees is that of a telescope; if it is in radians, pass "
        f"{meant:.4g} degrees"
    )
    return (text,)


def focal_px_warnings(focal_px: float, size: Size) -> tuple[str, ...]:
    """Warning about a focal length in pixels that seems to be in millimetres."""
    if focal_px > _MILLIMETRES or view_deg(focal_px, size) < _WIDE_DEG:
        return ()
    text = (
        f"a focal length of {focal_px:g} px gives a field of view of "
        f"{view_deg(focal_px, size):.0f} degrees; if it is a 35 mm equivalent in millimetres, pass "
        f"{film_px(focal_px, size):.0f} px"
    )
    return (text,)


def exif_focal_warnings(focal_px: float, exif_px: float) -> tuple[str, ...]:
    """Warning about a focal length that contradicts EXIF, as that of another size does."""
    if 1 / _OTHER_FOCAL <= focal_px / exif_px <= _OTHER_FOCAL:
        return ()
    text = (
        f"the given focal length of {focal_px:.4g} px contradicts the photo's EXIF, "
        f"{exif_px:.4g} px; is it in pixels of this photo?"
    )
    return (text,)


def _common_ratio(across: float, down: float) -> float | None:
    """Ratio of two sizes, if both sides agree on it."""
    if not 1 / _SAME_RATIO <= across / down <= _SAME_RATIO:
        return None
    return math.sqrt(across * down)
