import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from spd.data.sample import RGBDSample
from spd.errors import InputError
from spd.figures import (
    SheetRow,
    contact_sheet,
    evaluation_sheet,
    overlay,
    point_overlay,
)
from spd.figures.canvas import (
    NO_READING,
    Canvas,
    depth_colours,
    depth_limits,
    error_colours,
    panel_size,
    thinned,
)
from spd.figures.evaluation_sheet import relative_error
from spd.figures.labels import Rectangle, place_labels

GREY = np.array([int(NO_READING[k : k + 2], 16) for k in (1, 3, 5)])


def read_png(path) -> np.ndarray:
    with Image.open(path) as image:
        image.verify()  # checks every chunk's checksum
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def colour_of(depth_m: float, near_m: float, far_m: float) -> np.ndarray:
    return np.array(depth_colours()((depth_m - near_m) / (far_m - near_m))[:3]) * 255


def panel_pixel(u: float, v: float, image: np.ndarray) -> tuple[int, int]:
    """(row, column) in the overlay's file of a point of the photo in its first panel."""
    height, width = panel_size(image.shape[:2], overlay._PANEL_PX, overlay._NARROWEST_PX)
    row = overlay._MARGIN_PX + (v + 0.5) * height / image.shape[0]
    column = overlay._MARGIN_PX + (u + 0.5) * width / image.shape[1]
    return int(row), int(column)


def near(pixel: np.ndarray, colour: np.ndarray) -> bool:
    """Two levels: 256 colours of 255 levels each, and rounding to 8 bits."""
    return bool(np.abs(pixel - colour).max() <= 2)


@pytest.mark.parametrize("size", [(48, 64), (97, 61), (1500, 2000)])
def test_marker_has_the_colour_of_its_depth(tmp_path, size):
    image = np.full((*size, 3), 120, np.uint8)
    height, width = size
    points = [(0.2 * width, 0.2 * height), (0.7 * width, 0.3 * height), (0.4 * width, 0.8 * height)]
    depth = [1.0, 2.0, 5.0]
    drawn = read_png(point_overlay(image, points, depth, tmp_path / "points.png"))
    for (u, v), metres in zip(points, depth, strict=True):
        assert near(drawn[panel_pixel(u, v, image)], colour_of(metres, 1.0, 5.0))


def test_markers_lie_at_pixel_centres_and_on_the_border(tmp_path):
    image = np.full((3, 5, 3), 120, np.uint8)
    points = [(0, 0), (4, 2), (4.5, -0.5)]
    drawn = read_png(point_overlay(image, points, [1.0, 3.0, 2.0], tmp_path / "points.png"))
    # 900 px for 5 columns: a pixel is 180 px wide, its centre 90 px from its border.
    margin = int(overlay._MARGIN_PX)
    assert near(drawn[margin + 90, margin + 90], colour_of(1.0, 1.0, 3.0))
    assert near(drawn[margin + 450, margin + 810], colour_of(3.0, 1.0, 3.0))
    assert near(drawn[margin, margin + 900], colour_of(2.0, 1.0, 3.0))


def test_depth_map_shares_the_markers_scale_and_its_holes_are_grey(tmp_path):
    image = np.zeros((40, 60, 3), np.uint8)
    depth_map = np.full((40, 60), 2.0, np.float32)
    depth_map[:, 30:] = 4.0
    depth_map[:20, :30] = 0.0
    depth_map[20:, 45:] = np.nan
    path = point_overlay(image, [(10, 10)], [6.0], tmp_path / "both.png", depth_map_m=depth_map)
    drawn = read_png(path)
    second = int(900 + overlay._MARGIN_PX)  # columns from the first panel to the second
    row, column = panel_pixel(10, 10, image)
    assert near(drawn[row, column], colour_of(6.0, 2.0, 6.0))
    assert near(drawn[row, column + second], colour_of(6.0, 2.0, 6.0))  # the point is on it too
    row, column = panel_pixel(20, 10, image)
    assert near(drawn[row, column + second], GREY)
    for u, v, expected in ((10, 30, 2.0), (40, 10, 4.0)):
        row, column = panel_pixel(u, v, image)
        assert near(drawn[row, column + second], colour_of(expected, 2.0, 6.0))
    row, column = panel_pixel(50, 30, image)
    assert near(drawn[row, column + second], GREY)


