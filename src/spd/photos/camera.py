"""The camera of a photo as its user describes it."""

import dataclasses

from spd.errors import InputError
from spd.photos.camera_matrix import IntrinsicsLike, as_intrinsics
from spd.photos.camera_warnings import (
    exif_focal_warnings,
    focal_px_warnings,
    fov_warnings,
    intrinsics_warnings,
)
from spd.photos.distortion import Distortion, DistortionLike
from spd.photos.focal import (
    NARROWEST_FOV_DEG,
    WIDEST_FOV_DEG,
    Focal,
    check_focal,
    view_deg,
)
from spd.pixels import Intrinsics, Size, as_number, focal_from_fov


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CameraOptions:
    """Camera options of one photo: at most one of focal length, field of view and intrinsics.

    Raises:
        InputError: if more than one of them is given, pixels are far from square, or distortion
            comes without intrinsics.
    """

    focal_px: float | None = None
    """Focal length in pixels of the photo."""
    fov_deg: float | None = None
    """Field of view along the longer side, in degrees."""
    intrinsics: Intrinsics | None = None
    """Focal lengths and principal point in pixels of the photo."""
    distortion: Distortion | None = None
    """Lens distortion; it changes the rays of pixels, not their depth."""

    def __post_init__(self) -> None:
        names = ("focal_px", "fov_deg", "intrinsics")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(
                f"pass only one of focal_px, fov_deg and intrinsics, got {' and '.join(given)}"
            )
        for name, unit in (("focal_px", "pixels"), ("fov_deg", "degrees")):
            value = getattr(self, name)
            if value is not None:
                number = as_number(value, f"{name} must be a positive number of {unit}")
                object.__setattr__(self, name, number)
        if self.intrinsics is not None:
            object.__setattr__(self, "intrinsics", as_intrinsics(self.intrinsics))
        if self.distortion is not None and self.intrinsics is None:
            raise InputError(
                "distortion requires intrinsics (fx, fy, cx, cy); camera calibration gives both"
            )

    @classmethod
    def of(
        cls,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        intrinsics: IntrinsicsLike | None = None,
        distortion: DistortionLike | None = None,
    ) -> "CameraOptions":
        """Camera options from keyword arguments; intrinsics in any form of `as_intrinsics`.

        Raises:
            InputError: if the options contradict each other or have another form.
        """
        return cls(
            focal_px=focal_px,
            fov_deg=fov_deg,
            intrinsics=None if intrinsics is None else as_intrinsics(intrinsics),
            distortion=None if distortion is None else Distortion.of(distortion),
        )

    @property
    def has_focal(self) -> bool:
        """True if the user gives a focal length in any form."""
        return any(value is not None for value in (self.focal_px, self.fov_deg, self.intrinsics))

    def focal(self, size: Size, exif_px: float | None = None) -> Focal | None:
        """Focal length of a photo; None where neither the options nor its file state one.

        Args:
            size: (height, width) of the upright photo.
            exif_px: focal length in pixels from the file's EXIF; used only if no option is given.

        Raises:
            InputError: if the focal length or field of view is impossible for this photo.
        """
        if self.intrinsics is not None:
            check_focal(self.intrinsics.focal_px, size)
            return Focal(self.intrinsics.focal_px, "intrinsics", self.intrinsics)
        if self.fov_deg is not None:
            if not NARROWEST_FOV_DEG <= self.fov_deg <= WIDEST_FOV_DEG:
                raise InputError(
                    f"fov_deg (along the longer side) must be between {NARROWEST_FOV_DEG:g} and "
                    f"{WIDEST_FOV_DEG:g} degrees, got {self.fov_deg:g}"
                )
            return Focal.centred(focal_from_fov(self.fov_deg, size), "fov", size)
        if self.focal_px is not None:
            check_focal(self.focal_px, size)
            return Focal.centred(self.focal_px, "given", size)
        if exif_px is None or view_deg(exif_px, size) > WIDEST_FOV_DEG:
            return None
        return Focal.centred(exif_px, "exif", size)

    def warnings(self, size: Size, exif_px: float | None = None) -> tuple[str, ...]:
        """Reasons to doubt that the camera belongs to a photo of `size`.

        Args:
            size: (height, width) of the upright photo.
            exif_px: focal length in pixels from the file's EXIF, where it is beyond doubt.
        """
        if not self.has_focal:
            return ()
        focal = self.focal(size)
        if focal is None:
            return ()
        if self.intrinsics is not None:
            found = focal_px_warnings(focal.px, size) + intrinsics_warnings(self.intrinsics, size)
        elif self.fov_deg is not None:
            found = fov_warnings(self.fov_deg)
        else:
            found = focal_px_warnings(focal.px, size)
        if found or exif_px is None:
            return found
        return exif_focal_warnings(focal.px, exif_px)
