"""Check before a run that training and evaluation use the same focal length.

The metric scale of one photo comes from its focal length. A network trained at one focal length and
evaluated at another is wrong by their ratio, while every loss and curve looks healthy.
"""

from collections.abc import Iterator

import numpy as np

from spd.config import CameraConfig
from spd.data import nyu_dataset as nyu
from spd.data.sample import RGBDSample
from spd.data.source import Source
from spd.data.sources import Samples
from spd.data.transforms import training_view
from spd.data.views import frame_camera
from spd.errors import DataError
from spd.pixels import allowed_scale

FRAMES_CHECKED = 3  # frames of each source: the first, the middle and the last
NYU_TOLERANCE = 0.001
TOLERANCE = 0.005  # tolerance for other sources, whose focal lengths and sizes are often rounded
NYU_CAMERA_TOLERANCE = 0.005


def check_focal_lengths(train: Samples, validation: Samples, camera: CameraConfig) -> None:
    """Refuse a run whose training and evaluation differ in focal length.

    Compares, on a few frames of each source, the views that `training_view` makes for training
    with the input that the predictor makes for validation, its size limits included. Frames of
    unknown focal length are skipped, as they are neither trained on nor scored. `validation` may
    be empty.

    Raises:
        DataError: if they differ by more than 0.1 % where NYU is involved, or 0.5 % elsewhere; if
            a frame of NYU has another camera than NYU's; if a frame is squeezed.
    """
    trained = [
        (_name(source, sample), source.is_nyu, focal_in_training(sample, camera))
        for source, sample in _some_frames(train)
    ]
    for source, sample in _some_frames(validation):
        focal_px = focal_in_evaluation(sample, camera)
        for name, is_nyu, trained_px in trained:
            tolerance = NYU_TOLERANCE if is_nyu or source.is_nyu else TOLERANCE
            error = abs(focal_px / trained_px - 1)
            if error > tolerance:
                raise DataError(
                    f"the focal length differs between validation and training: the network sees "
                    f"{_name(source, sample)} at {focal_px:.1f} px, but {name} at "
                    f"{trained_px:.1f} px, so depth would be off by {error:.1%}; use validation "
                    "frames that have 28 to 1400 pixels per side when resampled to the training "
                    "camera's focal length, or correct their intrinsics"
                )


def focal_in_training(sample: RGBDSample, camera: CameraConfig) -> float:
    """Focal length, in pixels, of the network's input in training."""
    view = training_view(sample, camera, 1, np.random.default_rng(0), augment=True)
    return view.intrinsics.focal_px


def focal_in_evaluation(sample: RGBDSample, camera: CameraConfig) -> float:
    """Focal length, in pixels, of the network's input when the predictor gets the whole photo."""
    focal_px = frame_camera(sample).focal_px
    return focal_px * allowed_scale(sample.image_size, camera.focal_px / focal_px)


def _some_frames(samples: Samples) -> Iterator[tuple[Source, RGBDSample]]:
    frames = samples.frames
    for source, own in samples.of_sources:
        numbers = [n for n in own if frames[n].has_focal]
        chosen = np.linspace(0, len(numbers) - 1, min(len(numbers), FRAMES_CHECKED)).round()
        for place in chosen.astype(int):
            sample = samples[numbers[place]]
            if source.is_nyu:
                _check_nyu_camera(sample, _name(source, sample))
            yield source, sample


def _name(source: Source, sample: RGBDSample) -> str:
    return f"{source.path}: {sample.name}"


def _check_nyu_camera(sample: RGBDSample, name: str) -> None:
    """Refuse a frame of NYU whose focal length is not that of NYU's camera at its size."""
    camera = frame_camera(sample)
    height, width = sample.image_size
    expected = nyu.CAMERA.resized(width / nyu.SIZE[1], height / nyu.SIZE[0])
    ratios = camera.fx / expected.fx, camera.fy / expected.fy, expected.fx / expected.fy
    if any(abs(ratio - 1) > NYU_CAMERA_TOLERANCE for ratio in ratios):
        raise DataError(
            f"{name} is {height}x{width} with focal lengths fx {camera.fx:.1f} and fy "
            f"{camera.fy:.1f} px, but NYU's camera ({nyu.CAMERA.fx:.1f} px at 480x640) has "
            f"{expected.fx:.1f} and {expected.fy:.1f} px at that size: the frame was squeezed or "
            "cropped, or its intrinsics are for a different size; use the 480x640 frames or copies "
            "downscaled without cropping or a change of aspect ratio"
        )
