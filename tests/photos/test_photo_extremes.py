"""Photos of extreme size and shape, and scenes that several threads ask at once."""

import concurrent.futures
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.photo_files import encoded, picture
from spd.config import CameraConfig
from spd.photos import resampling
from spd.photos.plan import ImagePlan
from spd.photos.resampling import resample
from spd.predictors.torch_predictor import Predictor


@pytest.fixture
def predictor(small_model) -> Predictor:
    return Predictor(small_model, torch.device("cpu"), "small")


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 20_000), (20_000, 1), (8, 60_000)])
def test_tiny_and_oblong_photos_are_answered_at_their_corners(predictor, size):
    height, width = size
    scene = predictor.encode(encoded(Image.fromarray(picture(*size)), "PNG"), fov_deg=60.0)
    corners = [(-0.5, -0.5), (width - 0.5, -0.5), (-0.5, height - 0.5), (width - 1, height - 1)]
    depth_m = scene.depth_at(corners)
    assert np.isfinite(depth_m).all()
    assert (depth_m > 0).all()


def test_a_large_photo_is_answered(predictor):
    photo = Image.fromarray(picture(100, 150)).resize((6000, 4000))
    scene = predictor.encode(encoded(photo, "JPEG"), fov_deg=60.0)
    assert scene.size == (4000, 6000)
    assert np.isfinite(scene.depth_at([(5999.5, 3999.5)])).all()


@pytest.mark.parametrize("size", [(1, 1_000_000), (1_000_000, 1)])
def test_the_memory_for_a_very_oblong_photo_is_bounded(size):
    image = np.full((*size, 3), 77, np.uint8)
    plan = ImagePlan.make(size, CameraConfig(), None)
    tracemalloc.start()
    seen = resample(image, plan.scale, plan.model_size)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (seen == 77).all()
    assert peak_bytes < 400e6  # padding both sides at once would take 60 GB


@pytest.mark.parametrize("size", [(30, 400), (400, 30)])
def test_one_side_after_the_other_is_the_same_to_one_rounding(size, monkeypatch):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    options = {"scale": 0.31, "out_size": (140, 140), "left": -3.5, "top": 2.25}
    at_once = resample(image, **options).astype(int)
    monkeypatch.setattr(resampling, "_FREE_PADDING_PX", 0)
    monkeypatch.setattr(resampling, "_MOST_PADDING", 0)
    assert np.abs(resample(image, **options) - at_once).max() <= 1


def test_several_threads_get_the_answers_of_one(predictor):
    scene = predictor.encode(picture(), focal_px=60.0)
    rng = np.random.default_rng(1)
    asked = [rng.random((50 + n, 2)) * (64, 48) - 0.5 for n in range(16)]
    alone = [scene.depth_at(points) for points in asked]
    map_m = scene.depth_map(fast=True)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(scene.depth_at, asked * 4))
        maps = list(pool.map(lambda _: scene.depth_map(fast=True), range(8)))
    for found, expected in zip(together, alone * 4, strict=True):
        assert np.array_equal(found, expected)
    assert all(np.array_equal(found, map_m) for found in maps)


def test_several_threads_may_encode_with_one_predictor(predictor):
    photos = [picture(40 + n, 60) for n in range(6)]
    points = [(3.0, 4.0), (50.0, 30.0)]
    alone = [predictor.encode(photo, focal_px=55.0).depth_at(points) for photo in photos]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        together = list(
            pool.map(lambda p: predictor.encode(p, focal_px=55.0).depth_at(points), photos)
        )
    assert np.array_equal(together, alone)
