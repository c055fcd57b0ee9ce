"""How a photo becomes a network's input, whichever runtime computes it; no torch here."""

import dataclasses
import math
import warnings

import numpy as np
from jaxtyping import Float

from spd.config import PATCH, CameraConfig
from spd.photos.focal import SOURCE_WORDS, Focal, check_focal, view_deg
from spd.pixels import Size, allowed_scale, focal_from_fov, rescale

FARTHEST_VIEW = 2.0  # times the training camera's angle, or one part of so many


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePlan:
    """How a photo becomes the model's input and a point follows it.

    The photo is scaled uniformly by `scale` = focal_model / focal_photo, so that a pixel covers
    the angle it covered in training, and its right and bottom borders are repeated up to
    multiples of 14. Where size limits forbid that scale another is used and `depth_factor`
    corrects the answer: `depth * scale / wanted_scale`.
    """

    photo_size: Size
    """(height, width) of the photo."""
    scale: float
    model_size: Size
    """(height, width) of what the model sees, repeated borders included."""
    depth_factor: float
    focal: Focal
    """The photo's, or the one that is assumed."""

    @classmethod
    def make(
        cls,
        size: Size,
        camera: CameraConfig,
        focal: Focal | float | None,
    ) -> "ImagePlan":
        """Plan for a photo of `size` = (height, width); a number is a focal length in pixels."""
        if focal is None:
            focal = Focal.centred(focal_from_fov(camera.fov_deg, size), "assumed", size)
        elif not isinstance(focal, Focal):
            check_focal(focal, size)
            focal = Focal.centred(focal, "given", size)
        wanted = camera.focal_px / focal.px
        scale = allowed_scale(size, wanted)
        rows, columns = (
            max(2, math.ceil(pixels * scale / PATCH - 1e-9)) * PATCH for pixels in size
        )
        return cls(size, scale, (rows, columns), scale / wanted, focal)

    @property
    def focal_px(self) -> float:
        """Of the photo, in its own pixels."""
        return self.focal.px

    @property
    def focal_known(self) -> bool:
        """Whether metres rest on more than an assumption."""
        return self.focal.known

    def to_model(self, coordinates: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Coordinates of the photo in pixels of the model's input, by the scale alone."""
        return rescale(coordinates, self.scale)

    def describe(self) -> str:
        """One line for people: what the model sees of the photo, and what metres rest on."""
        (height, width), (rows, columns) = self.photo_size, self.model_size
        line = (
            f"{width}x{height} pixels, seen by the model at {self.scale:.3g} of that size "
            f"({columns}x{rows} with repeated borders); focal length {self.focal_px:.1f} px, "
            f"{SOURCE_WORDS[self.focal.source]}: {view_deg(self.focal_px, self.photo_size):.1f} "
            "degrees along the longer side"
        )
        if self.depth_factor != 1:
            line += f"; size limits forbid the model's scale, corrected by {self.depth_factor:.3g}"
        return line

    def assumption(self, camera: CameraConfig) -> str | None:
        """What to warn of where the focal length is not known; None where it is."""
        if self.focal_known:
            return None
        return (
            f"focal length unknown: assuming {camera.fov_deg:g} degrees along the "
            "longer side; metres rest on it, so give focal_px (spd query: --focal-px) where you "
            "know it"
        )

    def extrapolation(self, camera: CameraConfig) -> str | None:
        """What to warn of where the photo covers a much smaller or larger angle than training."""
        seen = view_deg(self.focal_px, self.photo_size)
        usual = camera.fov_deg / FARTHEST_VIEW <= seen <= camera.fov_deg * FARTHEST_VIEW
        if not self.focal_known or usual:
            return None
        return (
            f"the photo covers {seen:.0f} degrees along its longer side and the model learnt from "
            f"{camera.fov_deg:.0f}; metres are extrapolated"
        )


class PlanWarnings:
    """Tells what is to be told of plans: each kind of warning once, however many photos come."""

    def __init__(self, camera: CameraConfig) -> None:
        self._camera = camera
        self._told: set[str] = set()

    def tell(self, plan: ImagePlan) -> None:
        """Warn the caller of `encode`, which calls what calls this."""
        found = {
            "assumption": plan.assumption(self._camera),
            "extrapolation": plan.extrapolation(self._camera),
        }
        for kind, text in found.items():
            if text is not None and kind not in self._told:
                self._told.add(kind)
                warnings.warn(text, stacklevel=4)
