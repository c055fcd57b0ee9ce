"""The focal length of a photo and where it comes from.

Metric depth scales with it, so every answer keeps its source.
"""

import dataclasses
import math
from typing import Literal

from spd.errors import InputError
from spd.pixels import Intrinsics, Size, as_number

FocalSource = Literal["given", "fov", "intrinsics", "exif", "assumed", "predicted"]
"""Source: option `focal_px`, `fov_deg` or `intrinsics`; EXIF; training camera; the network."""

WIDEST_FOV_DEG = 170.0  # above it no rectilinear lens exists
FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
"""Diagonal of 35 mm film, which defines equivalent focal lengths (CIPA DCG-001)."""
NARROWEST_FOV_DEG = 0.001  # a thousandth of an amateur telescope's

SOURCE_WORDS: dict[FocalSource, str] = {
    "given": "as given",
    "fov": "from the field of view",
    "intrinsics": "from the intrinsics",
    "exif": "from EXIF",
    "assumed": "assumed",
    "predicted": "predicted by the model",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Focal:
    """Focal length of a photo, its source, and the pinhole camera that follows from it."""

    px: float
    """Focal length in the photo's own pixels."""
    source: FocalSource
    intrinsics: Intrinsics
    """Given intrinsics, or square pixels with the principal point in the centre."""

    @classmethod
    def centred(cls, px: float, source: FocalSource, size: Size) -> "Focal":
        """Focal length with square pixels and the principal point in the centre of `size`."""
        return cls(px, source, Intrinsics.centred(px, size))

    @property
    def known(self) -> bool:
        """True if it comes from the user or the file, not from an assumption or the network."""
        return self.source not in ("assumed", "predicted")


def check_focal(focal_px: float, size: Size) -> None:
    """Refuse a focal length in pixels that is impossible for a photo of `size`.

    Raises:
        InputError: if it is not a positive number, or the field of view is below 0.001 or over 170
            degrees.
    """
    expected = "focal_px must be a positive number of pixels"
    focal_px = as_number(focal_px, expected)
    if not (math.isfinite(focal_px) and focal_px > 0):
        raise InputError(f"{expected}, got {focal_px}")
    if view_deg(focal_px, size) > WIDEST_FOV_DEG:
        raise InputError(
            f"focal_px {focal_px:g} in an image of {max(size)} pixels gives a field of view of "
            f"{view_deg(focal_px, size):.0f} degrees; is it in pixels of this image, rather than "
            f"in millimetres? As a 35 mm equivalent it would be {film_px(focal_px, size):.0f} px"
        )
    if view_deg(focal_px, size) < NARROWEST_FOV_DEG:
        raise InputError(
            f"focal_px {focal_px:g} in an image of {max(size)} pixels gives a field of view below "
            f"{NARROWEST_FOV_DEG:g} degrees; is it in pixels of this image?"
        )


def film_px(film_mm: float, size: Size) -> float:
    """Focal length in pixels of a 35 mm equivalent, which is an angle over the diagonal."""
    return film_mm / FILM_DIAGONAL_MM * math.hypot(*size)


def view_deg(focal_px: float, size: Size) -> float:
    """Field of view along the longer side of a photo of `size`, in degrees."""
    return math.degrees(2 * math.atan(max(size) / 2 / focal_px))
