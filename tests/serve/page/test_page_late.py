"""Depth maps that come late: what is shown is the map of the photo that is shown."""

import io

import numpy as np
import pytest

from helpers.page_service import encoded, pixels, serving
from helpers.page_visit import MARKS, visiting

pytestmark = MARKS


@pytest.fixture
def visit(browser):
    with serving() as served, visiting(browser, served.address) as opened:
        yield opened


@pytest.fixture
def held(visit):
    """The requests for the maps of two photos, of which the second is shown."""
    requests = []
    visit.page.route("**/depth.npy", lambda route: requests.append(route))
    visit.open(encoded(), "first.png")
    with visit.page.expect_request("**/depth.npy"):
        visit.page.check("#overlay")
    with visit.page.expect_request("**/depth.npy"):
        visit.open(encoded(picture=pixels(200, 300)), "second.png")
    while len(requests) < 2:
        visit.page.wait_for_timeout(10)
    return requests


def npy(height: int, width: int, depth_m: float) -> bytes:
    """A flat map as the service sends it."""
    file = io.BytesIO()
    np.save(file, np.full((height, width), depth_m, np.float32))
    return file.getvalue()


def test_a_late_map_is_not_shown_over_another_photo(visit, held):
    with visit.page.expect_response("**/depth.npy"):
        held[0].fulfill(body=npy(240, 320, 2.0))
    visit.page.wait_for_timeout(300)  # for what must not come
    assert not visit.page.locator("#map").is_visible()
    assert not visit.page.locator("#legend.shown").is_visible()
    held[1].fulfill(body=npy(200, 300, 5.0))
    visit.page.locator("#legend.shown").wait_for()
    assert visit.shown("#scale-words").startswith("Depth in metres, linear from 4.")
    assert visit.page.evaluate("document.getElementById('map').width") == 300


def test_a_late_error_of_a_map_keeps_the_map_of_the_next_photo(visit, held):
    held[1].continue_()
    visit.page.locator("#legend.shown").wait_for()
    with visit.page.expect_response("**/depth.npy"):
        held[0].fulfill(status=503)
    visit.page.wait_for_timeout(300)
    assert visit.page.is_checked("#overlay")
    assert visit.page.locator("#legend.shown").is_visible()
    assert visit.shown("#status-words") == ""
