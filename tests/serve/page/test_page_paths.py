"""What is done on the page is undone and redone; paths of several points."""

import itertools

import numpy as np
import pytest

from helpers.page_service import FOCAL_PX, encoded, scene
from helpers.page_visit import MARKS, near, place

pytestmark = MARKS
PHOTO = encoded()


def test_every_change_is_undone_and_redone(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    press = visit.page.keyboard.press
    assert visit.page.get_attribute("#undo", "aria-disabled") == "true"
    visit.click(0.2, 0.2)
    visit.click(0.6, 0.6)
    first, second = visit.answers(2)
    visit.drag((0.6, 0.6), (0.8, 0.3))
    visit.page.locator("#live", has_text="point 2").wait_for()
    moved = visit.answers(2)[1]
    assert moved != second
    visit.page.click("[aria-label='Remove point 1']")
    visit.page.click("#clear")
    seen = [[], [moved], [first, moved], [first, second], [first], []]
    for step, expected in enumerate(seen[1:]):
        press("Control+z") if step % 2 else visit.page.click("#undo")
        assert visit.answers(len(expected)) == expected
        assert visit.page.locator("#labels .label").count() == len(expected)
    press("Control+z")
    assert "Nothing to undo" in visit.shown("#live")
    for step, expected in enumerate(reversed(seen[:-1])):
        press(["Control+y", "Control+Shift+z"][step % 2])
        assert visit.answers(len(expected)) == expected
    press("Control+z")
    visit.click(0.5, 0.9)
    visit.answers(2)
    assert visit.page.get_attribute("#redo", "aria-disabled") == "true"


def test_undo_after_another_focal_length_asks_again(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.click(0.3, 0.3)
    before = visit.answers(1)
    visit.page.click("#clear")
    visit.give_focal(2 * FOCAL_PX)
    visit.page.locator("#focal-now", has_text=f"{2 * FOCAL_PX:.1f} px").wait_for()
    visit.page.click("#undo")
    (shown,) = visit.answers(1)
    at = place(visit.csv()[0])
    assert shown == f"{scene(PHOTO, 2 * FOCAL_PX).depth_at([at])[0]:.2f} m" != before[0]


def test_undo_in_a_field_of_text_belongs_to_the_field(visit):
    visit.open(PHOTO)
    visit.click(0.3, 0.3)
    visit.answers(1)
    visit.page.click("#focal-details summary")
    visit.page.select_option("#focal-way", "focal_px")
    visit.page.focus("#focal-value")
    visit.page.keyboard.press("Control+z")
    assert len(visit.answers(1)) == 1


PATH = [(0.1, 0.8), (0.3, 0.6), (0.5, 0.85), (0.8, 0.7)]


@pytest.mark.parametrize("ended_by", ["dblclick", "Enter", "button"])
def test_a_path_is_as_long_as_the_distances_of_its_legs(visit, ended_by):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.mode("path")
    for share in PATH[:-1]:
        visit.click(*share)
    if ended_by == "dblclick":
        visit.page.mouse.dblclick(*visit.at(*PATH[-1]))
    else:
        visit.click(*PATH[-1])
        if ended_by == "Enter":
            visit.page.keyboard.press("Enter")
        else:
            visit.page.click("#end-path")
    (shown,) = visit.answers(1)
    (row,) = visit.csv()
    points = [tuple(map(float, pair.split())) for pair in row["points"].split(";")]
    assert points == [near(visit.under(visit.at(*share))) for share in PATH]
    legs_m = [float(leg) for leg in row["legs_m"].split(";")]
    (request,) = visit.asked("/distances")
    assert legs_m == request.response().json()["distance_m"]
    assert float(row["length_m"]) == pytest.approx(sum(legs_m))
    apart = [scene(PHOTO).distance_m(*ends) for ends in itertools.pairwise(points)]
    assert legs_m == pytest.approx(apart, rel=1e-5)
    assert shown == f"{sum(legs_m):.2f} m"
    words = visit.shown("#rows")
    assert "3 in 3D" in words
    visit.give_focal(2 * FOCAL_PX)
    visit.page.locator("#live", has_text="Focal length").wait_for()
    (longer,) = visit.answers(1)
    assert longer != shown


def test_the_keyboard_draws_a_path_and_takes_a_point_back(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.mode("path")
    visit.page.mouse.move(0, 0)
    visit.page.focus("#stage")
    right, wrong = ["Shift+ArrowRight", "Enter"], ["Shift+ArrowUp", "Enter", "Control+z"]
    keys = ["Enter", "Enter", *right, *wrong, "Shift+ArrowDown", *right, "Enter"]
    for key in keys:
        visit.page.keyboard.press(key)
    visit.answers(1)
    points = [pair.split() for pair in visit.csv()[0]["points"].split(";")]
    steps = np.diff(np.array(points, float), axis=0)
    assert steps.tolist() == [[16, 0], [16, 0]]


def test_a_path_of_one_point_is_not_asked(visit):
    visit.open_with_focal(PHOTO, FOCAL_PX)
    visit.mode("path")
    visit.page.mouse.dblclick(*visit.at(0.4, 0.4))
    assert visit.page.get_attribute("#undo", "aria-disabled") == "false"
    visit.page.wait_for_timeout(200)
    assert visit.asked("/distances") == []
    visit.click(0.6, 0.6)
    visit.page.keyboard.press("Enter")
    assert len(visit.answers(1)) == 1
