"""Training views keep metres: the focal length, the points and the depth follow the image."""

import numpy as np
import pytest

from helpers.samples import slanted_sample
from spd.config import CameraConfig
from spd.data.loader import ViewStream, batches, collate
from spd.data.sample import RGBDSample
from spd.data.transforms import training_view
from spd.errors import DataError
from spd.pixels import Intrinsics
from spd.recipes import TrainConfig

CAMERA = CameraConfig(focal_px=40.0, crop_height_px=28, crop_width_px=42)


def view(sample, *, seed=0, augment=False, points=200, camera=CAMERA):
    return training_view(sample, camera, points, np.random.default_rng(seed), augment=augment)


def column_sample(size=(480, 640)) -> RGBDSample:
    """A sample whose brightness encodes the column, and whose depth encodes column and row."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    image = np.repeat((columns / size[1] * 255).astype(np.uint8)[..., None], 3, axis=2)
    depth_m = (1 + columns / 100 + rows / 1000).astype(np.float32)
    camera = Intrinsics.centred(518.8579, size)
    return RGBDSample(image, depth_m, np.ones(size, bool), camera, "columns")


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("focal", [30.0, 51.84, 77.7, 200.0])
def test_every_view_has_the_training_cameras_focal_length(augment, focal):
    sample = slanted_sample()
    camera = Intrinsics(focal * 0.998, focal / 0.998, 30.0, 20.0)
    sample = RGBDSample(sample.image, sample.depth_m, sample.valid, camera, "x")
    for seed in range(5):
        got = view(sample, seed=seed, augment=augment)
        assert got.intrinsics.focal_px == pytest.approx(40.0, rel=1e-9)
        assert got.image.shape == (28, 42, 3)


@pytest.mark.parametrize("seed", range(6))
def test_points_carry_their_own_reading_through_scale_and_crop(seed):
    sample = column_sample()
    camera = CameraConfig(focal_px=389.1, crop_height_px=350, crop_width_px=476)
    got = view(sample, seed=seed, camera=camera)
    assert got.point_valid.all()
    # Undo the view by its intrinsics: a point's ray must meet the column its depth names.
    x = (got.points[:, 0] - got.intrinsics.cx) / got.intrinsics.fx
    y = (got.points[:, 1] - got.intrinsics.cy) / got.intrinsics.fy
    u = x * sample.intrinsics.fx + sample.intrinsics.cx
    v = y * sample.intrinsics.fy + sample.intrinsics.cy
    assert np.abs(got.point_depth_m - (1 + u / 100 + v / 1000)).max() < 1e-4  # float32 rounding


def test_the_image_shows_what_the_points_say():
    sample = column_sample()
    camera = CameraConfig(focal_px=389.1, crop_height_px=350, crop_width_px=476)
    got = view(sample, seed=3, camera=camera)
    u, v = got.points.round().astype(int).T
    y = (got.points[:, 1] - got.intrinsics.cy) / got.intrinsics.fy
    row = y * sample.intrinsics.fy + sample.intrinsics.cy
    column = (got.point_depth_m - 1 - row / 1000) * 100
    # 8-bit brightness steps by 2.5 columns; rounding the point moves it by half a pixel more.
    assert np.abs(got.image[v, u, 0] * 640 - column).max() < 6


def test_depth_on_the_crop_is_the_nearest_reading():
    sample = column_sample()
    camera = CameraConfig(focal_px=389.1, crop_height_px=350, crop_width_px=476)
    got = view(sample, seed=3, camera=camera)
    assert got.valid.all()
    v, u = np.mgrid[:350, :476]
    points = np.stack([u.ravel(), v.ravel()], 1)
    x = (points[:, 0] - got.intrinsics.cx) / got.intrinsics.fx * 518.8579 + 319.5
    y = (points[:, 1] - got.intrinsics.cy) / got.intrinsics.fy * 518.8579 + 239.5
    nearest = 1 + np.round(x) / 100 + np.round(y) / 1000
    away = np.abs(got.depth_m.ravel() - nearest)
    assert np.quantile(away, 0.99) < 1e-5
    assert away.max() < 0.0112  # ties at half a pixel may go either way, by one column and row


def test_a_frame_smaller_than_the_crop_is_padded_and_the_pad_is_masked():
    sample = slanted_sample(size=(20, 30))
    camera = CameraConfig(focal_px=sample.intrinsics.focal_px, crop_height_px=28, crop_width_px=42)
    got = view(sample, camera=camera)
    assert got.valid[:20, :30].all()
    assert not got.valid[20:].any()
    assert not got.valid[:, 30:].any()
    assert np.allclose(got.image[:20, :30], sample.image / 255, atol=1e-6)
    assert np.allclose(got.image[20:, :30], got.image[19:20, :30])  # the border is repeated
    assert (got.points[:, 0] <= 29.5).all()


def test_a_crop_without_readings_is_marked_invalid():
    sample = slanted_sample()
    empty = RGBDSample(
        sample.image, sample.depth_m, np.zeros_like(sample.valid), sample.intrinsics, "empty"
    )
    got = view(empty)
    assert not got.point_valid.any()
    assert not got.valid.any()


def test_a_sample_without_focal_length_is_refused():
    sample = slanted_sample()
    with pytest.raises(DataError, match="no camera intrinsics"):
        view(RGBDSample(sample.image, sample.depth_m, sample.valid, None, "x"))


def test_a_squeezed_sample_is_refused():
    sample = slanted_sample()
    squeezed = Intrinsics(386.0, 378.8, 31.5, 23.5)
    with pytest.raises(
        DataError, match=r"fx 386 and fy 378\.8 px.*1 %, so its pixels are not square; resize"
    ):
        view(RGBDSample(sample.image, sample.depth_m, sample.valid, squeezed, "x"))
    nyu = Intrinsics(518.8579, 519.46961, 31.5, 23.5)  # 0.12 %
    assert view(RGBDSample(sample.image, sample.depth_m, sample.valid, nyu, "x")).valid.any()


def test_views_depend_only_on_their_number_and_the_seed():
    samples = [slanted_sample(f"{n}") for n in range(5)]
    config = TrainConfig(steps=6, warmup_steps=1, batch_size=2, points_per_image=9)
    stream = ViewStream(samples, CAMERA, config)
    from_start = list(batches(stream, 0))
    resumed = list(batches(stream, 3))
    assert len(from_start) == 6
    for whole, part in zip(from_start[3:], resumed, strict=True):
        assert whole["names"] == part["names"]
        assert all((whole[key] == part[key]).all() for key in ("image", "points", "depth_m"))
    names = [name for batch in from_start for name in batch["names"]]
    assert sorted(names[:5]) == sorted(names[5:10]) == list("01234")  # epochs
    assert names[:5] != names[5:10]


def test_overfitting_repeats_the_first_views():
    samples = [slanted_sample(f"{n}") for n in range(5)]
    config = TrainConfig(steps=4, warmup_steps=1, batch_size=2, points_per_image=9)
    first, *others = list(batches(ViewStream(samples, CAMERA, config, overfit=2), 0))
    for batch in others:
        assert batch["names"] == first["names"]
        assert (batch["image"] == first["image"]).all()
        assert (batch["points"] == first["points"]).all()


def test_collated_shapes():
    batch = collate([view(slanted_sample(), seed=n, points=5) for n in range(3)])
    shapes = {key: tuple(value.shape) for key, value in batch.items() if key != "names"}
    assert shapes == {
        "image": (3, 3, 28, 42),
        "depth_m": (3, 1, 28, 42),
        "valid": (3, 1, 28, 42),
        "points": (3, 5, 2),
        "point_depth_m": (3, 5),
        "point_valid": (3, 5),
    }
