"""Photos come in by every way, turn out upright, rest on the right focal length, or are refused."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from helpers.page_service import encoded, pixels, predictor, serving
from helpers.page_visit import MARKS, near, visiting

pytestmark = MARKS
ORIENTATION, EXIF, FOCAL_35_MM = 0x0112, 0x8769, 0xA405


@pytest.fixture(scope="module")
def served():
    with serving(max_megabytes=1, max_megapixels=0.1) as running:
        yield running


@pytest.fixture
def visit(browser, served):
    with visiting(browser, served.address) as opened:
        yield opened


def jpeg(picture: np.ndarray, orientation: int = 1, focal_35_mm: int | None = None) -> bytes:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    if focal_35_mm is not None:
        tags.get_ifd(EXIF)[FOCAL_35_MM] = focal_35_mm
    return encoded("JPEG", picture, exif=tags, quality=95)


@pytest.mark.parametrize(("orientation", "turns"), [(6, 1), (3, 2), (8, 3)])
def test_a_rotated_photo_is_shown_and_queried_upright(visit, orientation, turns):
    data = jpeg(np.rot90(pixels(), turns), orientation)
    visit.open(data, "turned.jpg", "image/jpeg")
    assert "320 × 240" in visit.shown("#name")
    box = visit.page.locator("#image").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(320 / 240, abs=0.001)
    u, v = visit.click(0.8, 0.3)
    (shown,) = visit.answers(1)
    row = visit.csv()[0]
    place = (float(row["u0"]), float(row["v0"]))
    assert place == near((u, v))
    depth_m = predictor().encode(data, fov_deg=63.3).depth_at([place])[0]  # what is assumed
    assert shown == f"{depth_m:.2f} m"
    # What lies under the pointer is the picture's own colour there: the browser turns it the
    # same way that the service does.
    shot = Image.open(io.BytesIO(visit.page.locator("#stage").screenshot())).convert("RGB")
    stage = visit.page.locator("#stage").bounding_box()
    x, y = visit.at(0.25, 0.65)
    colour = shot.getpixel((round(x - stage["x"]), round(y - stage["y"])))
    assert np.abs(np.array(colour) - pixels()[round(0.65 * 240), round(0.25 * 320)]).max() < 12


def test_the_focal_length_in_use_is_shown_with_its_source(visit):
    now = lambda: visit.shown("#focal-now")  # noqa: E731
    visit.open(jpeg(pixels(), focal_35_mm=28), "exif.jpg", "image/jpeg")
    focal_px = 28 / np.hypot(36, 24) * np.hypot(320, 240)
    assert f"{focal_px:.1f} px" in now()
    assert "from the photo’s EXIF" in now()
    visit.open(encoded(), "plain.png")
    assert "assumed" in now()
    assert "off by a constant factor" in now()
    assert visit.shown("#read-range") == "needs the focal length"
    visit.give_focal(70, "fov_deg")
    visit.page.locator("#focal-now", has_text="from the field of view given").wait_for()
    assert f"{160 / np.tan(np.radians(35)):.1f} px (70.0° along the longer side)" in now()
    visit.give_focal(300)
    visit.page.locator("#focal-now", has_text="300.0 px").wait_for()
    visit.page.select_option("#focal-way", "")
    visit.page.click("#focal-form button")
    visit.page.locator("#focal-now", has_text="assumed").wait_for()
    assert visit.messages == []


@pytest.mark.parametrize(
    ("way", "value", "words"),
    [("focal_px", -3, "above 0"), ("focal_px", 4, "millimetres"), ("fov_deg", 179, "170")],
)
def test_an_invalid_focal_length_gives_an_error_beside_its_field(visit, way, value, words):
    visit.open(encoded())
    before = visit.shown("#focal-now")
    visit.give_focal(value, way)
    visit.page.locator("#focal-error", has_text=words).wait_for()
    assert visit.page.get_attribute("#focal-value", "aria-invalid") == "true"
    visit.click(0.5, 0.5)  # the photo is still there, as it was
    visit.answers(1)
    assert visit.shown("#focal-now") == before


def test_a_focal_length_can_be_given_before_the_photo(visit):
    visit.give_focal(300)
    visit.page.locator("#status-words", has_text="next photo").wait_for()
    visit.open(encoded())
    assert visit.shown("#focal-now").startswith("300.0 px")
    assert visit.page.locator("#warnings li").count() == 0


def posted_with(visit) -> list[str]:
    """What the photos were sent with, in turn."""
    return [request.url.partition("?")[2] for request in visit.requests if request.method == "POST"]


def test_a_focal_length_in_pixels_does_not_hold_for_the_next_photo(visit):
    visit.open_with_focal(encoded(), 300)
    visit.open(encoded(picture=pixels(200, 300)), "second.png")
    assert "assumed" in visit.shown("#focal-now")
    assert visit.page.input_value("#focal-way") == visit.page.input_value("#focal-value") == ""
    assert not visit.page.locator("#focal-amount").is_visible()
    visit.give_focal(70, "fov_deg")
    visit.page.locator("#focal-now", has_text="from the field of view given").wait_for()
    visit.open(encoded(), "third.png")
    assert "from the field of view given" in visit.shown("#focal-now")
    assert visit.page.input_value("#focal-value") == "70"
    sent = ["", "focal_px=300", "", "fov_deg=70", "fov_deg=70"]
    assert posted_with(visit) == sent


def test_a_focal_length_in_pixels_given_first_holds_for_the_first_photo_only(visit):
    visit.give_focal(300)
    visit.choose(b"no photo", "notes.png")  # which is not opened
    visit.page.locator("#status.failed").wait_for()
    visit.open(encoded())
    assert visit.page.input_value("#focal-value") == ""
    visit.open(encoded(), "second.png")
    assert posted_with(visit) == ["focal_px=300", "focal_px=300", ""]


def test_a_focal_length_given_while_the_first_photo_is_read_holds_for_it(visit):
    held = []
    visit.page.route("**/v1/images", lambda route: held.append(route))
    visit.choose(encoded())
    visit.page.locator("#status-words", has_text="Reading photo.png").wait_for()
    visit.give_focal(300)
    visit.page.locator("#status-words", has_text="next photo").wait_for()
    visit.page.fill("#focal-value", "310")  # typed, and not yet given
    held[0].continue_()
    visit.page.locator("#name", has_text="photo.png").wait_for()
    assert visit.shown("#focal-now").startswith("300.0 px")
    assert visit.page.input_value("#focal-value") == "310"
    assert posted_with(visit) == ["", "focal_px=300"]


def test_a_wide_field_of_view_gives_a_warning(visit):
    visit.open(encoded())
    visit.give_focal(150, "fov_deg")
    visit.page.locator("#warnings li", has_text="extrapolated").wait_for()


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"no photo at all", "notes.png", "notes.png is not a readable image"),
        (encoded()[:-400], "half.png", "image"),
        (b"", "empty.png", "empty.png is empty"),
        (encoded(picture=pixels(300, 400)), "large.png", "megapixels"),
        (bytes(1_100_000), "heavy.png", "heavy.png is 1.1 MB; this service accepts up to 1 MB"),
    ],
)
def test_files_that_are_not_photos_or_too_large_give_an_error(visit, data, name, words):
    visit.choose(data, name)
    visit.page.locator("#status.failed", has_text=words).wait_for()
    assert not visit.page.locator("#stage").is_visible()
    visit.open(encoded())
    assert visit.shown("#status-words") == ""


def test_a_refused_photo_keeps_the_one_before(visit):
    visit.open(encoded())
    visit.click(0.3, 0.3)
    visit.answers(1)
    visit.choose(b"no photo", "notes.txt", "text/plain")
    visit.page.locator("#status.failed", has_text="image").wait_for()
    assert "photo.png" in visit.shown("#name")
    visit.click(0.6, 0.6)
    assert len(visit.answers(2)) == 2
    visit.page.locator("#status.failed").wait_for(state="detached")  # all is well again
    assert visit.shown("#status-words") == ""


def test_a_photo_that_the_service_removed_is_sent_again_with_a_message(visit, served):
    visit.open(encoded())
    visit.click(0.3, 0.3)
    before = visit.answers(1)
    served.service.cache.clear()
    visit.click(0.3, 0.3)
    visit.page.locator("#status-words", has_text="sent again").wait_for()
    assert visit.answers(2) == [*before, *before]
    assert len(visit.asked("/v1/images")) == 2


def test_the_table_keeps_the_rows_of_the_photo_before_with_its_name(visit):
    visit.open(encoded(), "first.png")
    visit.click(0.3, 0.3)
    before = visit.answers(1)
    visit.open(encoded(picture=pixels(200, 300)), "second.png")
    assert visit.page.locator("#labels .label").count() == 0
    visit.click(0.5, 0.5)
    assert visit.answers(2)[:1] == before
    assert visit.page.locator("#labels .label").count() == 1
    assert [row["photo"] for row in visit.csv()] == ["first.png", "second.png"]
    assert "first.png" in visit.shown("#rows")


def test_a_photo_can_be_dropped_or_pasted(visit):
    give = """([data, how]) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], how + ".png", { type: "image/png" }));
        const event = how === "paste"
            ? new ClipboardEvent(how, { clipboardData: transfer, bubbles: true })
            : new DragEvent(how, { dataTransfer: transfer, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }"""
    for how in ("drop", "paste"):
        visit.page.evaluate(give, [base64.b64encode(encoded()).decode(), how])
        visit.page.locator("#name", has_text=f"{how}.png").wait_for()
    visit.page.evaluate(
        "document.body.dispatchEvent(new ClipboardEvent('paste', "
        "{ clipboardData: new DataTransfer(), bubbles: true }))"
    )
    visit.page.locator("#status.failed", has_text="not a photo").wait_for()


def test_a_photo_that_the_browser_cannot_show_is_queried_on_its_depth_map(visit):
    visit.open(encoded("TIFF"), "photo.tif", "image/tiff")
    visit.page.locator("#status-words", has_text="depth map is shown instead").wait_for()
    visit.page.locator("#legend.shown").wait_for()
    assert not visit.page.locator("#image").is_visible()
    box = visit.page.locator("#map").bounding_box()
    visit.page.mouse.click(
        round(box["x"] + 0.5 * box["width"]), round(box["y"] + 0.5 * box["height"])
    )
    visit.answers(1)
    row = visit.csv()[0]
    assert (float(row["u0"]), float(row["v0"])) == pytest.approx((159.5, 119.5), abs=1)


def test_the_depth_map_has_the_colours_of_its_scale(visit):
    from spd.figures.canvas import depth_colours

    data = encoded()
    visit.open(data)
    visit.give_focal(260)
    visit.page.locator("#focal-now", has_text="as given").wait_for()
    visit.page.check("#overlay")
    visit.page.locator("#legend.shown").wait_for()
    depth_m = predictor().encode(data, focal_px=260.0).depth_map(fast=True)
    near_m, far_m = np.percentile(depth_m, (1, 99))
    said = re.search(r"from ([\d.]+) m to ([\d.]+) m", visit.shown("#scale-words"))
    assert [float(end) for end in said.groups()] == pytest.approx([near_m, far_m], abs=0.006)
    drawn = visit.page.evaluate(
        "[...document.getElementById('map').getContext('2d').getImageData(0, 0, 320, 240).data]"
    )
    drawn = np.array(drawn).reshape(240, 320, 4)
    along = np.clip((depth_m - near_m) / (far_m - near_m), 0, 1)
    expected = depth_colours()(along) * 255
    # 2 for straight lines between the stops, the rest for a step of the table at its steepest.
    assert np.abs(drawn - expected).max() < 6
    for tick in visit.page.locator("#ticks span").all():
        value, left = float(tick.inner_text()), tick.evaluate("t => parseFloat(t.style.left)")
        assert left == pytest.approx(100 * (value - near_m) / (far_m - near_m), abs=0.3)
    visit.page.uncheck("#overlay")
    assert not visit.page.locator("#map").is_visible()
    assert len(visit.asked("depth.npy")) == 1
    visit.page.check("#overlay")
    visit.page.locator("#map").wait_for()
    assert len(visit.asked("depth.npy")) == 1


def test_a_photo_can_be_sent_again_after_the_service_did_not_answer(visit):
    visit.page.route("**/v1/images", lambda route: route.abort())
    visit.choose(encoded())
    visit.page.locator("#status.failed", has_text="is not responding").wait_for()
    visit.page.unroute("**/v1/images")
    visit.page.click("#retry")
    visit.page.locator("#name", has_text="photo.png").wait_for()
    assert not visit.page.locator("#retry").is_visible()


def test_a_busy_service_shows_the_time_to_wait(visit):
    refusal = {"error": {"kind": "busy", "message": "8 photos are already waiting to be encoded."}}
    visit.page.route(
        "**/v1/images",
        lambda route: route.fulfill(
            status=429, headers={"Retry-After": "3"}, body=json.dumps(refusal)
        ),
    )
    visit.choose(encoded())
    visit.page.locator(
        "#status.failed", has_text="8 photos are already waiting to be encoded. Try again in 3 s."
    ).wait_for()
    assert visit.page.locator("#retry").is_visible()


def test_an_error_of_one_query_is_shown_in_its_row(visit):
    visit.open(encoded())
    visit.page.route(
        "**/points", lambda route: route.fulfill(status=503, body="<html>proxy</html>")
    )
    visit.click(0.4, 0.4)
    assert visit.answers(1) == ["The service is busy or shutting down."]
    assert visit.csv()[0]["error"] == "The service is busy or shutting down."
    assert visit.shown("#labels .label") == "1 failed"
