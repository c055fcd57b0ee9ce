"""Which way up a file stores a photo changes no answer: points are asked in the upright image."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.photo_files import FOCAL_35_MM, ORIENTATION, picture, with_exif
from spd.photos.reading import read_photo
from spd.predictors.torch_predictor import Predictor

UPRIGHT = picture(48, 64)
# What a camera stores so that each orientation brings the upright photo back; EXIF's own words:
# where row 0 and column 0 of what is stored lie in what is seen.
STORED = {
    1: UPRIGHT,  # top, left
    2: UPRIGHT[:, ::-1],  # top, right
    3: UPRIGHT[::-1, ::-1],  # bottom, right
    4: UPRIGHT[::-1],  # bottom, left
    5: UPRIGHT.transpose(1, 0, 2),  # left, top
    6: UPRIGHT[:, ::-1].transpose(1, 0, 2),  # right, top
    7: UPRIGHT[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: UPRIGHT[::-1].transpose(1, 0, 2),  # left, bottom
}


def stored(orientation: int, form: str, **options) -> bytes:
    pixels = np.ascontiguousarray(STORED[orientation])
    return with_exif(pixels, form, {ORIENTATION: orientation}, {FOCAL_35_MM: 30}, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_lossless_files_of_every_orientation_are_the_same_photo(form, orientation):
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    photo = read_photo(stored(orientation, form, **options))
    assert np.array_equal(photo.pixels, UPRIGHT)
    assert photo.exif_focal_px == pytest.approx(30 / np.hypot(36, 24) * 80)  # 3, 4, 5: 48, 64, 80


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpegs_of_every_orientation_are_the_same_photo_to_its_own_loss(orientation):
    photo = read_photo(stored(orientation, "JPEG", quality=95, subsampling=0))
    assert np.abs(photo.pixels.astype(int) - UPRIGHT).mean() < 3
    assert photo.exif_focal_px == pytest.approx(30 / np.hypot(36, 24) * 80)


def test_the_eight_orientations_give_the_same_answers_at_the_same_scene_points(small_model):
    predictor = Predictor(small_model, torch.device("cpu"), "small")
    points = [(0, 0), (63, 0), (0, 47), (63, 47), (17.25, 30.5)]
    scenes = [predictor.encode(stored(n, "PNG")) for n in range(1, 9)]
    answers = np.stack([scene.depth_at(points) for scene in scenes])
    assert (answers == answers[0]).all()
    assert len(set(answers[0])) == 5
    assert {(scene.size, scene.focal_source) for scene in scenes} == {((48, 64), "exif")}
    ranges = np.stack([scene.range_at(points) for scene in scenes])
    assert (ranges == ranges[0]).all()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation):
    data = with_exif(UPRIGHT, "PNG", {ORIENTATION: orientation})
    assert np.array_equal(read_photo(data).pixels, UPRIGHT)


def test_a_pil_image_is_turned_by_its_own_exif():
    image = Image.fromarray(np.ascontiguousarray(STORED[6]))
    image.getexif()[ORIENTATION] = 6
    assert np.array_equal(read_photo(image).pixels, UPRIGHT)
