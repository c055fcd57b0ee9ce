"""The focal length of a photo: who said it, and that only one did.

Metres rest on it, so an answer keeps where it came from. What the caller gives stands before what
the file says, and two givers are refused even where they agree: one of them would go unused.
"""

import dataclasses
import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from spd.errors import InputError
from spd.pixels import Intrinsics, Size, focal_from_fov

FocalSource = Literal["given", "fov", "intrinsics", "exif", "assumed", "predicted"]
"""From `focal_px`, `fov_deg`, `intrinsics` or the file; of the training camera; by the network."""

IntrinsicsLike: TypeAlias = Intrinsics | ArrayLike

WIDEST_FOV_DEG = 170.0  # no lens that maps straight lines to straight lines sees more
NARROWEST_FOV_DEG = 0.001  # a thousandth of what telescopes of amateurs see
LARGEST_SQUEEZE = 0.05  # of fx over fy; a calibration's own error is below this

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
    """What is known of a photo's camera."""

    px: float
    """Focal length in the photo's own pixels."""
    source: FocalSource
    intrinsics: Intrinsics
    """Those given, or square pixels with the principal point in the middle."""

    @classmethod
    def centred(cls, px: float, source: FocalSource, size: Size) -> "Focal":
        """Of a photo of `size` whose camera is known by its focal length alone."""
        return cls(px, source, Intrinsics.centred(px, size))

    @property
    def known(self) -> bool:
        """Whether somebody said it who can know."""
        return self.source not in ("assumed", "predicted")


def choose_focal(
    size: Size,
    exif_px: float | None,
    *,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    intrinsics: IntrinsicsLike | None = None,
) -> Focal | None:
    """The focal length of a photo of `size` = (height, width); None where nobody says it.

    Args:
        size: of the upright photo.
        exif_px: what its file says, in pixels; taken only where nothing is given.
        focal_px: in pixels of the photo.
        fov_deg: field of view along the longer side, in degrees.
        intrinsics: the whole camera, or its 3x3 matrix.

    Raises:
        InputError: if more than one is given, or what is given cannot be.
    """
    options = {"focal_px": focal_px, "fov_deg": fov_deg, "intrinsics": intrinsics}
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise InputError(f"give one of focal_px, fov_deg and intrinsics, got {' and '.join(given)}")
    if intrinsics is not None:
        camera = as_intrinsics(intrinsics)
        check_focal(camera.focal_px, size)
        return Focal(camera.focal_px, "intrinsics", camera)
    if fov_deg is not None:
        if not NARROWEST_FOV_DEG <= fov_deg <= WIDEST_FOV_DEG:
            raise InputError(
                f"fov_deg must be at least {NARROWEST_FOV_DEG:g} and at most {WIDEST_FOV_DEG:g} "
                f"degrees, along the longer side, got {fov_deg:g}"
            )
        return Focal.centred(focal_from_fov(fov_deg, size), "fov", size)
    if focal_px is not None:
        check_focal(focal_px, size)
        return Focal.centred(focal_px, "given", size)
    if exif_px is None or view_deg(exif_px, size) > WIDEST_FOV_DEG:
        return None
    return Focal.centred(exif_px, "exif", size)


def as_intrinsics(intrinsics: IntrinsicsLike) -> Intrinsics:
    """A camera, from itself or from its 3x3 matrix as OpenCV has it.

    Raises:
        InputError: if the matrix has another form, or the pixels are far from square.
    """
    if not isinstance(intrinsics, Intrinsics):
        try:
            matrix = np.asarray(intrinsics, dtype=np.float64)
        except (TypeError, ValueError):
            matrix = np.empty(0)
        if matrix.shape != (3, 3) or matrix[1, 0] != 0 or list(matrix[2]) != [0, 0, 1]:
            raise InputError(
                "intrinsics must be spd.pixels.Intrinsics or a 3x3 matrix "
                "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
            )
        fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
        intrinsics = Intrinsics(fx, fy, cx, cy)
    if abs(intrinsics.fx / intrinsics.fy - 1) > LARGEST_SQUEEZE:
        raise InputError(
            f"focal lengths fx {intrinsics.fx:g} and fy {intrinsics.fy:g} px differ by more than "
            f"{LARGEST_SQUEEZE:.0%}: the photo is squeezed; resize it so that its pixels are square"
        )
    return intrinsics


def check_focal(focal_px: float, size: Size) -> None:
    """Refuse what cannot be a photo's focal length in its own pixels."""
    if not (math.isfinite(focal_px) and focal_px > 0):
        raise InputError(f"focal_px must be a positive number of pixels, got {focal_px}")
    if view_deg(focal_px, size) > WIDEST_FOV_DEG:
        raise InputError(
            f"focal_px {focal_px:g} over {max(size)} pixels is a field of view of "
            f"{view_deg(focal_px, size):.0f} degrees; is it in pixels of this image, not in "
            "millimetres?"
        )


def view_deg(focal_px: float, size: Size) -> float:
    """The angle that a photo of `size` covers along its longer side."""
    return math.degrees(2 * math.atan(max(size) / 2 / focal_px))
