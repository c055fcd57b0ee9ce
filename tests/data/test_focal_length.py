"""The focal length after every transform, by its intrinsics and by what can be seen.

Three dots, one of each colour, stand at known directions. Where they lie in a picture is measured
from its brightness alone, so their distances say at what focal length it was taken.
"""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from spd.config import CameraConfig
from spd.data.focal import check_focal_lengths, focal_in_evaluation, focal_in_training
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.sample import RGBDSample
from spd.data.sources import Samples
from spd.data.transforms import training_view
from spd.data.views import Placement, middle_placement
from spd.errors import DataError
from spd.photos.reading import resample
from spd.pixels import Intrinsics
from spd.predictors.torch_predictor import Predictor

CAMERA = CameraConfig(focal_px=389.1, crop_height_px=350, crop_width_px=476)
SMALLER = CameraConfig(focal_px=389.1, crop_height_px=308, crop_width_px=406)  # fits every frame
NYU = Intrinsics(518.8579, 519.46961, 325.58245, 253.73617)
DIRECTIONS = np.array([[-0.3, -0.05], [0.28, 0.06], [0.02, 0.25]])  # x / z, y / z
OTHERS = {
    "TUM": Intrinsics(525.0, 525.0, 319.5, 239.5),
    "Kinect": Intrinsics(585.0, 585.0, 320.0, 240.0),
}
FRAMES = {
    "NYU": (NYU, (480, 640)),
    "TUM": (OTHERS["TUM"], (480, 640)),
    "Kinect": (OTHERS["Kinect"], (480, 640)),
    "small": (Intrinsics(260.0, 261.0, 158.0, 121.5), (240, 320)),
    "large": (Intrinsics(840.0, 838.0, 562.0, 413.0), (840, 1120)),
}
TOLERANCE = {name: 0.001 if name == "NYU" else 0.005 for name in FRAMES}
# Dots are found to about 0.02 px of 220: 0.01 %. fx and fy of NYU's camera lie 0.06 % off
# their geometric mean.
MEASURED = 0.001


def project(camera: Intrinsics) -> np.ndarray:
    return DIRECTIONS * (camera.fx, camera.fy) + (camera.cx, camera.cy)


@functools.cache
def dots(name: str) -> RGBDSample:
    """A black picture of three soft dots: red, green and blue."""
    camera, size = FRAMES[name]
    v, u = np.mgrid[: size[0], : size[1]]
    width = camera.fx / 130  # 4 px of NYU's frame
    image = np.stack(
        [
            255 * np.exp(-((u - at_u) ** 2 + (v - at_v) ** 2) / (2 * width**2))
            for at_u, at_v in project(camera)
        ],
        axis=-1,
    )
    depth_m = np.full(size, 2, np.float32)
    return RGBDSample(image.round().astype(np.uint8), depth_m, depth_m > 0, camera, name)


def seen(image: np.ndarray) -> np.ndarray:
    """`(u, v)` of the red, the green and the blue dot: their centres of brightness."""
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    bright = image.astype(np.float64)
    bright[bright < 0.05 * bright.max()] = 0  # faint tails that a border may cut
    return np.stack(
        [((u * b).sum() / b.sum(), (v * b).sum() / b.sum()) for b in np.moveaxis(bright, 2, 0)]
    )


def sides(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)


def measured_focal(image: np.ndarray) -> float:
    """Pixels a unit of x / z, by the three sides of the dots' triangle. A roll changes none."""
    return float(np.mean(sides(seen(image)) / sides(DIRECTIONS)))


def test_the_measure_finds_the_focal_length_of_a_frame():
    for name, (camera, _) in FRAMES.items():
        assert measured_focal(dots(name).image) == pytest.approx(camera.focal_px, rel=MEASURED)


@pytest.mark.parametrize("name", FRAMES)
def test_resampling_scales_the_focal_length_exactly(name):
    sample = dots(name)
    scale = 389.1 / sample.intrinsics.focal_px
    size = (round(sample.image_size[0] * scale), round(sample.image_size[1] * scale))
    after = sample.intrinsics.resized(scale, scale)
    assert after.focal_px == pytest.approx(389.1, rel=1e-12)
    shown = resample(sample.image, scale, size)
    assert measured_focal(shown) == pytest.approx(389.1, rel=MEASURED)
    assert np.abs(seen(shown) - project(after)).max() < 0.05


