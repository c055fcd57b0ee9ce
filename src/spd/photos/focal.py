"""The focal length of a photo and where it comes from.

Metric depth scales with it, so every answer keeps its source.
"""

import dataclasses
import math
from typing import Literal, TypeAlias

from numpy.typing import ArrayLike

from spd.errors import InputError, shown
from spd.pixels import Intrinsics, Size, as_number, as_numbers

FocalSource = Literal["given", "fov", "intrinsics", "exif", "assumed", "predicted"]
"""Source: option `focal_px`, `fov_deg` or `intrinsics`; EXIF; training camera; the network."""

IntrinsicsLike: TypeAlias = Intrinsics | ArrayLike

WIDEST_FOV_DEG = 170.0  # above it no rectilinear lens exists
NARROWEST_FOV_DEG = 0.001  # a thousandth of an amateur telescope's
LARGEST_SQUEEZE = 0.05  # largest |fx / fy - 1|; calibration errors are smaller

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


def as_intrinsics(intrinsics: IntrinsicsLike) -> Intrinsics:
    """Intrinsics from a 3x3 camera matrix as OpenCV writes it, or unchanged.

    Raises:
        InputError: if the matrix has another form, or pixels are far from square.
    """
    if not isinstance(intrinsics, Intrinsics):
        expected = (
            "intrinsics must be an spd.pixels.Intrinsics or a 3x3 matrix "
            "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
        )
        matrix = as_numbers(intrinsics, expected)
        if matrix.shape != (3, 3):
            raise InputError(f"{expected}, got {shown(intrinsics)}")
        if matrix[1, 0] != 0 or list(matrix[2]) != [0, 0, 1]:
            raise InputError(f"{expected}, got {matrix.tolist()}")
        fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
        intrinsics = Intrinsics(fx, fy, cx, cy)
    if abs(intrinsics.fx / intrinsics.fy - 1) > LARGEST_SQUEEZE:
        raise InputError(
            f"focal lengths fx {intrinsics.fx:g} and fy {intrinsics.fy:g} px differ by more than "
            f"{LARGEST_SQUEEZE:.0%}, so pixels are not square; resize the photo to square pixels"
        )
    return intrinsics


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
            "in millimetres?"
        )
    if view_deg(focal_px, size) < NARROWEST_FOV_DEG:
        raise InputError(
            f"focal_px {focal_px:g} in an image of {max(size)} pixels gives a field of view below "
            f"{NARROWEST_FOV_DEG:g} degrees; is it in pixels of this image?"
        )


def view_deg(focal_px: float, size: Size) -> float:
    """Field of view along the longer side of a photo of `size`, in degrees."""
    return math.degrees(2 * math.atan(max(size) / 2 / focal_px))