def test_a_flat_map_gets_no_more_colours_than_its_share_of_the_least_span(tmp_path):
    image = np.zeros((40, 60, 3), np.uint8)
    depth_map = np.full((40, 60), 1.9, np.float32)
    depth_map[20:] = 2.0
    path = point_overlay(image, [], [], tmp_path / "flat.png", depth_map_m=depth_map)
    drawn = read_png(path)
    # A quarter of 2 m around 1.95 m: from 1.7 to 2.2 m, of which the map covers a fifth.
    for v, metres in ((5, 1.9), (35, 2.0)):
        row, column = panel_pixel(30, v, image)
        pixel = drawn[row, column + int(900 + overlay._MARGIN_PX)]
        assert near(pixel, colour_of(metres, 1.7, 2.2))


def test_a_title_stands_above_the_panels_in_as_many_lines_as_it_needs(tmp_path):
    image = np.full((40, 60, 3), 77, np.uint8)
    plain = read_png(point_overlay(image, [], [], tmp_path / "plain.png"))
    for words, lines in ((3, 1), (15, 2), (400, 3)):  # past three lines it is cut
        title = " ".join(["photo.jpg"] * words)
        titled = read_png(point_overlay(image, [], [], tmp_path / "titled.png", title=title))
        more = titled.shape[0] - plain.shape[0]
        assert more == lines * 35
        margin = int(overlay._MARGIN_PX)
        assert np.array_equal(titled[more + margin :, :950], plain[margin:, :950])
        head = titled[: more + margin]
        assert (head.max(axis=-1) < 100).sum() > 200 * lines  # ink
        assert (head[:, -10:] == 255).all()  # that ends on the page


def test_labels_are_white_and_stop_past_25_points(tmp_path):
    image = np.full((300, 400, 3), 60, np.uint8)
    grid = np.stack(np.meshgrid(np.linspace(40, 300, 5), np.linspace(30, 270, 5)), -1).reshape(
        -1, 2
    )
    few = read_png(point_overlay(image, grid, np.linspace(1, 4, 25), tmp_path / "few.png"))
    many = np.concatenate([grid, grid + 7, grid - 7])
    dots = read_png(point_overlay(image, many, np.linspace(1, 4, 75), tmp_path / "many.png"))
    # Right of the first marker, where its label starts: white letters with a black outline.
    row, column = panel_pixel(40, 30, image)
    beside = np.s_[row - 15 : row + 15, column + 18 : column + 110]
    assert (few[beside].min(axis=-1) > 250).sum() > 100
    assert (few[beside].max(axis=-1) < 5).sum() > 100
    # Without labels a dot with its rings is all there is; no letter reaches this far.
    far = np.s_[row - 15 : row + 15, column + 45 : column + 110]
    assert (dots[far] == 60).all()


def test_no_point_gives_the_photo_alone_and_nan_depth_is_left_out(tmp_path):
    image = np.full((30, 40, 3), 77, np.uint8)
    for points, depth in (([], []), ([(5, 5), (900, 900)], [np.nan, np.nan])):
        drawn = read_png(point_overlay(image, points, depth, tmp_path / "none.png"))
        assert (drawn[22:-22, 22:922] == 77).all()


@pytest.fixture
def pages(monkeypatch) -> list[Canvas]:
    """Every canvas that is saved, to ask where its texts lie."""
    saved: list[Canvas] = []
    plain = Canvas.save
    monkeypatch.setattr(Canvas, "save", lambda self, path: saved.append(self) or plain(self, path))
    return saved


def bars_of(page: Canvas) -> list[Axes]:
    return [axes for axes in page.figure.axes if axes.get_ylabel()]


def right_end(page: Canvas, axes: Axes) -> float:
    """The last column of a colour bar's label, in pixels."""
    return axes.yaxis.label.get_window_extent(page.agg.get_renderer()).x1


@pytest.mark.parametrize("far_m", [9.5, 10.9])
def test_the_colour_bars_label_is_whole_whatever_its_ticks_are(tmp_path, pages, far_m):
    depth_m = np.linspace(far_m - 1.7, far_m, 30 * 40).reshape(30, 40).astype(np.float32)
    photo = np.zeros((30, 40, 3), np.uint8)
    point_overlay(photo, [(3, 3)], [far_m], tmp_path / "a.png", depth_map_m=depth_m)
    (bar,) = bars_of(pages[0])
    assert bar.get_ylabel() == "depth (m)"
    margin = pages[0].width_px - right_end(pages[0], bar)
    assert 3 < margin < 40