PLACEMENTS = {
    "crop": {"left": 3, "top": 5, "size": (322, 420)},
    "roll": {"roll_rad": 0.04},
    "roll back": {"roll_rad": -0.04},
    "flip": {"mirrored": True},
    "pad": {"size": (600, 700)},
    "pad left": {"left": -30, "top": -20, "size": (500, 600)},
    "all": {"left": 2, "top": 6, "size": (322, 420), "roll_rad": 0.03, "mirrored": True},
}


@pytest.mark.parametrize("how", PLACEMENTS)
@pytest.mark.parametrize("name", FRAMES)
def test_rolls_crops_flips_and_pads_keep_the_focal_length(name, how):
    sample = dots(name)
    scale = 389.1 / sample.intrinsics.focal_px
    kind = {"left": 0, "top": 0, "size": (364, 490)} | PLACEMENTS[how]
    placement = Placement(sample.intrinsics, scale, **kind)
    assert placement.intrinsics.focal_px == pytest.approx(389.1, rel=1e-12)
    shown = placement.image(sample.image)
    assert measured_focal(shown) == pytest.approx(389.1, rel=MEASURED)
    # A twentieth of a pixel: 8 bits, and the truncation of Pillow's turn.
    moved = placement.to_view(project(sample.intrinsics))
    assert np.abs(seen(shown) - moved).max() < 0.05
    if not placement.roll_rad:
        by_hand = project(placement.intrinsics)
        if placement.mirrored:
            by_hand[:, 0] = (
                kind["size"][1]
                - 1
                - project(dataclasses.replace(placement, mirrored=False).intrinsics)[:, 0]
            )
        np.testing.assert_allclose(moved, by_hand, atol=1e-9)


@pytest.mark.parametrize("name", FRAMES)
def test_training_and_both_ways_of_evaluation_agree(name, small_config, small_model, monkeypatch):
    sample, tolerance = dots(name), TOLERANCE[name]
    trained = []
    for seed in range(3):
        view = training_view(sample, CAMERA, 9, np.random.default_rng(seed), augment=True)
        assert view.intrinsics.focal_px == pytest.approx(389.1, rel=1e-9)
        trained.append(measured_focal(view.image))
    evaluated = [measured_focal(image) for image in predictors_images(sample, small_model)]
    assert len(evaluated) == 2
    for focal_px in evaluated:
        assert focal_px == pytest.approx(np.mean(trained), rel=tolerance)
        assert focal_px == pytest.approx(389.1, rel=tolerance)
    assert np.ptp(trained) < tolerance * 389.1
    assert focal_in_training(sample, CAMERA) == pytest.approx(
        focal_in_evaluation(sample, CAMERA), rel=1e-9
    )


def predictors_images(sample: RGBDSample, model) -> list[np.ndarray]:
    """Network input for the whole photo and for its fixed crop."""
    model.config = model.config.model_copy(update={"camera": SMALLER})
    given = []
    encode = model.encode

    def note(images):
        given.append(images[0].permute(1, 2, 0).numpy())
        return encode(images[..., :28, :28])  # the maps are not looked at

    model.encode = note
    predictor = Predictor(model, torch.device("cpu"), "dots")
    predictor.encode(sample.image, focal_px=sample.intrinsics.focal_px)
    crop = middle_placement(sample, SMALLER)
    shown = crop.image(sample.image)
    predictor.encode(shown, focal_px=crop.intrinsics.focal_px)
    assert np.array_equal((given[1] * 255).round(), shown)  # the crop itself, not resampled
    return given


# What a run checks before its first step.


def folder_of(
    path, size: tuple[int, int], camera: Intrinsics | None, dataset: str, count: int = 2
) -> RGBDFolder:
    entries = []
    for number in range(count):
        depth_m = np.full(size, 2, np.float32)
        image = np.zeros((*size, 3), np.uint8)
        sample = RGBDSample(image, depth_m, depth_m > 0, camera, f"frame-{number}")
        write_frame(sample, path)
        entries.append(frame_entry(sample.name, size, camera, "all", dataset=dataset))
    write_index(entries, path)
    return RGBDFolder(path)


@pytest.fixture
def nyu(tmp_path) -> Samples:
    """Whole frames of NYU at half their size."""
    return Samples([folder_of(tmp_path / "nyu", (240, 320), NYU.resized(0.5, 0.5), "NYUv2")])


def test_nyu_for_training_and_validation_agrees(nyu, tmp_path):
    other = Samples([folder_of(tmp_path / "tum", (240, 320), OTHERS["TUM"], "TUM")])
    check_focal_lengths(nyu, nyu, CAMERA)
    check_focal_lengths(nyu, Samples([*nyu.sources, *other.sources]), CAMERA)
    check_focal_lengths(other, nyu, CAMERA)
    check_focal_lengths(nyu, Samples([]), CAMERA)


