"""Camera, border and official split of NYU Depth V2 (Silberman et al. 2012).

It has 1,449 labelled frames: 795 train, 654 test. They are numbered here from 0, like the files of
BTS (`rgb_00045.jpg` is number 45); `splits.mat` counts from 1. Larger training sets (24,231 frames
of BTS, 47,584 of fast-depth) come from the raw video of the training scenes alone.
"""

import functools
import re
from importlib import resources

import numpy as np
from jaxtyping import Bool

from spd.errors import DataError
from spd.pixels import Intrinsics, Size

SIZE: Size = (480, 640)
# The colour camera of the official toolbox, to which depth was projected.
CAMERA = Intrinsics(fx=518.8579, fy=519.46961, cx=325.58245, cy=253.73617)
# Projection left a white border; readings outside these rows and columns are not trusted.
VALID_ROWS, VALID_COLUMNS = slice(7, 474), slice(7, 632)
LABELLED_FRAMES = 1449
TEST_FRAMES = 654
FAST_DEPTH_TRAINING_FRAMES = 47_584
BTS_TRAINING_FRAMES = 24_231
DENSE_LIST_FRAMES = 36_253  # of NeWCRFs and PixelFormer, each line with two depth maps


def camera_of(size: Size, name: str) -> Intrinsics:
    """NYU's camera at this size, which must be 480x640 or an exact reduction of it.

    Raises:
        DataError: if the sides are scaled differently: such frames were squeezed or cropped and
            have another focal length.
    """
    scale_y, scale_x = size[0] / SIZE[0], size[1] / SIZE[1]
    if abs(scale_y / scale_x - 1) > 0.005:
        raise DataError(
            f"{name} is {size[0]}x{size[1]}, which is {scale_y:.3f} times the height and "
            f"{scale_x:.3f} times the width of NYU's 480x640: the frame was squeezed or cropped, "
            "so NYU's focal length does not apply. Use the 480x640 frames, or pass the correct "
            "focal length with focal_px="
        )
    return CAMERA.resized(scale_x, scale_y)


def inside_border(size: Size) -> Bool[np.ndarray, "h w"]:
    """Mask of the scene, without the white border of the projection, at this size."""
    inside = np.zeros(size, dtype=bool)
    rows, columns = (
        slice(-(-s.start * n // full), s.stop * n // full)
        for s, n, full in zip((VALID_ROWS, VALID_COLUMNS), size, SIZE, strict=True)
    )
    inside[rows, columns] = True
    return inside


@functools.cache
def official_test_frames() -> frozenset[int]:
    """Numbers, from 0, of the 654 labelled frames of the official test set (`splits.mat`)."""
    numbers: set[int] = set()
    for part in _text("official_test_frames.txt").split():
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


@functools.cache
def training_scenes() -> frozenset[str]:
    """Names of the raw scenes of the training set, such as `kitchen_0028b` (BTS's list)."""
    return frozenset(_text("training_scenes.txt").split())


def is_test_scene(scene: str) -> bool:
    """Whether a scene of NYU's raw video is outside the training set.

    False for names that do not look like NYU's (`kitchen_0028b`).
    """
    return (
        re.fullmatch(r"[a-z_]+_\d{1,4}[a-z]?", scene) is not None and scene not in training_scenes()
    )


def _text(name: str) -> str:
    return resources.files("spd.data.nyu").joinpath(name).read_text(encoding="utf-8")
