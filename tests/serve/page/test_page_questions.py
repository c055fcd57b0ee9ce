"""Asking on the page: the metres that it shows are those of Python at the very same places."""

import numpy as np
import pytest

from helpers.page_service import FOCAL_PX, encoded, scene
from helpers.page_visit import MARKS, near

pytestmark = MARKS
PHOTO = encoded()


def words(metres: float) -> str:
    return f"{metres:.2f} m" if metres >= 1 else f"{metres:.3f} m"


def places_of(row: dict) -> list[tuple[float, float]]:
    columns = [("u0", "v0"), ("u1", "v1")]
    return [(float(row[u]), float(row[v])) for u, v in columns if row[u]]


def test_a_click_shows_the_metres_of_exactly_that_point(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    clicked = visit.click(0.31, 0.62)
    (shown,) = visit.answers(1)
    (row,) = visit.csv()
    (place,) = places_of(row)
    assert place == near(clicked)
    depth_m, range_m = scene(PHOTO).depth_at([place])[0], scene(PHOTO).range_at([place])[0]
    assert float(row["depth_m"]) == pytest.approx(depth_m, rel=1e-5)
    assert float(row["range_m"]) == pytest.approx(range_m, rel=1e-5)
    assert shown == words(depth_m)
    assert visit.shown("#labels .label") == f"1 {words(depth_m)}"
    assert visit.shown("#read-depth") == words(depth_m)
    assert visit.shown("#read-range") == words(range_m)
    assert words(range_m) in visit.shown("#live")


def test_clicks_at_the_corners_are_inside_the_photo(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    box = visit.page.locator("#image").bounding_box()
    left, top = np.ceil([box["x"], box["y"]])
    right = np.floor(box["x"] + box["width"]) - 1
    bottom = np.floor(box["y"] + box["height"]) - 1
    for x, y in [(left, top), (right, top), (left, bottom), (right, bottom)]:
        visit.page.mouse.click(x, y)
    visit.answers(4)
    places = np.array([places_of(row)[0] for row in visit.csv()])
    assert (np.abs(places - [[0, 0], [319, 0], [0, 239], [319, 239]]) <= 0.5).all()


def test_clicks_beside_the_photo_query_nothing(visit):
    visit.open(PHOTO)
    stage = visit.page.locator("#stage").bounding_box()
    visit.page.mouse.click(stage["x"] + 3, stage["y"] + 3)
    visit.page.wait_for_timeout(200)
    assert visit.asked("/points") == []


def test_a_click_on_a_zoomed_photo_queries_the_visible_point(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    for _ in range(9):
        visit.page.click("#zoom-in")
    stage = visit.page.locator("#stage").bounding_box()
    spot = (round(stage["x"] + 301), round(stage["y"] + 117))
    box = visit.page.locator("#image").bounding_box()
    assert box["width"] / 320 == pytest.approx(40)  # a pixel is a large square now
    visit.page.mouse.click(*spot)
    (shown,) = visit.answers(1)
    (place,) = places_of(visit.csv()[0])
    assert place == near(visit.under(spot))
    assert shown == words(scene(PHOTO).depth_at([place])[0])


def test_dragging_moves_a_zoomed_photo_and_queries_nothing(visit):
    visit.open(PHOTO)
    visit.page.click("#zoom-in")
    before = visit.page.locator("#image").bounding_box()
    stage = visit.page.locator("#stage").bounding_box()
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(x - 60, y - 40, steps=3)
    visit.page.mouse.up()
    after = visit.page.locator("#image").bounding_box()
    assert (before["x"] - after["x"], before["y"] - after["y"]) == pytest.approx((60, 40))
    assert visit.page.locator("#rows tr").count() == 0
    visit.page.click("#zoom-fit")
    assert visit.page.locator("#image").bounding_box()["width"] < before["width"]


def test_hovering_reads_whole_pixels_once_each(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    for share in ((0.2, 0.2), (0.8, 0.7), (0.2, 0.2)):
        spot = visit.at(*share)
        visit.page.mouse.move(*spot)
        u, v = (round(value) for value in visit.under(spot))
        visit.page.locator("#read-place", has_text=f"u {u}, v {v}").wait_for()
        assert visit.shown("#read-depth") == words(scene(PHOTO).depth_at([(u, v)])[0])
        assert visit.shown("#read-range") == words(scene(PHOTO).range_at([(u, v)])[0])
    assert [request.post_data_json["points"] for request in visit.asked("/points")] == [
        [[round(value) for value in visit.under(visit.at(*share))]]
        for share in ((0.2, 0.2), (0.8, 0.7))
    ]


def test_a_moving_mouse_has_one_request_at_a_time(visit):
    visit.open(PHOTO)
    under_way, most = set(), []
    visit.page.on("request", lambda request: under_way.add(request) or most.append(len(under_way)))
    visit.page.on("requestfinished", lambda request: under_way.discard(request))
    visit.page.mouse.move(*visit.at(0.1, 0.1))
    visit.page.mouse.move(*visit.at(0.9, 0.9), steps=80)
    u, v = (round(value) for value in visit.under(visit.at(0.9, 0.9)))
    visit.page.locator("#read-place", has_text=f"u {u}, v {v}").wait_for()
    assert max(most) == 1
    assert 2 <= len(most) < 80


def test_the_distance_of_two_points_is_that_of_python(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.mode("distance")
    clicked = [visit.click(0.15, 0.3), visit.click(0.8, 0.7)]
    (shown,) = visit.answers(1)
    (row,) = visit.csv()
    first, second = places_of(row)
    assert [first, second] == [near(place) for place in clicked]
    apart_m = scene(PHOTO).distance_m(first, second)
    assert float(row["distance_m"]) == pytest.approx(apart_m, rel=1e-5)
    assert shown == words(apart_m)
    assert visit.shown("#labels .distance") == f"1 {words(apart_m)}"


def test_without_a_focal_length_the_page_explains_why_it_measures_nothing(visit):
    visit.open(PHOTO)
    visit.mode("distance")
    assert "need the photo’s focal length" in visit.shown("#hint")
    visit.click(0.2, 0.2)
    visit.click(0.7, 0.7)
    assert "need the photo’s focal length" in visit.shown("#live")
    assert visit.asked("/distances") == []
    visit.page.click("#give-focal")
    visit.give_focal(FOCAL_PX)
    visit.page.locator("#hint", has_text="Pick two points").wait_for()
    visit.click(0.2, 0.2)
    visit.click(0.7, 0.7)
    (shown,) = visit.answers(1)
    assert shown == words(scene(PHOTO).distance_m(*places_of(visit.csv()[0])))


@pytest.mark.parametrize("dragged", [True, False])
def test_a_box_has_the_quantiles_of_python(visit, dragged):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.mode("box")
    start, end = (0.7, 0.8), (0.25, 0.35)  # from below to above, as hands do too
    corners = visit.drag(start, end) if dragged else [visit.click(*start), visit.click(*end)]
    (shown,) = visit.answers(1)
    (row,) = visit.csv()
    (x0, y0), (x1, y1) = places_of(row)
    assert ((x1, y1), (x0, y0)) == (near(corners[0]), near(corners[1]))
    found = scene(PHOTO).region((x0, y0, x1, y1))
    assert int(row["count"]) == found.count
    for name in ("p10_m", "p25_m", "median_m", "p75_m", "p90_m", "valid_share"):
        assert float(row[name]) == pytest.approx(getattr(found, name), rel=1e-5)
    assert shown == words(found.median_m)
    assert f"80 % between {words(found.p10_m)} and {words(found.p90_m)}" in visit.shown("#rows")


def test_escape_cancels_a_box(visit):
    visit.open(PHOTO)
    visit.mode("box")
    visit.page.mouse.move(*visit.at(0.2, 0.2))
    visit.page.mouse.down()
    visit.page.mouse.move(*visit.at(0.6, 0.6), steps=3)
    visit.page.focus("#stage")
    visit.page.keyboard.press("Escape")
    visit.page.mouse.move(*visit.at(0.7, 0.7))
    visit.page.mouse.up()
    visit.click(0.3, 0.3)
    visit.page.wait_for_timeout(200)
    assert visit.asked("/boxes") == []


def test_everything_works_with_the_keyboard(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.page.mouse.move(0, 0)
    press = visit.page.keyboard.press
    visit.page.focus("#stage")
    press("ArrowRight")  # the crosshair appears in the middle
    press("ArrowRight")
    press("ArrowDown")
    press("Shift+ArrowLeft")  # a twentieth of 320
    u, v = 160 + 1 - 16, 120 + 1
    said = f"u {u}, v {v}: {words(scene(PHOTO).depth_at([(u, v)])[0])}"
    visit.page.locator("#live", has_text=said).wait_for()
    press("Enter")
    visit.answers(1)
    for _ in range(40):
        press("Shift+ArrowRight")
        press("Shift+ArrowDown")
    visit.page.locator("#read-place", has_text="u 319, v 239").wait_for()
    press("Enter")
    visit.answers(2)
    visit.page.focus("[name=mode][value=point]")
    press("ArrowRight")
    visit.page.focus("#stage")
    press("Enter")
    press("Shift+ArrowUp")
    press("Enter")
    visit.answers(3)
    focus = "e => getComputedStyle(e).outlineStyle"
    assert visit.page.eval_on_selector("#stage", focus) == "solid"
    rows = visit.csv()
    assert [places_of(row) for row in rows] == [
        [(u, v)], [(319, 239)], [(319, 239), (319, 223)],
    ]  # fmt: skip


def test_the_whole_table_is_copied_and_downloaded(visit, browser):
    browser.grant_permissions(["clipboard-read", "clipboard-write"])
    hostile = '=1+1,"a"\n.png'
    visit.open(PHOTO, hostile.replace("\n", " "))
    visit.give_focal(FOCAL_PX)
    visit.page.locator("#focal-now", has_text="as given").wait_for()
    visit.click(0.4, 0.4)
    visit.mode("distance")
    visit.click(0.1, 0.5)
    visit.click(0.9, 0.5)
    visit.mode("box")
    visit.drag((0.2, 0.2), (0.5, 0.5))
    visit.answers(3)
    rows = visit.csv()
    assert [(row["number"], row["kind"]) for row in rows] == [
        ("1", "point"), ("2", "distance"), ("3", "box"),
    ]  # fmt: skip
    filled = [{name for name, value in row.items() if value} for row in rows]
    always = {"number", "kind", "u0", "v0", "focal_px", "focal_source", "photo"}
    assert filled[0] == always | {"depth_m", "range_m"}
    assert filled[1] == always | {"u1", "v1", "distance_m"}
    quantiles = {"p10_m", "p25_m", "median_m", "p75_m", "p90_m", "count", "valid_share"}
    assert filled[2] == always | {"u1", "v1"} | quantiles
    for row in rows:
        assert (float(row["focal_px"]), row["focal_source"]) == (FOCAL_PX, "given")
        assert row["photo"] == "'" + hostile.replace("\n", " ")  # no formula for a spreadsheet
    with visit.page.expect_download() as download:
        visit.page.click("#download")
    assert download.value.suggested_filename == "spd.csv"
    visit.page.click("#copy")
    visit.page.locator("#live", has_text="Copied").wait_for()
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == download.value.path().read_text().splitlines()


def test_results_are_removed_one_by_one_or_all(visit):
    visit.open(PHOTO)
    for share in (0.2, 0.4, 0.6):
        visit.click(share, share)
    visit.answers(3)
    visit.page.click("[aria-label='Remove point 2']")
    assert visit.page.locator("#rows th").all_inner_texts() == ["1", "3"]
    assert visit.page.locator("#labels .label").count() == 2
    focused = "document.activeElement.getAttribute('aria-label')"
    assert visit.page.evaluate(focused) == "Remove point 3"
    visit.page.click("#clear")
    assert visit.page.locator("#rows tr").count() == 0
    assert visit.page.locator("#labels .label").count() == 0
    assert not visit.page.locator("#download").is_visible()
    assert visit.page.locator("#download").is_disabled()


def test_another_focal_length_updates_every_result(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.click(0.3, 0.3)
    visit.mode("box")
    visit.drag((0.2, 0.2), (0.5, 0.5))
    before = visit.answers(2)
    visit.give_focal(2 * FOCAL_PX)
    visit.page.locator("#focal-now", has_text=f"{2 * FOCAL_PX:.1f} px").wait_for()
    visit.page.locator("#live", has_text="Focal length").wait_for()
    after = visit.answers(2)
    point, box = visit.csv()
    other = scene(PHOTO, 2 * FOCAL_PX)
    corners = [value for place in places_of(box) for value in place]
    assert after != before
    assert after == [
        words(other.depth_at(places_of(point))[0]), words(other.region(corners).median_m),
    ]  # fmt: skip
    assert float(point["focal_px"]) == 2 * FOCAL_PX


def test_late_answers_for_an_earlier_focal_length_are_dropped(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    held, holding = [], True
    visit.page.route(
        "**/points", lambda route: held.append(route) if holding else route.continue_()
    )
    visit.click(0.4, 0.4)
    visit.page.locator("#rows tr").wait_for()
    visit.page.wait_for_timeout(100)
    assert len(held) == 2  # of the mouse, and of the click
    holding = False
    visit.give_focal(2 * FOCAL_PX)
    visit.page.locator("#live", has_text="Focal length").wait_for()
    before = visit.answers(1)
    for route in held:
        route.fulfill(json={"depth_m": [99.0], "range_m": [99.0], "xyz_m": None})
    visit.page.wait_for_timeout(200)
    assert visit.answers(1) == before != ["99.00 m"]
    assert visit.shown("#read-depth") != "99.00 m"
