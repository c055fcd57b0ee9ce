"""Regions: where points are taken, and quantiles that were computed by hand."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers.formula_scenes import FormulaScene, ramp, wall
from spd.errors import InputError, PointError
from spd.scenes import Box, Line, Mask, RegionStatistics, grid, read_mask, region
from spd.scenes.regions import centre_of


def test_a_box_is_asked_a_point_a_pixel():
    points = Box(9.5, 4.5, 12.5, 6.5).sample((40, 60))
    assert points.tolist() == [[10, 5], [11, 5], [12, 5], [10, 6], [11, 6], [12, 6]]
    # A box finer than a pixel is one point.
    assert Box(10.2, 5.2, 10.4, 5.4).sample((40, 60)) == pytest.approx(np.array([[10.3, 5.3]]))


@pytest.mark.parametrize("box", [(0, 0, 4000, 3000), (0, 0, 100_000, 2), (0, 0, 2, 100_000)])
def test_a_large_box_is_asked_evenly_and_at_most_so_often(box):
    points = Box(*box).sample((100_000, 100_000), 1000)
    assert 800 < len(points) <= 1000
    assert points.mean(axis=0) == pytest.approx([box[2] / 2, box[3] / 2])
    columns = np.unique(points[:, 0])
    assert np.ptp(np.diff(columns)) < 1e-6 if len(columns) > 1 else True


def test_quantiles_of_a_ramp():
    # Columns 10 to 20 of the ramp: 1.10 to 1.20 m in eleven even steps.
    got = ramp().region((9.5, 9.5, 20.5, 10.5))
    assert (got.count, got.valid_share) == (11, 1.0)
    assert (got.p10_m, got.p25_m) == pytest.approx((1.11, 1.125), abs=1e-6)
    assert got.median_m == pytest.approx(1.15, abs=1e-6)
    assert (got.p75_m, got.p90_m) == pytest.approx((1.175, 1.19), abs=1e-6)


def test_single_wild_pixels_do_not_move_the_median():
    scene = FormulaScene(lambda u, v: np.where(u == 10, 1e6, 2.0))
    assert scene.region((8.5, 8.5, 13.5, 13.5)).median_m == 2.0


def test_the_part_outside_the_photo_is_not_valid():
    # Columns 50 to 69 of 60: half of them are there.
    got = wall().region((49.5, 0, 69.5, 10))
    assert (got.count, got.valid_share, got.median_m) == (200, 0.5, 2.0)
    # A detector's box of the whole photo, borders at 0 and 60, is valid whole.
    assert wall().region((0, 0, 60, 40)).valid_share == 1.0


def test_depths_that_are_none_are_counted_and_left_out():
    scene = FormulaScene(lambda u, v: np.where(u < 30, np.nan, np.where(u < 45, -1.0, 3.0)))
    got = scene.region((-0.5, -0.5, 59.5, 39.5))
    assert (got.valid_share, got.p10_m, got.p90_m) == (0.25, 3.0, 3.0)
    nothing = scene.region((0, 0, 20, 20))
    assert nothing.valid_share == 0
    assert np.isnan(nothing.median_m)
    assert RegionStatistics.of(np.empty(0)).valid_share == 0


def test_a_mask_is_asked_at_its_pixels(tmp_path):
    mask = np.zeros((40, 60), dtype=bool)
    mask[3, 5] = mask[30, [40, 41]] = True
    assert Mask(mask).sample((40, 60)).tolist() == [[5, 3], [40, 30], [41, 30]]
    got = ramp().region(mask)
    assert (got.count, got.median_m) == (3, pytest.approx(1.4, abs=1e-6))
    for value in (1, 255):  # masks of labels, and for the eye
        Image.fromarray(mask.astype(np.uint8) * value).save(tmp_path / "mask.png")
        assert ramp().region(tmp_path / "mask.png") == got


@pytest.mark.parametrize("form", ["labels of 16 bits", "palette", "transparent", "one bit"])
def test_masks_of_every_form_are_inside_where_they_mean_it(tmp_path, form):
    mask = np.zeros((40, 60), dtype=bool)
    mask[3, 5] = mask[30, [40, 41]] = True
    image = {
        "labels of 16 bits": lambda: Image.fromarray(mask.astype(np.uint16) * 3),
        "palette": lambda: Image.fromarray(mask.astype(np.uint8) * 7).convert("P"),
        "transparent": lambda: Image.fromarray(
            np.where(mask[..., None], [200, 10, 0, 255], [255, 255, 255, 0]).astype(np.uint8)
        ),
        "one bit": lambda: Image.fromarray(mask),
    }[form]()
    image.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png").pixels, mask)
    np.testing.assert_array_equal(read_mask((tmp_path / "mask.png").read_bytes()).pixels, mask)


def test_a_mask_is_upright_and_no_jpeg_whatever_it_is_called(tmp_path):
    tall = Image.new("L", (40, 60))
    tall.putpixel((0, 0), 255)  # which the turn brings to the upper right
    exif = Image.Exif()
    exif[0x0112] = 6
    tall.save(tmp_path / "mask.png", exif=exif)
    assert np.argwhere(read_mask(tmp_path / "mask.png").pixels).tolist() == [[0, 59]]
    tall.save(tmp_path / "jpeg.png", "JPEG")
    with pytest.raises(InputError, match=r"jpeg\.png is a JPEG.* save the mask as PNG"):
        read_mask(tmp_path / "jpeg.png")


def test_a_large_mask_is_drawn_from_the_same_way_each_time():
    mask = np.ones((400, 600), dtype=bool)
    scene = ramp(size=(400, 600))
    got = region(scene, mask, most_points=1000)
    assert got.count == scene.asked == 1000
    assert len(np.unique(Mask(mask).sample((400, 600), 1000), axis=0)) == 1000
    assert got == region(scene, mask, most_points=1000)
    # Half the photo's 600 columns lie left of 4 m; a draw of 1000 has a deviation of 1.6 % there.
    assert got.median_m == pytest.approx(1 + 0.01 * 299.5, abs=0.01 * 600 * 0.016 * 3)


def test_a_line_is_asked_a_point_a_pixel_from_end_to_end():
    points = Line.through([(10, 5), (13, 5), (13, 7)]).sample((40, 60))
    assert points == pytest.approx(
        np.array([(10, 5), (11, 5), (12, 5), (13, 5), (13, 6), (13, 7)], dtype=float)
    )
    assert len(Line.through([(0, 0), (59, 39)]).sample((40, 60), 10)) == 10
    assert ramp().region(Line.through([(10, 5), (20, 5)])).median_m == pytest.approx(1.15)
    assert Line.through([(5, 5), (5, 5)]).sample((40, 60)).tolist() == [[5, 5], [5, 5]]


def test_a_grid_has_the_centres_of_equal_fields():
    # 60 columns in three fields of 20: their middles are 9.5, 29.5 and 49.5.
    assert grid((40, 60), 3, 2).tolist() == [
        [9.5, 9.5], [29.5, 9.5], [49.5, 9.5], [9.5, 29.5], [29.5, 29.5], [49.5, 29.5],
    ]  # fmt: skip
    v, u = np.mgrid[:40, :60]
    assert grid((40, 60), 60, 40) == pytest.approx(np.stack([u.ravel(), v.ravel()], axis=1))


def test_the_point_that_speaks_for_a_region_lies_in_it_and_in_the_photo():
    assert centre_of(Box(49.5, 0, 69.5, 10), (40, 60))[0] < 59.5
    # Boxes that reach less than half a cell into the photo, so that no cell's centre lies in it.
    assert centre_of(Box(-10, 0, -0.2, 20), (40, 60)) == pytest.approx((-0.35, 10))
    assert centre_of(Box(59.25, 39.25, 80, 60), (40, 60)) == pytest.approx((59.375, 39.375))
    assert centre_of(Box(-1e6, -1e6, 1e6, 1e6), (40, 60)) == pytest.approx((29.5, 19.5))
    ring = np.ones((40, 60), dtype=bool)
    ring[5:-5, 5:-5] = False
    u, v = centre_of(Mask(ring), (40, 60))
    assert ring[int(v), int(u)]


@pytest.mark.parametrize(
    ("where", "error", "pattern"),
    [
        ((5, 5, 5, 9), PointError, "x0 < x1 and y0 < y1"),
        ((5, 9, 8, 2), PointError, "x0 < x1 and y0 < y1, got 5,9,8,2"),
        ((0, 0, np.inf, 5), PointError, "x0 < x1"),
        ((60, 0, 70, 5), PointError, "outside the photo of 60 columns and 40 rows"),
        (np.zeros((40, 60), dtype=bool), InputError, "mask is empty"),
        (
            np.ones((60, 40), dtype=bool),
            InputError,
            "the mask is 40x60, but the photo is 60x40",
        ),
        (np.ones((40, 60), dtype=np.uint8), InputError, "convert a numeric mask with mask > 0"),
        ((1, 2, 3), InputError, "a region must be a box"),
        ("nowhere.png", InputError, r"no image file nowhere\.png"),
        (Line(np.array([[0.0, 0.0], [0.0, 40.0]])), PointError, r"point 1 is \(0, 40\), outside"),
    ],
)
def test_what_is_no_region_is_refused(where, error, pattern):
    with pytest.raises(error, match=pattern):
        wall().region(where)


def test_questions_and_outputs_load_no_torch():
    script = "import sys, spd.scenes, spd.outputs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "box",
    [
        (-1e308, -1e308, 1e308, 1e308),
        (0, 0, 1e308, 1e308),
        (-1.7e308, 0, 1, 1),
        (0, 0, 1, 10_000_001),
        (-1e18, 0, 1e18, 5),
    ],
)
def test_boxes_beyond_any_photo_are_refused(box):
    with pytest.raises(PointError, match="too far outside"):
        Box(*box)
