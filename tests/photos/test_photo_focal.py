"""Where a photo's focal length comes from, which of several counts, and what is warned of."""

import math
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.photo_files import FOCAL_35_MM, picture, with_exif
from spd.config import CameraConfig
from spd.errors import InputError
from spd.photos.camera import CameraOptions
from spd.photos.plan import ImagePlan
from spd.photos.reading import read_photo
from spd.pixels import Intrinsics
from spd.predictors.torch_predictor import Predictor

SIZE = (48, 64)
FOCAL_MM, ZOOM, PLANE_X, PLANE_UNIT = 0x920A, 0xA404, 0xA20E, 0xA210
WIDTH, HEIGHT = 0xA002, 0xA003


@pytest.fixture
def predictor(small_model) -> Predictor:
    return Predictor(small_model, torch.device("cpu"), "small")


def exif_focal(exif: dict, size=SIZE) -> float | None:
    return read_photo(with_exif(picture(*size), "JPEG", {}, exif)).exif_focal_px


def test_the_35_mm_equivalent_is_an_angle_over_the_diagonal():
    # 24x36 mm film and a 2:3 photo are alike: 50 mm over 36 mm of 90 columns.
    assert exif_focal({FOCAL_35_MM: 50}, (60, 90)) == pytest.approx(125.0)
    # A phone's 4:3 photo: the diagonal of 48x64 is 80, film's is 43.267.
    assert exif_focal({FOCAL_35_MM: 26}) == pytest.approx(48.074, abs=1e-3)


def test_a_resized_photo_keeps_its_angle():
    photo, half = (exif_focal({FOCAL_35_MM: 26}, size) for size in ((96, 128), (48, 64)))
    assert photo == pytest.approx(2 * half)


def test_without_it_the_sensors_pixels_per_unit_tell():
    # 18 mm, and 4,000 columns on 22.3 mm: 179.37 pixels a millimetre.
    per_mm = 4000 / 22.3
    tags = {FOCAL_MM: 18.0, WIDTH: 4000, HEIGHT: 3000}
    expected = 18 * per_mm * 64 / 4000  # the file has 64 of them
    for unit, per_unit in ((2, 25.4 * per_mm), (3, 10 * per_mm), (4, per_mm)):
        found = exif_focal({**tags, PLANE_X: per_unit, PLANE_UNIT: unit})
        assert found == pytest.approx(expected, rel=1e-4)
    assert exif_focal({**tags, PLANE_X: 25.4 * per_mm}) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "exif",
    [
        {},
        {FOCAL_MM: 4.2},  # millimetres of a sensor of unknown size
        {FOCAL_35_MM: 0},  # EXIF's word for unknown
        {FOCAL_MM: 18.0, PLANE_X: 3.0, PLANE_UNIT: 3, WIDTH: 4000},  # a sensor of 13 metres
        {FOCAL_MM: 18.0, PLANE_X: 1793.0, PLANE_UNIT: 9, WIDTH: 4000},  # no such unit
        {FOCAL_MM: 18.0, PLANE_X: 1793.0, PLANE_UNIT: 3, WIDTH: 4000, ZOOM: 2.0},
        {FOCAL_MM: 0.0, PLANE_X: 0.0, PLANE_UNIT: 3},
    ],
)
def test_exif_that_does_not_say_it_is_as_good_as_none(exif):
    assert exif_focal(exif) is None


def test_what_is_given_counts_more_than_exif_and_says_so(predictor):
    photo = with_exif(picture(*SIZE), "JPEG", {}, {FOCAL_35_MM: 26})
    camera = Intrinsics(50.0, 50.5, 30.0, 20.0)
    matrix = [[50.0, 0, 30.0], [0, 50.5, 20.0], [0, 0, 1]]
    asked = {
        "exif": ({}, 48.074),
        "given": ({"focal_px": 60.0}, 60.0),
        "fov": ({"fov_deg": 90.0}, 32.0),  # half of 64 over tan 45 degrees
        "intrinsics": ({"intrinsics": camera}, math.sqrt(50.0 * 50.5)),
    }
    for source, (options, focal_px) in asked.items():
        scene = predictor.encode(photo, **options)
        assert scene.focal_source == source
        assert scene.focal_px == pytest.approx(focal_px, abs=1e-3)
    scene = predictor.encode(photo, intrinsics=matrix)
    assert scene.intrinsics == camera
    x, y = (63 - 30) / 50, (0 - 20) / 50.5
    expected = scene.depth_at([(63, 0)])[0] * math.sqrt(1 + x * x + y * y)
    assert scene.range_at([(63, 0)])[0] == pytest.approx(expected, rel=1e-6)


