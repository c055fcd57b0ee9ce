"""What every form of NYU Depth V2 shares: its camera, its border, what a user may say instead."""

import numpy as np
from jaxtyping import Float

from spd.data import nyu_dataset as nyu
from spd.data.depth_units import Unit
from spd.data.sample import RGBDSample, valid_depth
from spd.data.source import Source
from spd.geometry import Intrinsics, Size
from spd.photos.reading import RGBImage


class NyuSource(Source):
    """Frames of NYU Depth V2; options `focal_px=` and `border=` hold for all its forms."""

    @property
    def is_nyu(self) -> bool:
        """By its form."""
        return True

    def sample(
        self,
        image: RGBImage,
        depth_m: Float[np.ndarray, "h w"],
        name: str,
        *,
        where: str,
        camera: Intrinsics | None = None,
    ) -> RGBDSample:
        """A sample with NYU's camera and without the readings of its border.

        Args:
            image: as the file has it.
            depth_m: likewise.
            name: of the frame.
            where: the file, for messages.
            camera: what the files say of this frame, instead of NYU's.

        Raises:
            DataError: if no camera is given and the image is no exact reduction of 480x640.
        """
        size = image.shape[0], image.shape[1]
        if self.options.focal_px is not None:
            camera = Intrinsics.centred(self.options.focal_px, size)
        if camera is None:
            camera = nyu.camera_of(size, where)
        valid = valid_depth(depth_m)
        if self._has_border((depth_m.shape[0], depth_m.shape[1])):
            valid &= nyu.inside_border((depth_m.shape[0], depth_m.shape[1]))
        return RGBDSample(image, depth_m, valid, camera, name)

    def _has_border(self, size: Size) -> bool:
        """What was said, else whether the frame has NYU's proportions: crops have lost it."""
        if self.options.border is not None:
            return self.options.border == "nyu"
        return abs(size[0] * nyu.SIZE[1] / (size[1] * nyu.SIZE[0]) - 1) <= 0.005


def unit_words(unit: Unit) -> str:
    """The unit as tables show it."""
    return f"{unit:g} to the metre" if isinstance(unit, float) else f"{unit}s"
