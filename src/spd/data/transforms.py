"""Training views of samples, at the training camera's focal length.

The metric scale of one photo comes from its focal length (`docs/conventions.md`): every frame is
resampled by exactly `s = focal_model / focal_image`; rolls, crops, flips and points follow.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from spd.config import CameraConfig
from spd.data.augment import UNCHANGED, lit, random_light, roll_and_mirror
from spd.data.sample import RGBDSample, valid_depth
from spd.data.views import Placement, random_placement
from spd.pixels import Intrinsics


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingView:
    """One crop of one sample, in pixels of the crop."""

    image: Float[np.ndarray, "h w 3"]
    """RGB in 0..1, float32."""
    depth_m: Float[np.ndarray, "h w"]
    """Reading at every pixel centre in metres, float32, for the `dense` objective."""
    valid: Bool[np.ndarray, "h w"]
    """Mask of the readings; False in padding and in corners that a roll leaves empty."""
    points: Float[np.ndarray, "k 2"]
    """`(u, v)` of exact points, else of native readings, in the crop, for the `query` objective."""
    point_depth_m: Float[np.ndarray, " k"]
    """Depth at `points` in metres, not resampled."""
    point_valid: Bool[np.ndarray, " k"]
    """False if the crop holds no reading at all."""
    intrinsics: Intrinsics
    """Camera of the crop, with the training camera's focal length."""
    name: str
    """Name of the sample."""


def training_view(
    sample: RGBDSample,
    camera: CameraConfig,
    points_per_image: int,
    rng: np.random.Generator,
    *,
    augment: bool,
) -> TrainingView:
    """Resample, crop at random and draw points; with `augment`, also roll, flip and change light.

    None of these changes depth values: neither a roll nor a flip moves anything along z.

    Raises:
        DataError: if the sample has no intrinsics or is squeezed.
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
    """Draw `count` points `(u, v)` of the view and their depth in metres, float32.

    Draws exact points if the sample has any inside the view, else native readings whose pixel
    centres lie inside it. Returns none if the view holds no reading.
    """
    if sample.exact_points is not None:
        exact = sample.exact_points[valid_depth(sample.exact_points[:, 2], sample.max_depth_m)]
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
    """Draw `count` of the readings inside the view, as flat indices; none if it holds none.

    A crop holds most of its frame, so drawing from the frame and dropping readings outside the crop
    is five times as fast as finding all those inside, with the same distribution.
    """
    readings = np.flatnonzero(sample.valid)
    if len(readings):
        drawn = readings[rng.integers(len(readings), size=4 * count)]
        inside = drawn[placement.holds(placement.reading_points(sample, drawn))]
        if len(inside) >= count:
            return inside[:count]
        readings = placement.readings_inside(sample)
    return readings[rng.integers(len(readings), size=count)] if len(readings) else readings
