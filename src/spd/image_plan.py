"""How a photo becomes a network's input, whichever runtime computes it; no torch here."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from spd.config import PATCH, CameraConfig
from spd.pixels import Size, allowed_scale, focal_from_fov
from spd.scenes import check_focal


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePlan:
    """How a photo becomes the model's input and a point follows it.

    The photo is scaled uniformly by `scale` = focal_model / focal_photo, so that a pixel covers
    the angle it covered in training, and its right and bottom borders are repeated up to
    multiples of 14. Where size limits forbid that scale another is used and `depth_factor`
    corrects the answer: `depth * scale / wanted_scale`.
    """

    scale: float
    model_size: Size
    depth_factor: float
    focal_px: float
    focal_known: bool

    @classmethod
    def make(cls, size: Size, camera: CameraConfig, focal_px: float | None) -> "ImagePlan":
        """Plan for a photo of `size` = (height, width) pixels."""
        if focal_px is not None:
            check_focal(focal_px, size)
        focal = focal_px if focal_px is not None else focal_from_fov(camera.fov_deg, size)
        wanted = camera.focal_px / focal
        scale = allowed_scale(size, wanted)
        rows, columns = (
            max(2, math.ceil(pixels * scale / PATCH - 1e-9)) * PATCH for pixels in size
        )
        return cls(scale, (rows, columns), scale / wanted, focal, focal_px is not None)

    def to_model(self, coordinates: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Coordinates of the photo in pixels of the model's input, by the scale alone."""
        return (coordinates + 0.5) * self.scale - 0.5

    def assumption(self, camera: CameraConfig) -> str | None:
        """What to warn of where the focal length is not known; None where it is."""
        if self.focal_known:
            return None
        return (
            f"focal length unknown: assuming {camera.fov_deg:g} degrees along the "
            "longer side; metres rest on it, so give focal_px (spd query: --focal-px) where you "
            "know it"
        )
