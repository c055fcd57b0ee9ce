"""What is said of a frame beside its pixels: its camera, its border, the part it belongs to.

The general forms know no camera of their own. It comes from the user's options, else from columns
of the data, and is otherwise unknown: the size of an image proves nothing.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from spd.data import nyu_dataset as nyu
from spd.data.folder import CameraEntry
from spd.data.sample import RGBDSample, valid_depth
from spd.data.source import Source, refuse_options
from spd.data.source_name import SourceOptions
from spd.errors import DataError
from spd.geometry import Intrinsics, Size

StatedCamera = CameraEntry | float | None
"""All four numbers, a focal length in pixels, or nothing."""

CAMERA_COLUMNS = ("fx", "fy", "cx", "cy")
FOCAL_COLUMNS = ("focal_px", "focal")
SPLITS = ("train", "val", "validation", "test")


class StatedSource(Source):
    """A source of a general form; takes the options that say what its files do not."""

    extra_options: tuple[str, ...] = ()

    def __init__(
        self, path: str | Path, split: str | None = None, options: SourceOptions | None = None
    ) -> None:
        super().__init__(path, split, options)
        check_options(self.form, self.options, self.extra_options)

    @property
    def is_nyu(self) -> bool:
        """Whether the user said so, with `camera=nyu`."""
        return self.options.camera == "nyu"


def check_options(form: str, options: SourceOptions, extra: tuple[str, ...] = ()) -> None:
    """Refuse options that a general form has no use for, and two cameras at once."""
    refuse_options(form, options, ("unit", "focal_px", "camera", "border", *extra))
    if options.camera is not None and options.focal_px is not None:
        raise DataError(f"camera={options.camera} and focal_px= are two cameras; say one of them")


def canonical_split(split: str | None) -> str | None:
    """`val` for `validation`; both are asked for by either name."""
    return "val" if split == "validation" else split


def stated_camera(cells: Mapping[str, object], where: str) -> StatedCamera:
    """The camera that columns state: fx, fy, cx and cy, or focal_px (focal), or nothing.

    Args:
        cells: values by column; None, an empty text and NaN state nothing.
        where: what messages call the row.

    Raises:
        DataError: on what is no number, a focal length that is not positive, or half a camera.
    """
    numbers = {key: _number(cells.get(key), key, where) for key in CAMERA_COLUMNS + FOCAL_COLUMNS}
    four = {key: numbers[key] for key in CAMERA_COLUMNS}
    missing = [key for key, value in four.items() if value is None]
    if not missing:
        if four["fx"] == 0 or four["fy"] == 0:
            raise DataError(f"{where}: fx and fy must not be 0")
        return CameraEntry.from_dict(four)
    if len(missing) < len(four):
        raise DataError(f"{where} lacks {', '.join(missing)} of its camera; give all four or none")
    for key in FOCAL_COLUMNS:
        focal = numbers[key]
        if focal is not None:
            if focal <= 0:
                raise DataError(f"{where}: {key} is {focal:g}, expected a positive number")
            return focal
    return None


def _number(value: object, key: str, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(str(value))
    except ValueError:
        raise DataError(f"{where}: {key} is {value!r}, expected a number") from None
    if math.isinf(number):
        raise DataError(f"{where}: {key} is {value!r}, expected a finite number")
    return None if math.isnan(number) else number


def has_focal(stated: StatedCamera, options: SourceOptions) -> bool:
    """Whether a frame's focal length is known, from its data or from the user."""
    return stated is not None or options.camera is not None or options.focal_px is not None


def make_sample(
    image: UInt8[np.ndarray, "h w 3"],
    depth_m: Float[np.ndarray, "hd wd"],
    stated: StatedCamera,
    options: SourceOptions,
    name: str,
) -> RGBDSample:
    """The sample of these pixels; what the user said goes before what the data states."""
    size = (image.shape[0], image.shape[1])
    valid = valid_depth(depth_m)
    if options.border == "nyu" or (options.camera == "nyu" and options.border is None):
        valid &= nyu.inside_border((depth_m.shape[0], depth_m.shape[1]))
    return RGBDSample(image, depth_m, valid, _camera(stated, options, size, name), name)


def _camera(
    stated: StatedCamera, options: SourceOptions, size: Size, name: str
) -> Intrinsics | None:
    if options.camera == "nyu":
        return nyu.camera_of(size, name)
    focal = stated if options.focal_px is None else options.focal_px
    if isinstance(focal, CameraEntry):
        return focal.intrinsics()
    return None if focal is None else Intrinsics.centred(focal, size)
