"""Plan of the resampling from a photo to a network's input; without torch."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from spd.config import PATCH, CameraConfig
from spd.photos.focal import SOURCE_WORDS, Focal, check_focal, view_deg
from spd.pixels import MAX_INPUT_PIXELS, Size, allowed_scale, focal_from_fov, rescale

FARTHEST_VIEW = 2.0  # factor to the training field of view beyond which depth is extrapolated


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePlan:
    """Resampling of a photo to the model's input, and the mapping of points.

    The photo is scaled uniformly by `scale` = focal_model / focal_photo, so that a pixel covers
    the angle it covered in training, and its right and bottom borders are repeated up to
    multiples of 14. Where size limits forbid that scale another is used and `depth_factor`
    corrects the answer: `depth * scale / wanted_scale`.
    """

    photo_size: Size
    """(height, width) of the photo."""
    scale: float
    model_size: Size
    """(height, width) of the network's input, repeated borders included."""
    depth_factor: float
    focal: Focal
    """Focal length of the photo, known or assumed."""

    @classmethod
    def make(
        cls,
        size: Size,
        camera: CameraConfig,
        focal: Focal | float | None,
        max_input_pixels: int = MAX_INPUT_PIXELS,
    ) -> "ImagePlan":
        """Plan for a photo.

        Args:
            size: (height, width) of the photo.
            camera: the camera that the model was trained with.
            focal: focal length of the photo (a number: in pixels); None: assume that camera's view.
            max_input_pixels: most pixels of the network's input; the scale is lowered to it.

        Raises:
            InputError: if the focal length is impossible for this size.
        """
        if focal is None:
            focal = Focal.centred(focal_from_fov(camera.fov_deg, size), "assumed", size)
        elif not isinstance(focal, Focal):
            check_focal(focal, size)
            focal = Focal.centred(focal, "given", size)
        wanted = camera.focal_px / focal.px
        scale = allowed_scale(size, wanted, max_input_pixels)
        rows, columns = (
            max(2, math.ceil(pixels * scale / PATCH - 1e-9)) * PATCH for pixels in size
        )
        return cls(size, scale, (rows, columns), scale / wanted, focal)

    def to_model(self, coordinates: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Coordinates of the photo in pixels of the network's input."""
        return rescale(coordinates, self.scale)

    def describe(self) -> str:
        """One line of text: size of the network's input, and the focal length used."""
        (height, width), (rows, columns) = self.photo_size, self.model_size
        line = (
            f"{width}x{height} photo, resized for the model by a factor of {self.scale:.3g} "
            f"({columns}x{rows} with edge padding); focal length {self.focal.px:.1f} px "
            f"({SOURCE_WORDS[self.focal.source]}), a field of view of "
            f"{view_deg(self.focal.px, self.photo_size):.1f} degrees along the longer side"
        )
        if self.depth_factor != 1:
            line += (
                "; size limits rule out the training scale, so depth is corrected by a factor of "
                f"{self.depth_factor:.3g}"
            )
        return line

    def warnings(self, camera: CameraConfig) -> tuple[str, ...]:
        """Reasons to doubt the metres of this photo.

        Args:
            camera: the camera that the model was trained with.
        """
        if not self.focal.known:
            text = (
                f"focal length unknown: assuming a field of view of {camera.fov_deg:g} degrees "
                "along the longer side; depth is only as accurate as the focal length, so pass "
                "focal_px (spd query: --focal-px; spd batch: a table's column focal_px) if you "
                "know it"
            )
            return (text,)
        seen = view_deg(self.focal.px, self.photo_size)
        if camera.fov_deg / FARTHEST_VIEW <= seen <= camera.fov_deg * FARTHEST_VIEW:
            return ()
        text = (
            f"the photo covers {seen:.0f} degrees along its longer side, but the model was trained "
            f"at {camera.fov_deg:.0f} degrees; depths are extrapolated"
        )
        return (text,)
