"""Limits on the pixels of a photo and of the network's input; metres stay right under both."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

import spd
from helpers import costly_files as files
from helpers.photo_files import encoded, picture
from spd.cli import run
from spd.config import PATCH, CameraConfig
from spd.errors import ConfigError
from spd.photos.limits import MAX_PIXELS, PhotoLimits, PhotoTooLargeError
from spd.photos.plan import ImagePlan
from spd.photos.reading import read_mask_pixels, read_photo
from spd.pixels import MAX_INPUT_PIXELS, SMALLEST_INPUT_PIXELS, allowed_scale
from spd.predictors.torch_predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore:the photo covers")


@pytest.fixture
def predictor(small_model) -> Predictor:
    return Predictor(small_model, torch.device("cpu"), "small")


def test_the_limit_on_a_photo_is_an_option():
    data = files.flat_png(300, 40)
    with pytest.raises(PhotoTooLargeError, match=r"300x40 pixels, and the limit is 0\.011999 mega"):
        read_photo(data, max_pixels=11_999)
    assert read_photo(data, max_pixels=12_000).size == (40, 300)
    with pytest.raises(PhotoTooLargeError):
        read_photo(Image.open(io.BytesIO(data)), max_pixels=11_999)
    with pytest.raises(PhotoTooLargeError):
        read_mask_pixels(data, max_pixels=11_999)


def test_pillows_own_limit_does_not_stop_a_larger_photo(monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # an error from 2,000 on
    assert read_photo(files.flat_png(300, 40)).size == (40, 300)
    assert not recwarn.list


def test_a_predictor_has_limits(predictor):
    predictor.limits = PhotoLimits.of(max_megapixels=0.002, max_input_megapixels=0.05)
    with pytest.raises(PhotoTooLargeError):
        predictor.encode(encoded(Image.fromarray(picture(50, 60)), "PNG"), fov_deg=60.0)
    rows, columns = predictor.encode(picture(50, 60), focal_px=16.0).plan.model_size
    assert rows * columns <= 50_000


@pytest.mark.parametrize("megapixels", [0, -1, math.nan, 1e10])
def test_impossible_limits_are_refused(megapixels):
    with pytest.raises(ConfigError, match="max_megapixels must be a positive"):
        PhotoLimits.of(max_megapixels=megapixels)
    with pytest.raises(ConfigError, match="max_input_megapixels must be"):
        PhotoLimits.of(max_input_megapixels=megapixels)
    with pytest.raises(ConfigError, match=r"at least 0\.0392, got 0\.03"):
        spd.load(max_input_megapixels=0.03)


def test_limits_of_megapixels():
    assert PhotoLimits.of() == PhotoLimits(max_pixels=MAX_PIXELS)
    assert PhotoLimits.of(178.95697).max_pixels == MAX_PIXELS
    assert PhotoLimits.of(200, 0.5) == PhotoLimits(max_pixels=200_000_000, max_input_pixels=500_000)


def test_every_input_fits_the_limit_and_uses_most_of_it():
    rng = np.random.default_rng(0)
    used = []
    for _ in range(2000):
        size = tuple(int(side) for side in np.exp(rng.uniform(0, 11, 2)).round() + 1)
        most = int(rng.integers(SMALLEST_INPUT_PIXELS, 2_000_000))
        plan = ImagePlan.make(size, CameraConfig(), max(size) / 20, max_input_pixels=most)
        rows, columns = plan.model_size
        assert rows * columns <= most
        assert rows % PATCH == 0
        if min(plan.scale * side for side in size) > 200 and max(rows, columns) < 1380:
            used.append(rows * columns / most)
    assert len(used) > 100
    assert min(used) > 0.85  # what is lost is the padding to whole patches


def test_a_smaller_input_is_corrected_in_the_metres():
    size, camera = (1000, 1000), CameraConfig()
    free = ImagePlan.make(size, camera, 43.8, max_input_pixels=1400 * 1400)
    plan = ImagePlan.make(size, camera, 43.8)
    assert free.model_size == (1400, 1400)
    assert plan.model_size == (994, 994)
    wanted = camera.focal_px / 43.8
    assert plan.depth_factor == pytest.approx(plan.scale / wanted)
    assert plan.depth_factor / free.depth_factor == pytest.approx(plan.scale / free.scale)
    assert allowed_scale((480, 640), 1.0) == 1.0  # most photos need far less
    assert MAX_INPUT_PIXELS == 1_000_000


def test_loading_takes_the_limits():
    predictor = spd.load(device="cpu", max_megapixels=0.01, max_input_megapixels=0.04)
    assert predictor.limits == PhotoLimits(max_pixels=10_000, max_input_pixels=40_000)
    with pytest.raises(PhotoTooLargeError):
        predictor.encode(files.flat_png(300, 40))
    rows, columns = predictor.encode(picture(90, 90), fov_deg=110).plan.model_size
    assert 30_000 < rows * columns <= 40_000


def test_commands_take_the_limits(tmp_path, capsys):
    photo = tmp_path / "photo.png"
    photo.write_bytes(files.flat_png(300, 40))
    asked = ["query", str(photo), "--points", "3,4", "--fov-deg", "60"]
    assert run([*asked, "--max-megapixels", "0.01"]) == 2
    assert "300x40 pixels, and the limit is 0.01 megapixels" in capsys.readouterr().err
    assert run([*asked, "--max-megapixels", "0.012"]) == 0
    known = ["calibrate", str(photo), "--known", "3,4,2", "-o", str(tmp_path / "c.json")]
    assert run([*known, "--max-megapixels", "0.01"]) == 2
    batch = ["batch", str(photo), "-o", str(tmp_path / "out"), "--points", "3,4"]
    assert run([*batch, "--format", "csv", "--max-megapixels", "0.01"]) == 1
    assert "the limit is 0.01 megapixels" in capsys.readouterr().out
    assert run([*asked, "--memory", "little"]) == 2
    assert "memory must be a size such as 2GB" in capsys.readouterr().err
