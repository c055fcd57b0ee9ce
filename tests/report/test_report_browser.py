"""The page as a reader sees it: opened from the disk in Chromium, which asks nothing else."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.chromium import MARKS, PHONE, chromium
from helpers.fakes import make_sample
from helpers.opened_page import Opened
from helpers.report_folders import HOSTILE, SharperPredictor, write_evaluation
from spd.report.write import write_report

pytestmark = MARKS


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    with chromium(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory) -> Path:
    samples = [make_sample(n) for n in (0, 1, 4)]
    samples.append(make_sample(2, name=HOSTILE))
    samples.append(make_sample(3, name="without", intrinsics=False))
    folder = tmp_path_factory.mktemp("page") / "evaluation"
    return write_evaluation(folder, samples=samples, picture=True, boundaries="dense")


@pytest.fixture
def opened(browser, evaluation) -> Iterator[Opened]:
    opened = Opened(browser, write_report([evaluation]))
    yield opened
    opened.page.close()


def test_a_reader_sees_the_title_and_the_figures_of_metrics_json(opened, evaluation):
    stored = json.loads((evaluation / "metrics.json").read_text())
    assert opened.page.title() == "Evaluation of fake"
    assert opened.page.inner_text("h1") == "Evaluation of fake"
    rows = opened.cells("table-numbers-native")
    assert [row[0] for row in rows[1:]] == [
        "AbsRel", "SqRel", "RMSE", "RMSE log", "log10", "SILog", "δ₁", "δ₂", "δ₃",
    ]  # fmt: skip
    for row, key in zip(rows[1:], stored["sparse"], strict=True):
        columns = (
            stored["sparse"], stored["dense"], stored["floors"]["constant"],
            stored["floors"]["image_median"],
        )  # fmt: skip
        assert row[2:] == [f"{numbers[key]:.4f}" for numbers in columns]
    assert opened.page.inner_text(".tiles li:first-child strong") == (
        f"{stored['sparse']['abs_rel']:.3f}"
    )
    assert "1 with no focal length" in opened.page.inner_text("#numbers")


def test_every_picture_is_drawn_and_every_chart_has_room(opened):
    sizes = opened.page.eval_on_selector_all(
        "img", "all => all.map(i => [i.complete, i.naturalWidth, i.naturalHeight])"
    )
    assert len(sizes) == 3 * 4
    assert all(complete and width > 0 and height > 0 for complete, width, height in sizes)
    drawn = opened.page.eval_on_selector_all(
        ".chart > svg", "all => all.map(s => [s.getBoundingClientRect().width, s.children.length])"
    )
    assert len(drawn) == 6
    assert all(width > 300 and marks > 4 for width, marks in drawn)


def test_nothing_is_logged_and_nothing_else_is_requested(opened):
    opened.page.wait_for_timeout(200)
    assert opened.messages == []
    asked = [url for url in opened.requests if not url.startswith("data:")]
    assert asked == [opened.address]


def test_the_policy_stops_a_request_that_somebody_slips_in(opened):
    opened.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'x.png'}))")
    opened.page.wait_for_timeout(200)
    assert any("Content Security Policy" in message for message in opened.messages)


def test_nothing_is_wider_than_a_phone_in_light_and_dark(browser, evaluation, tmp_path):
    other = write_evaluation(
        tmp_path / "other",
        SharperPredictor("runs/" + "long_name_" * 12),
        samples=[make_sample(n) for n in (0, 1, 4)] + [make_sample(2, name=HOSTILE)],
    )
    both = write_report([evaluation, other], tmp_path / "both.html")
    for path in (write_report([evaluation]), both):
        opened = Opened(browser, path, PHONE)
        opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        ink = {}
        for scheme in ("light", "dark"):
            opened.page.emulate_media(color_scheme=scheme)
            width = opened.page.evaluate("document.documentElement.scrollWidth")
            assert width == PHONE["width"]
            ink[scheme] = opened.page.evaluate("getComputedStyle(document.body).color")
        assert ink["light"] != ink["dark"]
        opened.page.close()


def test_a_heading_sorts_its_column_both_ways_and_names_in_order(opened, evaluation):
    table = "table-images"
    with (evaluation / "per_image.csv").open(newline="") as file:
        stored = [float(row["dense_abs_rel"]) for row in csv.DictReader(file)]
    button = opened.page.locator(f"#{table} thead th").nth(3).locator("button")
    button.click()
    assert opened.column(table, 3) == [f"{value:.4f}" for value in sorted(stored)]
    button.click()
    assert opened.column(table, 3) == [f"{value:.4f}" for value in sorted(stored, reverse=True)]
    opened.page.locator(f"#{table} thead button").first.click()
    assert opened.column(table, 0) == [HOSTILE, "room/00", "room/01", "room/04"]


def test_a_hostile_name_is_read_as_it_is_and_runs_nothing(opened):
    assert HOSTILE in opened.column("table-images", 0)
    assert opened.page.evaluate("document.scripts.length") == 1


def test_it_prints_in_light_colours_without_buttons(opened):
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert not opened.page.locator("nav").is_visible()
    pdf = opened.page.pdf()
    assert pdf.startswith(b"%PDF")
    opened.page.emulate_media(media="screen")


def test_without_script_everything_is_there(browser, evaluation):
    plain = browser.browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(write_report([evaluation]).resolve().as_uri())
    assert page.locator("#table-images tbody tr").count() == 4
    plain.close()


def test_a_page_that_requests_and_logs_would_be_noticed(browser, tmp_path):
    (tmp_path / "page.html").write_text('<img src="x.png" alt=""><script>console.log("a")</script>')
    opened = Opened(browser, tmp_path / "page.html")
    opened.page.wait_for_timeout(200)
    assert len([url for url in opened.requests if url.endswith("x.png")]) == 1
    assert "a" in opened.messages
    opened.page.close()
