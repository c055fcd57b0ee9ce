"""Marks on the page: labels that cover nothing, marks that are dragged, the loupe."""

import numpy as np
import pytest

from helpers.page_service import FOCAL_PX, encoded, pixels, scene
from helpers.page_visit import MARKS, Finger, near, place, touching

pytestmark = MARKS
PHOTO = encoded()
MARK_PX = 7  # from the middle of a point's circle to its rim


@pytest.fixture
def phone(browser, served):
    with touching(browser, served.address) as opened:
        yield opened
        assert opened.messages == []


def rectangles(visit) -> tuple[np.ndarray, np.ndarray]:
    """Of the labels that are seen and of the marks' points, `[n, 4]`: left, top, right, bottom."""
    labels, marks = visit.page.evaluate(
        """() => [
            [...document.querySelectorAll("#labels .label:not([hidden])")].map((label) => {
                const { left, top, right, bottom } = label.getBoundingClientRect();
                return [left, top, right, bottom];
            }),
            [...document.querySelectorAll("#handles circle")].map((mark) => {
                const { left, top, right, bottom } = mark.getBoundingClientRect();
                return [(left + right) / 2, (top + bottom) / 2];
            }),
        ]"""
    )
    middles = np.array(marks)
    return np.array(labels), np.hstack([middles - MARK_PX, middles + MARK_PX])


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each of the boxes overlaps each of the others, `[n, m]`."""
    box, other = boxes[:, None], others[None]
    slack = 0.01  # browsers lay out in 1/64 px
    apart = (box[..., :2] >= other[..., 2:] - slack) | (other[..., :2] >= box[..., 2:] - slack)
    return ~apart.any(-1)


CLOSE = [(0.45, 0.5), (0.5, 0.52), (0.47, 0.56), (0.53, 0.47)]
CORNER = [(0.97, 0.03), (0.99, 0.06), (0.94, 0.02), (0.98, 0.1)]


@pytest.mark.parametrize("unit", ["m", "ft"])
@pytest.mark.parametrize("shares", [CLOSE, CORNER])
@pytest.mark.parametrize("small", [False, True])
def test_no_label_covers_a_mark_or_another_label(browser, served, small, shares, unit):
    with touching(browser, served.address) as visit:  # the unit is remembered: not in `browser`
        if not small:
            visit.page.set_viewport_size({"width": 1280, "height": 800})
        visit.open_with_focal(PHOTO, FOCAL_PX)
        visit.page.select_option("#unit", unit)
        visit.page.evaluate("scrollTo(0, 0)")
        pick = visit.page.touchscreen.tap if small else visit.page.mouse.click
        for share in shares:
            pick(*visit.at(*share))
        visit.mode("distance")
        for share in ((0.03, 0.06), (0.96, 0.93)):
            pick(*visit.at(*share))
        visit.answers(5)
        labels, marks = rectangles(visit)
        assert (len(labels), len(marks)) == (5, 6)
        assert not overlaps(labels, marks).any()
        assert not overlaps(labels, labels)[np.triu_indices(5, 1)].any()
        stage = visit.page.locator("#stage").bounding_box()
        assert (labels[:, :2] >= [stage["x"], stage["y"]]).all()
        assert (labels[:, 2] <= stage["x"] + stage["width"]).all()
        reading = visit.page.locator("#reading").bounding_box()
        assert reading["y"] + reading["height"] <= visit.page.viewport_size["height"]


def test_many_marks_shorten_or_hide_labels_and_still_cover_nothing(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.page.evaluate("scrollTo(0, 0)")
    shares = [(x, y) for x in np.linspace(0.1, 0.9, 7) for y in np.linspace(0.1, 0.9, 6)]
    for share in shares:
        visit.click(*share)
    visit.answers(len(shares))
    labels, marks = rectangles(visit)
    assert 10 < len(labels) <= len(marks) == len(shares)
    assert not overlaps(labels, marks).any()
    assert not overlaps(labels, labels)[np.triu_indices(len(labels), 1)].any()


def test_a_mouse_drags_a_mark_and_its_answer_follows(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.click(0.3, 0.3)
    before = visit.answers(1)
    visit.drag((0.3, 0.3), (0.7, 0.6))
    visit.page.locator("#live", has_text="point 1").wait_for()
    (after,) = visit.answers(1)
    (row,) = visit.csv()
    assert place(row) == near(visit.under(visit.at(0.7, 0.6)))
    assert after == f"{scene(PHOTO).depth_at([place(row)])[0]:.2f} m" != before[0]
    assert visit.shown("#read-depth") == after
    visit.mode("distance")
    visit.click(0.1, 0.1)
    visit.click(0.2, 0.8)
    visit.answers(2)
    visit.drag((0.2, 0.8), (0.9, 0.2))
    visit.answers(2)
    distance = visit.csv()[1]
    ends = place(distance), place(distance, "1")
    assert ends == (near(visit.under(visit.at(0.1, 0.1))), near(visit.under(visit.at(0.9, 0.2))))
    assert float(distance["distance_m"]) == pytest.approx(scene(PHOTO).distance_m(*ends), rel=1e-5)


def test_a_corner_of_a_box_is_dragged_and_keeps_the_opposite_one(visit):
    visit.open(PHOTO)
    visit.mode("box")
    visit.drag((0.2, 0.2), (0.5, 0.5))
    visit.answers(1)
    visit.drag((0.5, 0.2), (0.8, 0.1))  # upper right
    visit.answers(1)
    (row,) = visit.csv()
    expected = [visit.under(visit.at(*share)) for share in ((0.2, 0.1), (0.8, 0.5))]
    assert [place(row), place(row, "1")] == [near(at) for at in expected]


def test_keys_move_a_mark(visit):
    visit.open(PHOTO)
    visit.click(0.5, 0.5)
    visit.answers(1)
    u, v = place(visit.csv()[0])
    visit.page.mouse.move(0, 0)
    visit.page.focus("#stage")
    for key in ("m", "ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        visit.page.keyboard.press(key)
    visit.page.locator("#live", has_text="point 1").wait_for()
    visit.answers(1)
    assert place(visit.csv()[0]) == (round(u) + 2, round(v) + 1)
    visit.page.keyboard.press("m")
    visit.page.keyboard.press("ArrowLeft")
    visit.page.keyboard.press("Escape")  # puts it back
    visit.answers(1)
    assert place(visit.csv()[0]) == (round(u) + 2, round(v) + 1)


def test_a_finger_drags_a_mark_under_a_loupe(phone):
    phone.open_with_focal(PHOTO, FOCAL_PX)
    phone.page.evaluate("scrollTo(0, 0)")
    phone.page.touchscreen.tap(*phone.at(0.3, 0.4))
    phone.answers(1)
    start, end = phone.at(0.3, 0.4), phone.at(0.7, 0.8)
    target = phone.under(end)
    scrolled = phone.page.evaluate("scrollY")
    finger = Finger(phone)
    finger.down(start)
    finger.move(start, end)
    loupe = phone.page.locator("#loupe")
    loupe.wait_for()
    box = loupe.bounding_box()
    assert box["y"] + box["height"] < end[1]  # above the finger
    pixel = phone.shown("#loupe span")
    phone.page.locator("#read-place", has_text=pixel).wait_for()  # read while it is dragged
    finger.up()
    loupe.wait_for(state="hidden")
    assert phone.page.evaluate("scrollY") == scrolled
    phone.page.locator("#live", has_text="point 1").wait_for()
    (shown,) = phone.answers(1)
    (row,) = phone.csv()
    assert pixel == f"u {round(place(row)[0])}, v {round(place(row)[1])}"
    assert shown == f"{scene(PHOTO).depth_at([place(row)])[0]:.2f} m"
    assert np.abs(np.subtract(place(row), target)).max() < 1.5


def test_the_loupe_shows_the_very_pixel(phone):
    phone.open(PHOTO)
    phone.page.evaluate("scrollTo(0, 0)")
    finger = Finger(phone)
    finger.down(phone.at(0.6, 0.7))
    phone.page.locator("#loupe").wait_for()
    u, v = (int(word.split()[1]) for word in phone.shown("#loupe span").split(","))
    colour = phone.page.evaluate(
        """() => {
            const glass = document.querySelector("#loupe canvas");
            const middle = glass.width / 2;
            return [...glass.getContext("2d").getImageData(middle, middle, 1, 1).data];
        }"""
    )
    assert np.abs(pixels()[v, u].astype(int) - colour[:3]).max() <= 2
    finger.up()


def test_a_resting_finger_aims_and_a_quick_one_scrolls(phone):
    phone.open(PHOTO)
    phone.page.evaluate("scrollTo(0, 0)")
    start, end = phone.at(0.4, 0.7), phone.at(0.6, 0.3)
    target = phone.under(end)
    finger = Finger(phone)
    finger.down(start)
    phone.page.locator("#loupe").wait_for()
    finger.move(start, end)
    finger.up()
    phone.answers(1)
    assert np.abs(np.subtract(place(phone.csv()[0]), target)).max() < 1.5
    phone.page.evaluate("scrollTo(0, 0)")
    finger.down(start)
    finger.move(start, (start[0], start[1] - 150))
    finger.up()
    phone.page.wait_for_function("scrollY > 0")
    assert not phone.page.locator("#loupe").is_visible()
    phone.answers(1)
