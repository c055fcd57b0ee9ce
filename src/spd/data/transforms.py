"""From a sample to what the network trains on, at the training camera's pixels per radian.

The metric scale of one photo is its focal length (`docs/conventions.md`): every source is resampled
by `s = focal_model / focal_image`, exactly, and crops, flips and points follow the image.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from spd.config import CameraConfig
from spd.data.sample import RGBDSample
from spd.errors import DataError
from spd.geometry import Intrinsics
from spd.images import resample


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingView:
    """One crop of one sample, in pixels of the crop."""

    image: Float[np.ndarray, "h w 3"]
    """RGB in 0..1, float32."""
    depth_m: Float[np.ndarray, "h w"]
    """Nearest reading at every pixel, for the `dense` objective."""
    valid: Bool[np.ndarray, "h w"]
    """Where `depth_m` is a reading; padding is not."""
    points: Float[np.ndarray, "k 2"]
    """Native readings drawn from the crop, `(u, v)`, for the `query` objective."""
    point_depth_m: Float[np.ndarray, " k"]
    """Their depth; no resampling stands between them and the source."""
    point_valid: Bool[np.ndarray, " k"]
    """False where the crop holds no reading at all."""
    intrinsics: Intrinsics
    """The crop's camera; its focal length is the training camera's."""
    name: str
    """The sample's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """A crop of the sample scaled by `scale`, whose left top corner is (left, top)."""

    scale: float
    left: int
    top: int
    height: int
    width: int


def training_view(
    sample: RGBDSample,
    camera: CameraConfig,
    points_per_image: int,
    rng: np.random.Generator,
    *,
    augment: bool,
) -> TrainingView:
    """Resample, crop at random, draw points, and, where `augment`, flip and change the light.

    Raises:
        DataError: if the sample has no intrinsics; without a focal length depth has no metres.
    """
    window = random_window(sample, camera, rng)
    image = resample(
        sample.image,
        window.scale,
        (window.height, window.width),
        left=window.left,
        top=window.top,
    ).astype(np.float32) / np.float32(255)
    depth_m, valid = _nearest_depth(sample, window)
    points, point_depth_m, point_valid = _draw_points(sample, window, points_per_image, rng)
    intrinsics = _intrinsics(sample)
    intrinsics = intrinsics.resized(window.scale, window.scale).cropped(window.left, window.top)
    if augment and rng.random() < 0.5:
        image, depth_m, valid = image[:, ::-1], depth_m[:, ::-1], valid[:, ::-1]
        points = np.stack([window.width - 1 - points[:, 0], points[:, 1]], axis=1)
        intrinsics = intrinsics.flipped(window.width)
    if augment:
        image = change_light(image, rng)
    return TrainingView(
        np.ascontiguousarray(image),
        np.ascontiguousarray(depth_m),
        np.ascontiguousarray(valid),
        points.astype(np.float32),
        point_depth_m,
        point_valid,
        intrinsics,
        sample.name,
    )


def random_window(sample: RGBDSample, camera: CameraConfig, rng: np.random.Generator) -> Window:
    """A random crop at the camera's focal length; frames smaller than it start at their corner."""
    scale = camera.focal_px / _intrinsics(sample).focal_px
    (height, width), (crop_height, crop_width) = sample.image_size, camera.crop_size
    spare_x = max(0, int(width * scale) - crop_width)
    spare_y = max(0, int(height * scale) - crop_height)
    left, top = int(rng.integers(spare_x + 1)), int(rng.integers(spare_y + 1))
    return Window(scale, left, top, crop_height, crop_width)


def change_light(
    image: Float[np.ndarray, "h w 3"], rng: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    """BTS's photometric changes: gamma 0.9..1.1, brightness 0.75..1.25, colour 0.9..1.1."""
    gamma = rng.uniform(0.9, 1.1)
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.9, 1.1, size=3)
    changed = image ** np.float32(gamma) * gain.astype(np.float32)
    return changed.clip(0, 1)


def _intrinsics(sample: RGBDSample) -> Intrinsics:
    if sample.intrinsics is None:
        raise DataError(
            f"{sample.name} has no intrinsics; depth without a focal length cannot be trained on"
        )
    return sample.intrinsics


def _nearest_depth(sample: RGBDSample, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """The depth pixel under each pixel centre of the crop; outside the image nothing is valid."""
    axes = []
    for start, count, pixels, readings in (
        (window.top, window.height, sample.image_size[0], sample.depth_size[0]),
        (window.left, window.width, sample.image_size[1], sample.depth_size[1]),
    ):
        border_distance = (np.arange(count) + 0.5 + start) / window.scale  # from the image's border
        cell = np.floor(border_distance * readings / pixels).astype(np.int64)
        axes.append((cell.clip(0, readings - 1), border_distance < pixels))
    (rows, rows_inside), (columns, columns_inside) = axes
    inside = rows_inside[:, None] & columns_inside[None, :]
    valid = sample.valid[rows[:, None], columns] & inside
    return np.where(valid, sample.depth_m[rows[:, None], columns], np.float32(0)), valid


def _draw_points(
    sample: RGBDSample, window: Window, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`count` native readings drawn from those whose pixel centres lie inside the crop."""
    rows, v = _centres_inside(
        sample.image_size[0], sample.depth_size[0], window.scale, window.top, window.height
    )
    columns, u = _centres_inside(
        sample.image_size[1], sample.depth_size[1], window.scale, window.left, window.width
    )
    readings = np.flatnonzero(sample.valid[rows, columns])
    points, depth_m = np.zeros((count, 2)), np.ones(count, dtype=np.float32)
    if len(readings) == 0:
        return points, depth_m, np.zeros(count, dtype=bool)
    row, column = np.divmod(readings[rng.integers(len(readings), size=count)], len(u))
    points = np.stack([u[column], v[row]], axis=1)
    return points, sample.depth_m[rows, columns][row, column], np.ones(count, dtype=bool)


def _centres_inside(
    pixels: int, readings: int, scale: float, start: int, length: int
) -> tuple[slice, np.ndarray]:
    """Along one axis: the depth pixels whose centres lie in the crop, and where they lie in it."""
    image = (np.arange(readings) + 0.5) * (pixels / readings)  # from the image's border
    crop = image * scale - 0.5 - start
    inside = np.flatnonzero((crop >= -0.5) & (crop <= length - 0.5))
    chosen = slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)
    return chosen, crop[chosen]