def test_a_map_of_one_depth_has_one_tick_and_another_has_several(tmp_path, pages):
    photo = np.zeros((30, 40, 3), np.uint8)
    flat = np.full((30, 40), 10.0, np.float32)
    for depth_m in (flat, flat + np.eye(30, 40, dtype=np.float32)):
        point_overlay(photo, [(3, 20)], [10.0], tmp_path / "a.png", depth_map_m=depth_m)
    ticks = [[text.get_text() for text in bars_of(page)[0].get_yticklabels()] for page in pages]
    assert ticks[0] == ["10"]
    assert len(ticks[1]) > 2


@pytest.mark.parametrize(
    ("points", "depth", "message"),
    [
        ([(1, 1)], [1.0, 2.0], r"got \(1, 2\) and \(2,\)"),
        ([1, 1], [1.0, 2.0], r"must be \[K, 2\]"),
        ([(1, 1), (40, 3)], [1.0, 1.0], r"point 1 is \(40, 3\), outside the image of 40 columns"),
    ],
)
def test_points_that_do_not_fit_are_refused(tmp_path, points, depth, message):
    with pytest.raises(InputError, match=message):
        point_overlay(np.zeros((30, 40, 3), np.uint8), points, depth, tmp_path / "bad.png")
    assert list(tmp_path.iterdir()) == []


def test_other_images_and_other_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match="uint8"):
        point_overlay(np.zeros((30, 40, 3)), [], [], tmp_path / "bad.png")
    with pytest.raises(InputError, match=r"points\.jpg does not end in \.png"):
        point_overlay(np.zeros((30, 40, 3), np.uint8), [], [], tmp_path / "points.jpg")


def test_failing_half_way_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "points.png"
    path.write_bytes(b"the old picture")

    def fail(self, target, **_):
        target.write_bytes(b"half of a new one")
        raise RuntimeError("out of ink")

    monkeypatch.setattr("spd.figures.canvas.FigureCanvasAgg.print_png", fail)
    with pytest.raises(RuntimeError, match="out of ink"):
        point_overlay(np.zeros((30, 40, 3), np.uint8), [(1, 1)], [2.0], path)
    assert path.read_bytes() == b"the old picture"
    assert list(tmp_path.iterdir()) == [path]


def test_labels_stay_inside_and_apart():
    generator = np.random.default_rng(0)
    panel = (900.0, 675.0)
    crowd = generator.uniform((420, 300), (480, 340), (12, 2))
    corners = np.array([[0, 0], [900, 0], [0, 675], [900, 675]])
    markers = [(float(x), float(y)) for x, y in np.concatenate([corners, crowd])]
    places = place_labels(markers, [(100.0, 34.0)] * len(markers), 16.0, panel)
    placed = [place for place in places if place is not None]
    assert len(placed) == len(markers)
    dots = [Rectangle.around(x, y, 32, 32) for x, y in markers]
    for index, label in enumerate(placed):
        assert label.within(*panel)
        assert not any(label.overlaps(other) for other in placed[index + 1 :] + dots)


def test_a_label_without_room_is_left_out():
    assert place_labels([(5.0, 5.0)], [(100.0, 34.0)], 16.0, (60.0, 60.0)) == [None]


def test_near_is_brighter_and_warmer_than_far_at_every_step():
    red, green, blue = depth_colours()(np.linspace(0, 1, 256))[:, :3].T
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(luma) <= 0).all()  # the table repeats a few of its 256 colours
    assert luma[0] - luma[-1] > 0.8
    assert red[0] > blue[0]
    assert red[-1] < blue[-1]
    # Grey means no reading: no colour of either map comes near it.
    for colours in (depth_colours(), error_colours()):
        shades = colours(np.linspace(0, 1, 256))[:, :3] * 255
        assert np.abs(shades - GREY).max(axis=1).min() > 25


