"""Doubts about a camera: numbers that are possible, but probably not meant for this photo."""

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


def doubts_of_intrinsics(camera: Intrinsics, size: Size) -> tuple[str, ...]:
    """Whether intrinsics seem to belong to a photo of another size or orientation.

    The principal point of a camera is near the middle of its photo, so twice its coordinates are
    about the photo's sides.
    """
    height, width = size
    wide, high = 2 * camera.cx + 1, 2 * camera.cy + 1  # sides of the photo that it would suit
    if max(abs(wide / width - 1), abs(high / height - 1)) / 2 <= _NEAR_CENTRE:
        return ()
    far = (
        f"the principal point ({camera.cx:g}, {camera.cy:g}) is far from the centre of the "
        f"{width}x{height} photo"
    )
    if min(wide, high) > 0:
        about = "x".join(str(2 * round(at / 2 - 0.25)) for at in (wide, high))  # 640 of 319.5, 320
        for seen, turned in (((width, height), False), ((height, width), True)):
            ratio = _common_ratio(wide / seen[0], high / seen[1])
            if ratio is None or (not turned and 1 / _OTHER_SIZE < ratio < _OTHER_SIZE):
                continue
            if turned and (wide > high) == (width > height):
                continue
            if turned and max(size) / min(size) < _OTHER_SIZE:  # nearly square: an offset, likelier
                continue
            other = f"a photo of about {about}"
            if turned and 1 / _OTHER_SIZE < ratio < _OTHER_SIZE:
                text = f"{other}, this size turned; turn the intrinsics with the photo"
            elif turned:
                text = f"{other}, another size and turned; scale and turn the intrinsics"
            else:
                text = f"{other}; scale the intrinsics by {1 / ratio:.3g}"
            return (f"{far}; are the intrinsics for this size? They suit {text}",)
        if _is_other_frame(wide / high, width / height):
            text = f"a photo of about {about}; scale and crop them as the photo was"
            return (f"{far}; are the intrinsics for this size? They suit {text}",)
    if max(abs(wide / width - 1), abs(high / height - 1)) / 2 <= _OFF_CENTRE:
        return ()
    return (f"{far}; are the intrinsics for this size?",)


def _is_other_frame(shape: float, of_photo: float) -> bool:
    """Whether a shape is that of an ordinary frame, and another than the photo's.

    As of video of 16:9 and a photo of 4:3 by one camera. The principal points of stereo pairs,
    which are off the centre too, suit no such frame.
    """
    alike = [max(shape, each) / min(shape, each) for each in (*_FRAMES, of_photo)]
    return min(alike[:-1]) < _SAME_FRAME and alike[-1] > _SAME_RATIO


def doubts_of_fov(fov_deg: float) -> tuple[str, ...]:
    """Whether a field of view seems to be in radians."""
    if not _NARROW_RADIANS[0] <= fov_deg < _NARROW_RADIANS[1]:
        return ()
    meant = math.degrees(fov_deg)
    text = (
        f"a field of view of {fov_deg:g} degrees is that of a telescope; if it is in radians, pass "
        f"{meant:.4g} degrees"
    )
    return (text,)


def doubts_of_focal(focal_px: float, size: Size) -> tuple[str, ...]:
    """Whether a focal length in pixels seems to be in millimetres."""
    if focal_px > _MILLIMETRES or view_deg(focal_px, size) < _WIDE_DEG:
        return ()
    text = (
        f"a focal length of {focal_px:g} px gives a field of view of "
        f"{view_deg(focal_px, size):.0f} degrees; if it is a 35 mm equivalent in millimetres, pass "
        f"{film_px(focal_px, size):.0f} px"
    )
    return (text,)


def doubts_of_other_focal(focal_px: float, exif_px: float) -> tuple[str, ...]:
    """Whether a given focal length contradicts the photo's EXIF, as that of another size does."""
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