def test_nobody_knowing_is_an_assumption_that_is_told(predictor):
    with pytest.warns(UserWarning, match="focal length unknown"):
        scene = predictor.encode(picture(*SIZE))
    assert (scene.focal_source, scene.focal_px, scene.intrinsics) == ("assumed", None, None)
    assert scene.assumed_focal_px == pytest.approx(32 / math.tan(math.radians(63.3 / 2)))
    assert "(assumed), a field of view of 63.3 degrees" in scene.plan.describe()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"focal_px": 50.0, "fov_deg": 60.0}, "pass only one of .* got focal_px and fov_deg"),
        (
            {"fov_deg": 60.0, "intrinsics": Intrinsics(50, 50, 0, 0)},
            "got fov_deg and intrinsics",
        ),
        ({"fov_deg": 0.0}, "must be between 0.001 and 170"),
        ({"fov_deg": 5e-324}, "must be between 0.001 and 170"),
        ({"fov_deg": 180.0}, "must be between"),
        ({"fov_deg": float("nan")}, "must be between"),
        ({"intrinsics": [[50, 0], [0, 50]]}, "3x3 matrix"),
        ({"intrinsics": [[50, 0, 30], [0, 50, 20], [1, 0, 1]]}, "3x3 matrix"),
        ({"intrinsics": "camera.json"}, "3x3 matrix"),
        ({"intrinsics": Intrinsics(50, 60, 30, 20)}, "more than 5%, so pixels are not square"),
        ({"intrinsics": Intrinsics(1, 1, 30, 20)}, "is it in pixels of this image"),
    ],
)
def test_contradictions_and_impossible_cameras_are_refused(predictor, options, said):
    with pytest.raises(InputError, match=said):
        predictor.encode(picture(*SIZE), **options)


def test_an_impossible_angle_in_exif_is_passed_over():
    assert CameraOptions().focal((1000, 1000), 1.0) is None
    assert CameraOptions().focal((1000, 1000), 1000.0).source == "exif"


def test_a_view_far_from_training_is_told_once(predictor):
    near = {"fov_deg": 63.3 / 2 + 0.1}
    far = {"fov_deg": 63.3 / 2 - 0.1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.encode(picture(*SIZE), **near)
        predictor.encode(picture(*SIZE), fov_deg=126.5)
    with pytest.warns(
        UserWarning, match="covers 32 degrees.* trained at 63 degrees; .* extrapolated"
    ):
        predictor.encode(picture(*SIZE), **far)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.encode(picture(*SIZE), **far)
    with pytest.warns(UserWarning, match="covers 140 degrees"):  # another mistake is told too
        predictor.encode(picture(*SIZE), fov_deg=140.0)
    (warning,) = ImagePlan.make(SIZE, CameraConfig(), 500.0).warnings(CameraConfig())
    assert "depths are extrapolated" in warning


def test_the_working_resolution_is_told():
    plan = ImagePlan.make((3000, 4000), CameraConfig(), 3242.5)
    assert plan.describe() == (
        "4000x3000 photo, resized for the model by a factor of 0.12 (490x364 with edge padding); "
        "focal length 3242.5 px (as given), a field of view of 63.3 degrees along the longer side"
    )
    wide = ImagePlan.make((3000, 4000), CameraConfig(), 200.0, max_input_pixels=1400 * 1400)
    assert wide.describe().endswith("so depth is corrected by a factor of 0.18")


def test_the_same_view_at_another_resolution_gets_nearly_the_same_metres(predictor):
    large = Image.fromarray(picture(192, 256))
    small = large.resize((64, 48), Image.Resampling.BOX)
    scenes = [predictor.encode(image, fov_deg=60.0) for image in (large, small)]
    places = np.array([(10.0, 12.0), (40.0, 20.0), (60.0, 45.0)])
    found = scenes[1].depth_at(places)
    expected = scenes[0].depth_at((places + 0.5) * 4 - 0.5)
    # The network is random, and smooth pictures differ a little after shrinking by 4.
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("focal_px", [1e10, 1e300, np.float64(1e12)])
def test_an_impossibly_long_focal_length_is_refused(focal_px):
    with pytest.raises(InputError, match=r"focal_px .* gives a field of view below 0\.001 degrees"):
        CameraOptions.of(focal_px=focal_px).focal((480, 640))