def test_limits_span_maps_and_points_and_are_never_empty():
    assert depth_limits([]).vmax == 10.0
    spread = np.linspace(1.0, 3.0, 10_001)
    limits = depth_limits([spread], np.array([0.5, np.nan]))
    assert (limits.vmin, limits.vmax) == pytest.approx((0.5, 2.98))
    flat = depth_limits([np.full((4, 4), 2.0)])
    assert (flat.vmin, flat.vmax) == pytest.approx((1.95, 2.05))
    holes = depth_limits([np.array([0.0, np.nan, 2.0, 4.0])])
    assert holes.vmin >= 2.0


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (675, 900)),
        ((640, 480), (900, 675)),
        ((48, 64), (675, 900)),
        ((200, 2000), (260, 2600)),  # the shorter side keeps 260
        ((10, 2000), (14, 2700)),  # as far as three times the longer
    ],
)
def test_panels_keep_the_proportions(size, expected):
    assert panel_size(size, 900, 260) == expected


def make_row(title: str, height: int, width: int) -> SheetRow:
    truth = np.full((height, width), 2.0, np.float32)
    truth[:, : width // 2] = np.nan
    predicted = np.full((height, width), 3.0, np.float32)
    return SheetRow(title, np.full((height, width, 3), 90, np.uint8), truth, predicted, 0.5, 0.0)


def test_relative_error_is_on_the_truths_pixels():
    truth = np.array([[1.0, 2.0, 0.0, np.nan]])
    error = relative_error(np.array([[1.5, 4.0]]), truth)
    np.testing.assert_array_equal(error, [[0.5, 0.25, np.nan, np.nan]])


def test_evaluation_sheet_colours_truth_prediction_and_error(tmp_path):
    drawn = read_png(evaluation_sheet([make_row("best: a$b_{", 30, 40)], tmp_path / "sheet.png"))
    flat = drawn.reshape(-1, 3)

    def area(colour: np.ndarray) -> int:
        return int((np.abs(flat - colour).max(axis=1) <= 2).sum())

    panel = 400 * 300
    # Anti-aliased borders take less than a hundredth of a panel.
    assert area(np.array([90, 90, 90])) == pytest.approx(panel, rel=0.01)
    assert area(GREY) == pytest.approx(panel, rel=0.01)  # half of truth, half of error
    assert area(colour_of(2.0, 2.0, 3.0)) == pytest.approx(panel / 2, rel=0.01)
    assert area(colour_of(3.0, 2.0, 3.0)) == pytest.approx(panel, rel=0.01)
    assert area(np.array(error_colours()(1.0)[:3]) * 255) == pytest.approx(panel / 2, rel=0.01)


def test_the_sheets_columns_stand_close_and_the_error_is_named_in_words(tmp_path, pages):
    heading = ("word " * 40).strip()  # a little more than one line
    evaluation_sheet([make_row("a", 300, 400)], tmp_path / "a.png", heading=(heading,))
    page = pages[0]
    depth, error = bars_of(page)
    assert (depth.get_ylabel(), error.get_ylabel()) == ("depth (m)", "relative error")
    last = max(axes.get_window_extent().x0 for axes in page.figure.axes if axes.images)
    assert 5 < last - right_end(page, depth) < 30
    assert 3 < page.width_px - right_end(page, error) < 30
    lines = [text.get_text() for text in page.figure.texts if text.get_text().startswith("word")]
    assert [len(line.split()) for line in lines] == [20, 20]


def test_evaluation_sheet_grows_by_its_rows(tmp_path):
    one = read_png(evaluation_sheet([make_row("a", 30, 40)], tmp_path / "1.png"))
    rows = [make_row("a", 30, 40), make_row("部屋", 40, 30), make_row("c", 30, 40)]
    three = read_png(evaluation_sheet(rows, tmp_path / "3.png"))
    assert one.shape[1] == three.shape[1]
    assert three.shape[0] > 300 + 400 + 300
    with pytest.raises(InputError, match="at least one"):
        evaluation_sheet([], tmp_path / "0.png")


def make_sample(name: str, size=(30, 40), depth_size=(15, 20)) -> RGBDSample:
    depth = np.full(depth_size, 2.0, np.float32)
    depth[:, :5] = 4.0
    valid = np.ones(depth_size, bool)
    valid[:5] = False
    return RGBDSample(np.full((*size, 3), 90, np.uint8), depth, valid, None, name)


def test_contact_sheet_draws_valid_depth_and_greys_the_rest(tmp_path):
    drawn = read_png(contact_sheet([make_sample("one")], tmp_path / "sheet.png"))
    flat = drawn.reshape(-1, 3)
    panel = 240 * 180
    counts = [
        int((np.abs(flat - colour).max(axis=1) <= 2).sum())
        for colour in (GREY, colour_of(2.0, 2.0, 4.0), colour_of(4.0, 2.0, 4.0))
    ]
    # A third is invalid; of the rest a quarter is at 4 m. The colour bar adds a few pixels.
    assert counts[0] == pytest.approx(panel / 3, rel=0.01)
    assert counts[1] == pytest.approx(panel * 2 / 3 * 3 / 4, rel=0.01)
    assert counts[2] == pytest.approx(panel * 2 / 3 / 4, rel=0.01)


def test_contact_sheet_wraps_into_columns(tmp_path):
    samples = [make_sample(f"scene/{k:040d}") for k in range(5)]
    samples.append(make_sample("upright", (40, 30), (20, 15)))
    wide = read_png(contact_sheet(samples, tmp_path / "3.png", columns=3))
    narrow = read_png(contact_sheet(samples, tmp_path / "2.png", columns=2))
    assert wide.shape[1] - narrow.shape[1] == 240 + 12
    assert narrow.shape[0] > wide.shape[0]
    for bad, columns in (([], 3), (samples, 0)):
        with pytest.raises(InputError, match="contact sheet"):
            contact_sheet(bad, tmp_path / "bad.png", columns=columns)


def test_a_contact_sheet_has_a_heading_where_it_is_given_a_title(tmp_path):
    sample = RGBDSample(
        np.full((30, 40, 3), 77, np.uint8),
        np.full((30, 40), 2.0, np.float32),
        np.ones((30, 40), bool),
        None,
        "one",
    )
    plain = read_png(contact_sheet([sample], tmp_path / "plain.png"))
    titled = read_png(contact_sheet([sample], tmp_path / "t.png", title="rooms: 1 of 3 frames"))
    more = titled.shape[0] - plain.shape[0]
    assert more == round(2 * 1.9 * 17)  # a title and a legend
    assert np.array_equal(titled[more:, :270], plain[:, :270])  # what is below is as it was
    assert (titled[: more // 2].max(axis=-1) < 100).sum() > 200
    assert titled.shape[1] > plain.shape[1]  # wide enough for the legend


def test_canvas_is_as_large_as_asked(tmp_path):
    Canvas(321, 123, 16).save(tmp_path / "blank.png")
    assert read_png(tmp_path / "blank.png").shape == (123, 321, 3)


def test_the_package_does_not_import_matplotlib_until_a_figure_is_drawn():
    code = "import sys, spd.evaluate, spd.data.sample; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_that_are_not_utf8_are_drawn_and_written(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    image = np.zeros((30, 40, 3), np.uint8)
    point_overlay(image, [(1, 1)], [2.0], tmp_path / name, title=name)
    point_overlay(image, [(1, 1)], [2.0], tmp_path / "b.png", title=r"caf\udce9.png")
    assert (tmp_path / name).read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_device_needs_no_ending():
    point_overlay(np.zeros((30, 40, 3), np.uint8), [(1, 1)], [2.0], "/dev/null")
    assert not os.path.isfile("/dev/null")


def test_a_large_photo_takes_the_memory_of_its_picture_only(tmp_path):
    height, width = 3000, 6000
    photo = np.full((height, width, 3), 120, np.uint8)
    depth_m = np.full((height, width), 2.0, np.float32)
    depth_m[:, width // 2 :] = 4.0
    point_overlay(photo, [(9, 9)], [2.0], tmp_path / "warm.png", depth_map_m=depth_m)
    tracemalloc.start()
    try:
        point_overlay(photo, [(9, 9)], [2.0], tmp_path / "large.png", depth_map_m=depth_m)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * height * width  # before: 70 bytes a pixel
    small = tmp_path / "small.png"
    point_overlay(photo, [(9, 9)], [2.0], small, depth_map_m=depth_m[1::3, 1::3])
    assert np.array_equal(read_png(tmp_path / "large.png"), read_png(small))


@pytest.mark.parametrize(
    ("length", "expected"),
    [(3, [0, 1, 2]), (4, [0, 1, 2, 3]), (12, [1, 4, 7, 10]), (13, [1, 4, 8, 11])],
)
def test_thinned_values_are_those_in_the_middle_of_equal_cells(length, expected):
    values = np.arange(length)
    assert thinned(values[None], (9, 2))[0].tolist() == expected
    assert thinned(values[:, None], (2, 9))[:, 0].tolist() == expected
