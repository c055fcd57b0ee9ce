"""What is taken away from the page: JSON, the picture with its marks; the unit; warnings."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.page_service import FOCAL_PX, encoded, pixels, scene
from helpers.page_visit import MARKS, PHONE, near, touching, visiting

pytestmark = MARKS
PHOTO = encoded()


def downloaded(visit, button: str) -> bytes:
    with visit.page.expect_download() as download:
        visit.page.click(button)
    return Path(download.value.path()).read_bytes()


def one_of_each(visit) -> None:
    visit.click(0.4, 0.4)
    visit.mode("distance")
    visit.click(0.1, 0.5)
    visit.click(0.9, 0.5)
    visit.mode("path")
    for share in ((0.2, 0.9), (0.4, 0.8), (0.6, 0.9)):
        visit.click(*share)
    visit.page.keyboard.press("Enter")
    visit.mode("box")
    visit.drag((0.6, 0.1), (0.8, 0.3))
    visit.answers(4)


def test_the_json_holds_every_answer_in_metres(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    one_of_each(visit)
    file = json.loads(downloaded(visit, "#download-json"))
    assert file["unit"] == "m"
    assert file["photos"] == [
        {"name": "photo.png", "width": 320, "height": 240, "warnings": []},
    ]  # fmt: skip
    point, distance, path, box = file["results"]
    assert [result["kind"] for result in file["results"]] == ["point", "distance", "path", "box"]
    for number, result in enumerate(file["results"], 1):
        assert result["number"] == number
        assert (result["focal_px"], result["focal_source"]) == (FOCAL_PX, "given")
        assert (result["photo"], result["error"]) == (0, None)
    at = scene(PHOTO)
    visit.page.evaluate("scrollTo(0, 0)")
    assert tuple(point["points"][0]) == near(visit.under(visit.at(0.4, 0.4)))
    assert point["depth_m"] == pytest.approx(at.depth_at(point["points"])[0], rel=1e-5)
    assert point["range_m"] == pytest.approx(at.range_at(point["points"])[0], rel=1e-5)
    assert distance["distance_m"] == pytest.approx(at.distance_m(*distance["points"]), rel=1e-5)
    assert (len(path["points"]), len(path["legs_m"])) == (3, 2)
    assert path["length_m"] == pytest.approx(sum(path["legs_m"]))
    found = at.region([value for corner in box["points"] for value in corner])
    assert box["median_m"] == pytest.approx(found.median_m, rel=1e-5)
    assert box["count"] == found.count


def test_the_picture_is_the_photo_with_marks_labels_and_a_scale(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.click(0.6, 0.4)
    visit.answers(1)
    row = visit.csv()[0]
    u, v = float(row["u0"]), float(row["v0"])
    picture = Image.open(io.BytesIO(downloaded(visit, "#download-picture")))
    assert (picture.format, picture.size) == ("PNG", (320, 240))
    drawn = np.asarray(picture.convert("RGB")).astype(int)
    changed = np.abs(drawn - pixels()).max(-1) > 8
    rim = [(u + 3.75 * np.cos(turn), v + 3.75 * np.sin(turn)) for turn in np.arange(0, 6.2, 0.5)]
    assert all(changed[round(y), round(x)] for x, y in rim)
    assert not changed[round(v), round(u)]  # the pixel itself stays in sight
    rows, columns = np.nonzero(changed)
    label = (abs(rows - v) < 40) & (columns > u + 6)
    assert label.sum() > 200
    scale = changed[-40:, :]  # the plate at the lower left
    assert scale[:, :40].mean() > 0.3
    elsewhere = changed[: round(v) - 60]
    assert not elsewhere.any()
    # The bar is as long as so many metres are, at that depth.
    white = (drawn[200:] > 245).all(-1)
    lengths = [
        np.diff(np.flatnonzero(np.diff(np.r_[0, line.astype(int), 0])))[::2].max(initial=0)
        for line in white
    ]
    metres_px = FOCAL_PX / float(row["depth_m"])
    known = [0.1, 0.2, 0.5, 1, 2, 5]
    assert min(abs(max(lengths) - length * metres_px) for length in known) < 3


def test_the_picture_of_a_turned_photo_is_upright_and_has_the_depth_map(visit):
    tags = Image.Exif()
    tags[0x0112] = 6
    data = encoded("JPEG", np.rot90(pixels(), 1), exif=tags, quality=95)
    visit.open(data, "turned.jpg", "image/jpeg")
    visit.click(0.6, 0.3)
    visit.answers(1)
    plain = Image.open(io.BytesIO(downloaded(visit, "#download-picture"))).convert("RGB")
    assert plain.size == (320, 240)
    top = np.asarray(plain).astype(int)[:20]
    assert np.abs(top - pixels()[:20]).mean() < 6
    visit.page.check("#overlay")
    visit.page.evaluate("opacity.value = 100; opacity.dispatchEvent(new Event('input'))")
    visit.page.locator("#legend.shown").wait_for()
    mapped = Image.open(io.BytesIO(downloaded(visit, "#download-picture"))).convert("RGB")
    colours = visit.page.evaluate(
        "[...document.getElementById('map').getContext('2d').getImageData(0, 0, 320, 20).data]"
    )
    expected = np.array(colours).reshape(20, 320, 4)[..., :3]
    assert np.abs(np.asarray(mapped).astype(int)[:20] - expected).max() <= 2


def test_the_unit_is_used_everywhere_and_remembered(browser, served):
    with touching(browser, served.address) as visit:
        visit.open_with_focal(PHOTO, FOCAL_PX)
        visit.page.evaluate("scrollTo(0, 0)")
        visit.page.touchscreen.tap(*visit.at(0.5, 0.5))
        (metres,) = visit.answers(1)
        visit.page.check("#overlay")
        visit.page.locator("#legend.shown").wait_for()
        assert "Depth in metres" in visit.shown("#scale-words")
        visit.page.select_option("#unit", "ft")
        (feet,) = visit.answers(1)
        assert feet != metres
        assert feet.endswith(" in")
        assert visit.shown("#labels .label") == f"1 {feet}"
        assert visit.shown("#read-depth") == feet
        assert visit.shown("#amounts") == "Feet, inches"
        assert "Depth in feet" in visit.shown("#scale-words")
        depth_m = float(visit.csv()[0]["depth_m"])  # files stay in metres
        assert metres == f"{depth_m:.2f} m"
        visit.page.reload()
        assert visit.page.input_value("#unit") == "ft"
        visit.open(PHOTO)
        visit.page.evaluate("scrollTo(0, 0)")
        visit.page.touchscreen.tap(*visit.at(0.5, 0.5))
        assert visit.answers(1)[0].endswith(" in")
        assert visit.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert visit.messages == []


@pytest.mark.parametrize(
    ("metres", "words"),
    [
        (0, "0 in"),
        (0.0254, "1 in"),
        (0.0127, "1/2 in"),
        (0.3048, "1 ft 0 in"),
        (0.3047, "1 ft 0 in"),  # 11 63/64 in and more are carried
        (0.8001, "2 ft 7 1/2 in"),
        (0.0254 * 3.0625, "3 1/16 in"),
        (1.8288, "6 ft 0 in"),
        (2.3463, "7 ft 8 3/8 in"),
        (12.3, "40 ft 4 1/4 in"),
        (-0.0254, "−1 in"),
        (None, "no depth"),
        (float("inf"), "no depth"),
    ],
)
def test_feet_have_fractions_of_an_inch(visit, metres, words):
    value = "Infinity" if metres == float("inf") else json.dumps(metres)
    assert visit.page.evaluate(f"import('/units.js').then((m) => m.feet({value}))") == words


def test_warnings_of_a_photo_are_beside_the_reading(browser, served):
    flat = encoded(picture=np.full((240, 320, 3), 90, np.uint8))
    for small in (False, True):
        with (touching if small else visiting)(browser, served.address) as visit:
            visit.open(flat)
            visit.give_focal(150, "fov_deg")
            warnings = visit.page.locator("#reading #warnings li", has_text="extrapolated")
            warnings.wait_for()
            assert "one colour" in visit.shown("#reading")  # of the pixels, not of the lens
            visit.page.evaluate("scrollTo(0, 0)")
            box = warnings.first.bounding_box()
            assert box["y"] + 20 < visit.page.viewport_size["height"]
            visit.give_focal(260)
            visit.page.locator("#focal-now", has_text="260.0 px").wait_for()
            assert "extrapolated" not in visit.shown("#reading")
