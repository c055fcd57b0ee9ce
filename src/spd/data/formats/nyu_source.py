"""Camera and border of NYU Depth V2, shared by its formats."""

import numpy as np
from jaxtyping import Float

from spd.data import nyu_dataset as nyu
from spd.data.sample import RGBDSample, valid_depth
from spd.data.source import Source
from spd.photos.reading import RGBImage
from spd.pixels import Intrinsics, Size


class NyuSource(Source):
    """Frames of NYU Depth V2; all its formats take the options `focal_px=` and `border=`."""

    @property
    def is_nyu(self) -> bool:
        """Always true."""
        return True

    def sample(
        self,
        image: RGBImage,
        depth_m: Float[np.ndarray, "h w"],
        name: str,
        *,
        where: str,
        camera: Intrinsics | None = None,
        orientation: int = 1,
    ) -> RGBDSample:
        """Make a sample with NYU's camera, or the given one of this frame; its border is masked.

        The depth is camera z in metres, float32. Messages name the file `where`. The image was
        turned by its EXIF `orientation`.

        Raises:
            DataError: if no camera is given and the image is not an exact reduction of 480x640.
        """
        size = image.shape[0], image.shape[1]
        if self.options.focal_px is not None:
            camera = Intrinsics.centred(self.options.focal_px, size)
        if camera is None:
            camera = nyu.camera_of(size, where)
        valid = valid_depth(depth_m, self.max_depth_m)
        depth_size = depth_m.shape[0], depth_m.shape[1]
        if self._has_border(depth_size):
            valid &= nyu.inside_border(depth_size)
        return RGBDSample(
            image,
            depth_m,
            valid,
            camera,
            name,
            max_depth_m=self.max_depth_m,
            orientation=orientation,
        )

    def _has_border(self, size: Size) -> bool:
        """The option `border=`, else whether the frame has NYU's proportions; crops have not."""
        if self.options.border is not None:
            return self.options.border == "nyu"
        return abs(size[0] * nyu.SIZE[1] / (size[1] * nyu.SIZE[0]) - 1) <= 0.005