def test_whole_frames_squeezed_to_the_crop_that_claim_nyus_focal_length_are_refused(nyu, tmp_path):
    # Training at 519 px, validation squeezed to 350x476, where the true focal length is 386 px:
    # everything would look 27 % smaller, and nothing else would tell.
    claim = Intrinsics(518.86, 518.86, 237.5, 174.5)
    squeezed = Samples([folder_of(tmp_path / "squeezed", (350, 476), claim, "NYUv2")])
    message = (
        r"squeezed: frame-0.png is 350x476 with focal lengths fx 518\.9 and fy 518\.9 px, but "
        r"NYU's camera \(518\.9 px at 480x640\) has 385\.9 and 378\.8 px at that size"
    )
    with pytest.raises(DataError, match=message) as refused:
        check_focal_lengths(nyu, squeezed, CAMERA)
    assert "\n" not in str(refused.value)
    with pytest.raises(DataError, match=message):
        check_focal_lengths(squeezed, nyu, CAMERA)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        # The truth of a frame squeezed to 350x476: fx and fy differ by 1.9 %.
        (
            Intrinsics(385.9, 378.8, 242.0, 184.9),
            "differ by more than 1 %, so its pixels are not square",
        ),
        # One number for both, right for the width.
        (Intrinsics(385.9, 385.9, 242.0, 184.9), "was squeezed or cropped"),
        (Intrinsics(382.3, 382.3, 242.0, 184.9), "was squeezed or cropped"),
    ],
)
def test_squeezed_frames_of_nyu_are_refused_whatever_they_claim(nyu, tmp_path, camera, message):
    squeezed = Samples([folder_of(tmp_path / "squeezed", (350, 476), camera, "NYUv2")])
    with pytest.raises(DataError, match=message):
        check_focal_lengths(nyu, squeezed, CAMERA)


def test_frames_that_the_size_limits_force_to_another_scale_are_refused(nyu, tmp_path):
    # 500 px over 2,000 columns wants a scale of 0.778, which would make 1,556 columns; 1,400 are
    # the most, a scale of 0.7: 350 px instead of 389.1, 10 % less.
    wide = folder_of(tmp_path / "wide", (40, 2000), Intrinsics.centred(500.0, (40, 2000)), "mine")
    assert focal_in_evaluation(wide[0], CAMERA) == pytest.approx(350)
    message = r"wide: frame-0.png at 350\.0 px, but .*389\.1.*10\.0%"
    with pytest.raises(DataError, match=message):
        check_focal_lengths(nyu, Samples([wide]), CAMERA)


def test_nyu_must_agree_to_a_thousandth_and_others_to_five(nyu, tmp_path):
    # 1,404 columns at scale 1 are four too many: 1,400 of 1,404 is 0.28 % less.
    size = (40, 1404)
    wide = folder_of(tmp_path / "wide", size, Intrinsics.centred(389.1, size), "mine")
    tum = Samples([folder_of(tmp_path / "tum", (240, 320), OTHERS["TUM"], "TUM")])
    check_focal_lengths(tum, Samples([wide]), CAMERA)
    with pytest.raises(DataError, match=r"off by 0\.3%"):
        check_focal_lengths(nyu, Samples([wide]), CAMERA)


def test_frames_without_a_focal_length_are_skipped(nyu, tmp_path):
    unknown = folder_of(tmp_path / "unknown", (40, 60), None, "mine")
    check_focal_lengths(nyu, Samples([unknown]), CAMERA)


def test_first_middle_and_last_frame_of_every_source_are_checked(nyu, tmp_path):
    good = folder_of(tmp_path / "good", (24, 32), NYU.resized(0.05, 0.05), "NYUv2", count=5)
    check_focal_lengths(nyu, Samples([good]), CAMERA)
    for place in (0, 2, 4):
        entry = good.entries[place]
        wrong = entry.model_copy(
            update={"intrinsics": entry.intrinsics.model_copy(update={"fx": 30.0, "fy": 30.0})}
        )
        entries = good.entries.copy()
        good.entries[place] = wrong
        with pytest.raises(DataError, match=f"frame-{place}.png is 24x32 with focal lengths fx 30"):
            check_focal_lengths(nyu, Samples([good]), CAMERA)
        good.entries = entries
