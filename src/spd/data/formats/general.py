"""Camera, border and split of frames in the general formats.

These formats have no camera of their own. It comes from the user's options, else from columns of
the data, and is otherwise unknown: the size of an image does not determine it.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spd.data import nyu_dataset as nyu
from spd.data.frame_index import CameraEntry
from spd.data.ray_length import z_of_range
from spd.data.sample import RGBDSample, valid_depth
from spd.data.source import Source
from spd.errors import DataError
from spd.photos.reading import RGBImage
from spd.pixels import Intrinsics

CameraColumns = CameraEntry | float | None
"""Camera in a row of data: all four numbers, a focal length in pixels, or nothing."""

CAMERA_COLUMNS = ("fx", "fy", "cx", "cy")
FOCAL_COLUMNS = ("focal_px", "focal")
SPLITS = ("train", "val", "validation", "test")


class GeneralSource(Source):
    """A source of a general format, with options for the camera, the border and the unit."""

    allowed_options: ClassVar[tuple[str, ...]] = ("unit", "depth", "focal_px", "camera", "border")
    allowed_depths: ClassVar[tuple[str, ...]] = ("range",)

    @property
    def is_nyu(self) -> bool:
        """Whether the user passed `camera=nyu`."""
        return self.options.camera == "nyu"

    def has_focal(self, camera: CameraColumns) -> bool:
        """Whether a frame's focal length is known, from its data or from the user."""
        return self.is_nyu or camera is not None or self.options.focal_px is not None

    def make_sample(
        self,
        image: RGBImage,
        depth_m: Float[np.ndarray, "hd wd"],
        camera: CameraColumns,
        name: str,
        orientation: int = 1,
    ) -> RGBDSample:
        """Make a sample of these pixels; the user's options override the camera in the data.

        The image was turned by its EXIF `orientation`.
        """
        size = (image.shape[0], image.shape[1])
        if self.options.focal_px is not None:
            camera = self.options.focal_px
        intrinsics: Intrinsics | None
        if self.is_nyu:
            intrinsics = nyu.camera_of(size, name)
        elif isinstance(camera, CameraEntry):
            intrinsics = camera.intrinsics()
        else:
            intrinsics = None if camera is None else Intrinsics.centred(camera, size)
        if self.options.depth == "range":
            depth_m = z_of_range(depth_m, intrinsics, size, name)
        max_m = self.max_depth_m
        valid = valid_depth(depth_m, max_m)
        if self.options.border == "nyu" or (self.is_nyu and self.options.border is None):
            valid &= nyu.inside_border((depth_m.shape[0], depth_m.shape[1]))
        return RGBDSample(
            image, depth_m, valid, intrinsics, name, max_depth_m=max_m, orientation=orientation
        )


def canonical_split(split: str | None) -> str | None:
    """Name of the split, with `val` for `validation`; users may write either."""
    return "val" if split == "validation" else split


def camera_columns(cells: Mapping[str, object], where: str) -> CameraColumns:
    """Camera from the columns fx, fy, cx and cy, or focal_px (focal); None without any.

    None, an empty text and NaN count as empty cells. Messages name the row `where`.

    Raises:
        DataError: on a value that is not a number, a focal length that is not positive, or an
            incomplete camera.
    """
    numbers = {key: _number(cells.get(key), key, where) for key in CAMERA_COLUMNS + FOCAL_COLUMNS}
    four = {key: numbers[key] for key in CAMERA_COLUMNS}
    missing = [key for key, value in four.items() if value is None]
    if not missing:
        if four["fx"] == 0 or four["fy"] == 0:
            raise DataError(f"{where}: fx and fy must not be 0")
        return CameraEntry.from_dict(four)
    if len(missing) < len(four):
        raise DataError(
            f"{where}: the camera lacks {', '.join(missing)}; give all of fx, fy, cx and cy, or "
            "none"
        )
    for key in FOCAL_COLUMNS:
        focal = numbers[key]
        if focal is not None:
            if focal <= 0:
                raise DataError(f"{where}: {key} is {focal:g}; expected a positive number")
            return focal
    return None


def _number(value: object, key: str, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(str(value))
    except ValueError:
        raise DataError(f"{where}: {key} is {value!r}; expected a number") from None
    if math.isinf(number):
        raise DataError(f"{where}: {key} is {value!r}; expected a finite number")
    return None if math.isnan(number) else number
