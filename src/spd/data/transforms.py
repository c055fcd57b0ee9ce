"""From a sample to what the network trains on, at the training camera's pixels per radian.

The metric scale of one photo is its focal length (`docs/conventions.md`): every source is resampled
by `s = focal_model / focal_image`, exactly, and rolls, crops, flips and points follow the image.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from spd.config import CameraConfig
from spd.data.augment import UNCHANGED, lit, random_light, roll_and_mirror
from spd.data.sample import RGBDSample, valid_depth
from spd.data.views import Placement, random_placement
from spd.geometry import Intrinsics


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingView:
    """One crop of one sample, in pixels of the crop."""

    image: Float[np.ndarray, "h w 3"]
    """RGB in 0..1, float32."""
    depth_m: Float[np.ndarray, "h w"]
    """The reading under every pixel centre, for the `dense` objective."""
    valid: Bool[np.ndarray, "h w"]
    """Where `depth_m` is a reading; padding is not, nor is what a roll leaves empty."""
    points: Float[np.ndarray, "k 2"]
    """Exact points, else native readings, drawn from the crop, `(u, v)`, for `query`."""
    point_depth_m: Float[np.ndarray, " k"]
    """Their depth; no resampling stands between them and the source."""
    point_valid: Bool[np.ndarray, " k"]
    """False where the crop holds no reading at all."""
    intrinsics: Intrinsics
    """The crop's camera; its focal length is the training camera's."""
    name: str
    """The sample's name."""


def training_view(
    sample: RGBDSample,
    camera: CameraConfig,
    points_per_image: int,
    rng: np.random.Generator,
    *,
    augment: bool,
) -> TrainingView:
    """Resample, crop at random, draw points, and, where `augment`, roll, flip, change the light.

    Depth stays as it is under all of them: neither a roll nor a flip moves anything along z.

    Raises:
        DataError: if the sample has no intrinsics, without which depth has no metres, or is
            squeezed.
    """
    placement = random_placement(sample, camera, rng)
    table = UNCHANGED
    if augment:
        placement = roll_and_mirror(placement, rng)
        table = random_light(rng)
    depth_m, valid = placement.readings(sample)
    points, point_depth_m = draw_points(sample, placement, points_per_image, rng)
    found = len(points) > 0
    return TrainingView(
        image=lit(placement.image(sample.image), table),
        depth_m=depth_m,
        valid=valid,
        points=points if found else np.zeros((points_per_image, 2), dtype=np.float32),
        point_depth_m=point_depth_m if found else np.ones(points_per_image, dtype=np.float32),
        point_valid=np.full(points_per_image, found),
        intrinsics=placement.intrinsics,
        name=sample.name,
    )


def draw_points(
    sample: RGBDSample, placement: Placement, count: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """`count` points of the view and their depth, float32; none where it holds no reading.

    Exact points where the sample has any inside the view, else native readings whose pixel
    centres lie inside it.
    """
    if sample.exact_points is not None:
        exact = sample.exact_points[valid_depth(sample.exact_points[:, 2])]
        points = placement.to_view(exact[:, :2].astype(np.float64))
        inside = np.flatnonzero(placement.holds(points))
        if len(inside):
            drawn = inside[rng.integers(len(inside), size=count)]
            return points[drawn].astype(np.float32), exact[drawn, 2]
    readings = _draw_readings(sample, placement, count, rng)
    points = placement.reading_points(sample, readings)
    return points.astype(np.float32), sample.depth_m.take(readings)


def _draw_readings(
    sample: RGBDSample, placement: Placement, count: int, rng: np.random.Generator
) -> Int[np.ndarray, "n"]:
    """`count` of the readings inside the view, as flat indices; none where there is none.

    A crop holds most of its frame, so drawing from the frame and dropping what lies outside is
    five times as fast as finding all that lies inside, and draws the same.
    """
    readings = np.flatnonzero(sample.valid)
    if len(readings):
        drawn = readings[rng.integers(len(readings), size=4 * count)]
        inside = drawn[placement.holds(placement.reading_points(sample, drawn))]
        if len(inside) >= count:
            return inside[:count]
        readings = placement.readings_inside(sample)
    return readings[rng.integers(len(readings), size=count)] if len(readings) else readings
