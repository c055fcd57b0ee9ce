"""One number of pixels per radian in training and evaluation, checked before a run's first step.

The metric scale of one photo is its focal length, so a network that is trained at one and asked
at another is wrong by their ratio, while every loss and curve looks healthy.
"""

import dataclasses
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
from spd.geometry import Intrinsics, allowed_scale

FRAMES_LOOKED_AT = 3  # of each source: the first, the middle and the last
NYU_TOLERANCE = 0.001
TOLERANCE = 0.005  # of other sources, whose makers round focal lengths and sizes
NYU_CAMERA_TOLERANCE = 0.005


@dataclasses.dataclass(frozen=True, slots=True)
class SeenFocal:
    """The focal length of one frame as the network sees it."""

    name: str
    """Source and frame."""
    focal_px: float
    """In pixels of the network's input."""
    is_nyu: bool
    """Whether the source is NYU Depth V2."""


def check_focal_lengths(train: Samples, validation: Samples, camera: CameraConfig) -> None:
    """Refuse a run whose training and evaluation differ in focal length.

    A few frames of each source are looked at: what `training_view` makes of those to train on,
    and what the predictor will make of those to validate on, its size limits included. Frames
    without a focal length are passed over; they are neither trained on nor scored.

    Args:
        train: what to train on.
        validation: what to validate on; may be empty.
        camera: the training camera.

    Raises:
        DataError: if they differ by more than 0.1 % where NYU is involved, or 0.5 % elsewhere; if
            a frame of NYU has not NYU's camera; if a frame is squeezed.
    """
    trained = [
        SeenFocal(_name(source, sample), focal_in_training(sample, camera), source.is_nyu)
        for source, sample in _some_frames(train)
    ]
    for source, sample in _some_frames(validation):
        focal_px = focal_in_evaluation(sample, camera)
        asked = SeenFocal(_name(source, sample), focal_px, source.is_nyu)
        for seen in trained:
            _check_pair(seen, asked)


def focal_in_training(sample: RGBDSample, camera: CameraConfig) -> float:
    """The focal length, in pixels, of what the network trains on."""
    view = training_view(sample, camera, 1, np.random.default_rng(0), augment=True)
    return view.intrinsics.focal_px


def focal_in_evaluation(sample: RGBDSample, camera: CameraConfig) -> float:
    """The focal length, in pixels, of what the predictor gives the network of a whole photo."""
    focal_px = frame_camera(sample).focal_px
    return focal_px * allowed_scale(sample.image_size, camera.focal_px / focal_px)


def _some_frames(samples: Samples) -> Iterator[tuple[Source, RGBDSample]]:
    for source in samples.sources:
        numbers = [
            number
            for number, (own, place) in enumerate(samples.places)
            if own is source and source.frames[place].has_focal
        ]
        chosen = np.linspace(0, len(numbers) - 1, min(len(numbers), FRAMES_LOOKED_AT)).round()
        for place in chosen.astype(int):
            sample = samples[numbers[place]]
            if source.is_nyu:
                _check_nyu_camera(sample, _name(source, sample))
            yield source, sample


def _name(source: Source, sample: RGBDSample) -> str:
    return f"{source.path}: {sample.name}"


def _check_pair(trained: SeenFocal, asked: SeenFocal) -> None:
    tolerance = NYU_TOLERANCE if trained.is_nyu or asked.is_nyu else TOLERANCE
    apart = asked.focal_px / trained.focal_px - 1
    if abs(apart) > tolerance:
        raise DataError(
            f"{asked.name} is validated at a focal length of {asked.focal_px:.1f} px, but "
            f"{trained.name} is trained on at {trained.focal_px:.1f} px: depth would be off by "
            f"{abs(apart):.1%}; use validation frames of between 28 and 1400 pixels a side at the "
            "training camera's focal length, or correct their intrinsics"
        )


def _check_nyu_camera(sample: RGBDSample, name: str) -> None:
    """NYU has one camera; frames of another focal length for their size were changed."""
    camera = frame_camera(sample)
    height, width = sample.image_size
    expected = nyu.CAMERA.resized(width / nyu.SIZE[1], height / nyu.SIZE[0])
    if _differ(camera, expected) or abs(expected.fx / expected.fy - 1) > NYU_CAMERA_TOLERANCE:
        raise DataError(
            f"{name} is {height}x{width} with focal lengths fx {camera.fx:.1f} and fy "
            f"{camera.fy:.1f} px, but NYU's camera ({nyu.CAMERA.fx:.1f} px at 480x640) has "
            f"{expected.fx:.1f} and {expected.fy:.1f} px over that width and height: the frame was "
            "squeezed or cropped, or its intrinsics are those of another size; use the 480x640 "
            "frames or exact reductions of them"
        )


def _differ(camera: Intrinsics, expected: Intrinsics) -> bool:
    return (
        abs(camera.fx / expected.fx - 1) > NYU_CAMERA_TOLERANCE
        or abs(camera.fy / expected.fy - 1) > NYU_CAMERA_TOLERANCE
    )
