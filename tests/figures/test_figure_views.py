"""The sheet of training views: every panel shows what it says, and the command draws it."""

import numpy as np
import pytest
from PIL import Image

from helpers.samples import slanted_sample
from spd.cli import run
from spd.config import CameraConfig
from spd.data.transforms import TrainingView, training_view
from spd.errors import InputError
from spd.figures import view_sheet
from spd.figures.canvas import NO_READING, depth_colours
from spd.pixels import Intrinsics

GREY = np.array([int(NO_READING[k : k + 2], 16) for k in (1, 3, 5)])
CAMERA = CameraConfig(focal_px=40.0, crop_height_px=28, crop_width_px=42)


def flat_view(depth_m=2.0, *, point_m=4.0) -> TrainingView:
    """A blue picture at one depth, masked on the right; one point in the middle."""
    image = np.zeros((28, 42, 3), np.float32)
    image[..., 2] = 1
    valid = np.ones((28, 42), bool)
    valid[:, 30:] = False
    depth = np.where(valid, np.float32(depth_m), np.float32(0))
    depth[:14][valid[:14]] = point_m
    camera = Intrinsics.centred(40.0, (28, 42))
    return TrainingView(
        image,
        depth,
        valid,
        np.float32([[20.5, 13.5], [5, 5]]),
        np.float32([point_m, 1]),
        np.array([True, False]),
        camera,
        "flat",
    )


def pixels_of(path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def count_near(pixels: np.ndarray, colour) -> int:
    return int((np.abs(pixels - np.asarray(colour)).max(axis=-1) <= 2).sum())


def test_panels_show_image_depth_mask_and_points(tmp_path):
    pixels = pixels_of(view_sheet([flat_view()], tmp_path / "v.png", "title"))
    panel = 260 * 173  # of 28x42, 260 px wide
    far, near = (np.array(depth_colours()(end)[:3]) * 255 for end in (1.0, 0.0))
    blue = count_near(pixels, (0, 0, 255))
    assert 0.97 * panel < blue < panel  # the dot hides a little
    assert count_near(pixels, GREY) == pytest.approx(panel * 12 / 42, rel=0.02)
    # Half of what is valid at 2 m and half at 4 m: the two ends of the scale.
    for colour in (near, far):
        assert count_near(pixels, colour) == pytest.approx(panel * 15 / 42, rel=0.03)
    # The one valid point: a dot of its depth in the middle of the image. The first blue row is
    # the panel's upper border.
    rows, columns = np.nonzero(np.abs(pixels - (0, 0, 255)).max(axis=-1) <= 2)
    top, left = rows.min(), columns.min()
    dot = pixels[round(top + 14 * 173 / 28), round(left + 21 * 260 / 42)]
    assert np.abs(dot - far).max() <= 2
    unasked = pixels[round(top + 5.5 * 173 / 28), round(left + 5.5 * 260 / 42)]
    assert unasked.tolist() == [0, 0, 255]


def test_a_sheet_has_as_many_columns_as_asked_for(tmp_path):
    views = [
        training_view(slanted_sample(f"{n}"), CAMERA, 200, np.random.default_rng(n), augment=True)
        for n in range(8)
    ]
    three = pixels_of(view_sheet(views, tmp_path / "three.png", "t", columns=3)).shape
    four = pixels_of(view_sheet(views, tmp_path / "four.png", "t", columns=4)).shape
    assert four[1] - three[1] == 260 + 14
    # Title, 3 and 2 rows of two panels of 173 px, name and gaps.
    assert three[0] - four[0] == pytest.approx(2 * 173 + 4 + 1.9 * 17 + 7, abs=2)
    with pytest.raises(InputError, match="needs at least one view and one column, got 0 and 4"):
        view_sheet([], tmp_path / "none.png", "t")


def test_the_command_draws_the_same_views_for_the_same_seed(tmp_path, rgbd_folder, capsys):
    words = ["data", "views", f"{rgbd_folder}:train", "--recipe", "rooms_tiny", "--count", "4"]
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert run([*words, "--seed", seed, "-o", str(tmp_path / f"{name}.png")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"wrote {tmp_path / 'a.png'}: 3 of 3 frame(s), one 168x224 px view each"
    # No frame is drawn twice: three columns, not the four that were asked for.
    assert run([*words[:-1], "3", "-o", str(tmp_path / "three.png")]) == 0
    assert np.array_equal(pixels_of(tmp_path / "three.png"), pixels_of(tmp_path / "a.png"))
    a, b, c = (pixels_of(tmp_path / f"{name}.png") for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert run([*words, "-o", str(tmp_path / "x.jpg")]) == 2
    assert "must end in .png" in capsys.readouterr().err
    assert run(["data", "views", "--help"]) == 0
    assert "Example: spd data views" in " ".join(capsys.readouterr().out.split())


def test_the_sheet_of_a_source_says_how_many_frames_it_shows_and_where_it_is(
    tmp_path, rgbd_folder, capsys
):
    out = tmp_path / "sheet.png"
    assert run(["data", "sheet", str(rgbd_folder), "--count", "2", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}: 2 of 5 frame(s)\n"
    # Heading, one photo above one map, both 240 px wide, the name, and gaps.
    assert pixels_of(out).shape[0] == round(12 + 2 * 32.3 + 2 * 180 + 4 + 32.3 + 12)
