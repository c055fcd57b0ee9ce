"""An experiment's page as a reader sees it: opened from the disk in Chromium."""

from collections.abc import Iterator

import pytest

from helpers.chromium import MARKS, PHONE, chromium
from helpers.experiment_folders import known_summary, write_experiment
from helpers.opened_page import Opened
from helpers.report_folders import HOSTILE
from spd.report.report import write_report

pytestmark = MARKS


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    with chromium(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    summary = known_summary(extra=(HOSTILE, "a_long_name_" * 12))
    return write_report([write_experiment(tmp_path_factory.mktemp("page") / "exp", summary)])


@pytest.fixture
def opened(browser, page_file) -> Iterator[Opened]:
    opened = Opened(browser, page_file)
    yield opened
    opened.page.close()


def test_a_reader_sees_the_verdicts_the_figures_and_every_picture(opened):
    assert opened.page.inner_text("h1") == "Experiment: v15.2 against other local paths"
    assert opened.column("table-accuracy", 1)[:2] == ["0.1000 ± 0.0100", "0.2000 ± 0.0100"]
    assert opened.column("table-pair-0", 1) == [
        "▲ ahead", "▼ behind", "▼ behind", "▲ ahead",
    ]  # fmt: skip
    sizes = opened.page.eval_on_selector_all(
        "img", "all => all.map(i => [i.complete, i.naturalWidth, i.naturalHeight])"
    )
    assert sizes == [[True, 160, 60]] * 5
    drawn = opened.page.eval_on_selector_all(
        ".chart > svg", "all => all.map(s => [s.getBoundingClientRect().width, s.children.length])"
    )
    assert len(drawn) == 2
    assert all(width > 300 and marks > 4 for width, marks in drawn)


def test_every_number_compared_opens_where_it_is_folded(opened):
    table = opened.page.locator("#table-pair-0-all")
    assert not table.is_visible()
    opened.page.locator("#comparisons summary").click()
    assert table.is_visible()


def test_the_winner_is_bolder_than_the_others(opened):
    weights = opened.page.eval_on_selector_all(
        "#table-accuracy tbody tr td:nth-child(2)",
        "all => all.map(cell => getComputedStyle(cell).fontWeight)",
    )
    assert weights == ["700", *["400"] * 6]


def test_nothing_is_logged_and_nothing_else_is_asked_for(opened):
    opened.page.wait_for_timeout(200)
    assert opened.messages == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [opened.address]
    assert opened.page.evaluate("document.scripts.length") == 1


def test_nothing_is_wider_than_a_phone_in_light_and_dark(browser, page_file):
    opened = Opened(browser, page_file, PHONE)
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    ink = {}
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        ink[scheme] = opened.page.evaluate("getComputedStyle(document.body).color")
    assert ink["light"] != ink["dark"]
    # What a reader wants of a comparison is on the screen before anything is scrolled.
    verdict = opened.page.locator("#table-pair-0 tbody td").first.bounding_box()
    assert verdict["x"] + verdict["width"] <= PHONE["width"]
    opened.page.close()
