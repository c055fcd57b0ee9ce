"""The page of one evaluation: its numbers are the stored ones, and names in it are only text."""

import base64
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from helpers.fakes import FakeScene, MapPredictor, make_sample, map_sample
from helpers.page_outline import Outline
from helpers.report_folders import HOSTILE, FakePredictor, write_evaluation
from spd.cli import run
from spd.errors import SPDError
from spd.evaluate import score_all
from spd.report.image_panels import reading_map
from spd.report.scored_image import ScoredImage
from spd.report.write import write_report


def page_of(folder, *others, out=None) -> str:
    return write_report([folder, *others], out).read_text(encoding="utf-8")


def column_of(table, heading: str) -> dict[str, str | None]:
    """The full values of a column, by the rows' names."""
    place = [text for text, _ in table[0]].index(heading)
    return {row[0][0]: row[place][1] for row in table[1:]}


def test_the_numbers_are_those_of_metrics_json_beside_the_baselines(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation")
    stored = json.loads((folder / "metrics.json").read_text())
    outline = Outline(page_of(folder))
    table = outline.tables["table-numbers-native"]
    rows = dict(zip(("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1"),
                    table[1:], strict=False))  # fmt: skip
    assert [text for text, _ in table[0][:4]] == ["metric", "better", "sparse", "dense"]
    for key, row in rows.items():
        assert [float(value) for _, value in row[2:]] == [
            stored["sparse"][key],
            stored["dense"][key],
            stored["floors"]["constant"][key],
            stored["floors"]["image_median"][key],
        ]
    # 10, 20 and 50 % too far; the constant is 1 m, at which half the readings are right.
    assert rows["abs_rel"][2][0] == f"{(0.1 + 0.2 + 0.5) / 3:.4f}"
    assert rows["abs_rel"][4][0] == f"{(0 + 2 / 3) / 2:.4f}"


def test_the_lead_gives_the_error_and_whether_the_baselines_are_beaten(tmp_path):
    page = page_of(write_evaluation(tmp_path / "evaluation"))
    assert "<title>Evaluation of fake</title>" in page
    lead = re.search(r'<p class="lead">(.*?)</p>', page).group(1)
    assert "On 3 images of rooms:test, depth is off by 26.7% of the true depth" in lead
    assert lead.endswith("both are beaten.")


@pytest.mark.parametrize(
    ("index", "error", "verdict"),
    [(5, "60.0%", "“constant (test truth)” is not beaten."), (6, "70.0%", "neither is beaten.")],
)
def test_a_baseline_that_is_not_beaten_is_named(tmp_path, index, error, verdict):
    # Of 1 m and 3 m, 1 m everywhere is off by 1/3 on average and the image's median, 2 m, by 2/3.
    page = page_of(write_evaluation(tmp_path / "evaluation", samples=[make_sample(index)]))
    lead = re.search(r'<p class="lead">(.*?)</p>', page).group(1)
    assert f"depth is off by {error} of the true depth" in lead
    assert "by 33.3% (“constant (test truth)”) and 66.7% (“image median”)" in lead
    assert lead.endswith(verdict)


def test_errors_by_depth_and_every_image_are_the_known_ones(tmp_path):
    tables = Outline(page_of(write_evaluation(tmp_path / "evaluation"))).tables
    # Readings are at 1 m and 3 m alone, 60 each, and off by the same share at both.
    distance = tables["table-distance"]
    assert [row[0][0] for row in distance[1:]] == ["1–1.5 m", "3–3.5 m"]
    assert [row[1][0] for row in distance[1:]] == ["60", "60"]
    assert [row[2][0] for row in distance[1:]] == ["0.2667", "0.2667"]
    assert [row[4][0] for row in distance[1:]] == ["+0.2667", "+0.2667"]  # too far, always
    assert [row[5][0] for row in distance[1:]] == ["0.6667", "0.6667"]  # 1.1 and 1.2, not 1.5
    images = tables["table-images"]
    assert [row[0][0] for row in images[1:]] == ["room/04", "room/01", "room/00"]
    sparse = column_of(images, "AbsRel sparse")
    assert [float(value) for value in sparse.values()] == pytest.approx([0.5, 0.2, 0.1], rel=1e-6)


def test_skipped_images_and_predictions_that_are_not_finite_are_reported(tmp_path):
    class Broken(FakePredictor):
        def encode(self, image, *, focal_px):
            return FakeScene(image.shape[:2], float("nan"), 1.0)

    samples = [make_sample(0), make_sample(1, intrinsics=False), make_sample(2, intrinsics=False)]
    page = page_of(write_evaluation(tmp_path / "evaluation", Broken(), samples=samples))
    assert "40 predictions were not finite" in page
    assert "Images not scored under protocol native: 2 with no focal length." in page
    skipped = Outline(page).tables["table-skipped-native"]
    assert [row[0][0] for row in skipped[1:]] == ["room/01", "room/02"]
    whole = page_of(write_evaluation(tmp_path / "whole"))
    assert "Every prediction was finite." in whole
    assert "No image was skipped." in whole


def test_names_are_text_and_never_markup(tmp_path):
    samples = [make_sample(0, name=HOSTILE), make_sample(1, name="a\nb,c")]
    page = page_of(
        write_evaluation(tmp_path / "evaluation", FakePredictor(HOSTILE), samples=samples)
    )
    outline = Outline(page)
    assert HOSTILE in "".join(outline.text)
    assert [tag for tag, _ in outline.elements].count("script") == 1
    assert "alert(1)</script>" not in page
    assert len(outline.tables["table-images"]) == 3


def test_the_page_names_no_other_file_and_its_policy_forbids_requests(tmp_path):
    page = page_of(write_evaluation(tmp_path / "evaluation", picture=True))
    outline = Outline(page)
    assert outline.open == []  # every element is closed
    addresses = [
        str(known[key])
        for _, known in outline.elements
        for key in ("src", "href", "srcset", "data", "poster")
        if key in known
    ]
    assert {address[:1] for address in addresses} <= {"d", "#"}
    assert all(address.startswith(("#", "data:image/")) for address in addresses)
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)
    assert "@import" not in page
    policy = next(k["content"] for tag, k in outline.elements if "http-equiv" in k)
    assert policy.startswith("default-src 'none'")


def test_every_picture_and_chart_says_what_it_shows_and_every_table_has_a_caption(tmp_path):
    page = page_of(write_evaluation(tmp_path / "evaluation", picture=True))
    outline = Outline(page)
    pictures = [known for tag, known in outline.elements if tag == "img"]
    assert len(pictures) == 3 * 4  # photo, truth, prediction and error of three images
    assert all(known["alt"] for known in pictures)
    drawn = [k for tag, k in outline.elements if tag == "svg" and "aria-hidden" not in k]
    described = {known["id"] for tag, known in outline.elements if tag == "desc"}
    assert len(drawn) == 6 + 2 * 3  # charts, and two colour bars an image
    assert all(known["aria-labelledby"] in described for known in drawn)
    identifiers = [known["id"] for _, known in outline.elements if "id" in known]
    assert len(identifiers) == len(set(identifiers))
    captions = [tag for tag, _ in outline.elements].count("caption")
    assert captions == len(outline.tables) == 4  # numbers, edges, by depth, images


def test_photos_stand_in_the_rows_and_their_licence_is_named(tmp_path):
    plain = page_of(write_evaluation(tmp_path / "plain"))
    assert "photos of" not in plain
    folder = write_evaluation(tmp_path / "evaluation", picture=True)
    page = page_of(folder)
    licence = (
        "This page contains photos of rooms:test; their licence applies if you share the page."
    )
    assert page.count(licence) == 1
    for name in ("room/00", "room/01", "room/04"):
        assert page.count(f'alt="Photo of {name}"') == 1
    assert base64.b64encode((folder / "best_median_worst.png").read_bytes()).decode() not in page
    # A photo is of an image, so another protocol's rows have those of the images they share.
    score_all(folder, ["native-median"])
    assert not (folder / "best_median_worst.png").exists()
    assert 'alt="Photo of room/04"' in page_of(folder)


def test_both_depth_maps_and_all_errors_have_one_scale(tmp_path):
    page = page_of(write_evaluation(tmp_path / "evaluation"))
    assert page.count("depth in both maps (m); grey: no depth</text>") == 3
    bars = re.findall(r"Colour scale: relative error[^<]*", page)
    # The worst image is 50 % too far at every reading.
    assert bars == ["Colour scale: relative error, |predicted − true| / true, from 0.0 to 0.5"] * 3


def test_guides_are_labelled_and_coinciding_lines_are_named(tmp_path):
    page = page_of(write_evaluation(tmp_path / "evaluation"))
    assert page.count("</svg>factor of 1.25</li>") == 2
    assert "coincide" not in page
    same = [np.full((6, 8), 2.0, np.float32)] * 2
    samples = [map_sample(number, 1.1 * truth) for number, truth in enumerate(same)]
    page = page_of(write_evaluation(tmp_path / "same", MapPredictor(same), samples=samples))
    words = "The lines of point queries (sparse) and fast map (dense) coincide."
    assert page.count(words) == 1  # by true depth; one flat wall has no edge


def test_the_stored_date_is_shown_and_without_one_that_of_the_file(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation")
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["settings"]["date"] = "2031-02-03T04:05:06+00:00"
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert "03 February 2031, 04:05:06 UTC" in page_of(folder)
    del metrics["settings"]["date"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    os.utime(folder / "images.json", (86_400, 86_400))
    assert "02 January 1970, 00:00:00 UTC" in page_of(folder)


def test_the_same_folder_gives_the_same_page_and_data_is_not_needed(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation")
    first = page_of(folder)
    assert page_of(folder) == first
    assert (folder / "report.html").is_file()


def test_every_protocol_has_its_table_and_the_first_its_curves(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation", protocols=["native-median", "native"])
    page = page_of(folder)
    tables = Outline(page).tables
    assert list(tables)[:2] == ["table-numbers-native-median", "table-numbers-native"]
    # Scaled to the true median there is nothing left to be wrong.
    sparse = float(tables["table-numbers-native-median"][1][2][1])
    assert sparse == pytest.approx(0, abs=1e-6)
    assert tables["table-distance"][1][2][0] == "0.0000"
    assert "after aligning each image" in page


def test_skipped_images_are_reported_under_the_protocol_that_skips_them(tmp_path):
    folder = tmp_path / "evaluation"
    samples = [make_sample(0), make_sample(1, intrinsics=False)]
    write_evaluation(folder, samples=samples, protocol="native-median")
    page = page_of(write_evaluation(folder, samples=samples, protocol="native-median",
                                    protocols=["native-median", "native"]))  # fmt: skip
    assert "Images not scored under protocol native: 1 with no focal length." in page
    assert "Images not scored under protocol native-median" not in page


def test_drawn_readings_and_boundaries_are_reported(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation", max_points=7, boundaries="dense")
    page = page_of(folder)
    assert "At most 7 pixels per image, drawn with random seed 0." in page
    stored = json.loads((folder / "metrics.json").read_text())["boundaries"]["dense"]
    table = Outline(page).tables["table-boundaries"]
    assert len(table) == 1 + len(stored)
    assert [float(row[3][1]) if row[3][1] else None for row in table[1:]] == list(stored.values())


def test_baselines_stand_in_the_table_of_bands_unless_results_are_old(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation", boundaries="dense")
    metrics = json.loads((folder / "metrics.json").read_text())
    for baseline, abs_rel, delta1 in (("constant", 0.5, 0.25), ("image_median", 0.75, 0.125)):
        for band in metrics["near_edges"]:
            band |= {f"{baseline}_abs_rel": abs_rel, f"{baseline}_delta1": delta1}
    metrics["near_edges"][-1]["constant_abs_rel"] = None  # a band without a pixel
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page = page_of(folder)
    table = Outline(page).tables["table-edges"]
    assert [text for text, _ in table[0][6:]] == [
        "AbsRel baseline: constant (test truth)", "δ₁ baseline: constant (test truth)",
        "AbsRel baseline: image median", "δ₁ baseline: image median",
    ]  # fmt: skip
    assert [text for text, _ in table[1][6:]] == ["0.5000", "0.2500", "0.7500", "0.1250"]
    assert table[-1][6][0] == "–"
    words = "The baselines are not listed: both baselines are constant maps without edges"
    assert words in re.search(r"<caption><span>(Depth boundary.*?)</span>", page).group(1)
    for band in metrics["near_edges"]:  # as written before baselines were scored near edges
        for key in [key for key in band if key.startswith(("constant", "image_median"))]:
            del band[key]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert len(Outline(page_of(folder)).tables["table-edges"][0]) == 6


def test_predictions_of_0_or_less_are_reported_with_their_score(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation", protocols=["native", "native-lsq-disparity"])
    metrics = json.loads((folder / "metrics.json").read_text())
    other = metrics["other_protocols"][0]
    for protocol, words in (
        (metrics, "predictions were 0 or negative and were scored as 1e-3 m."),
        (other, "predictions had a fitted inverse depth of 0 or less and were scored as 10 m."),
    ):  # fmt: skip
        changed = metrics | {"protocol_name": protocol["protocol_name"]}
        changed |= {"not_positive_predictions": 12, "other_protocols": []}
        (folder / "metrics.json").write_text(json.dumps(changed))
        assert f"12 {words}" in page_of(folder)


def damage(folder, name: str, text: str | None) -> None:
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "pattern"),
    [
        ("images.json", None, "are incomplete; run the evaluation again"),
        ("images.json", "[", r"images\.json is damaged"),
        ("metrics.json", None, r"metrics\.json is missing: the predictions were not scored"),
        ("metrics.json", "{}", r"metrics\.json is damaged; run spd score"),
        ("metrics.json", "[1]", r"metrics\.json is damaged"),
        ("per_image.csv", None, r"per_image\.csv is missing: .* run spd score"),
        ("per_image.csv", "name\na\n", r"per_image\.csv is damaged"),
        ("per_image.csv", "protocol,name,sparse_abs_rel,dense_abs_rel\n", "has 0 images but"),
        ("settings.json", None, "contains no evaluation; pass a folder that spd evaluate wrote"),
        ("predictions/room%2F01.npz", None, r"room%2F01\.npz is missing"),
        ("predictions/room%2F01.npz", "no", r"room%2F01\.npz is damaged"),
        ("photos/room%2F01.png", "no", r"room%2F01\.png is damaged; delete it, or score"),
    ],
)
def test_an_incomplete_or_damaged_folder_is_refused_in_one_line(tmp_path, name, text, pattern):
    folder = write_evaluation(tmp_path / "evaluation", picture=True)
    damage(folder, name, text)
    with pytest.raises(SPDError, match=pattern) as caught:
        write_report([folder])
    assert "\n" not in str(caught.value)
    assert not (folder / "report.html").exists()


def test_a_page_that_cannot_be_written_is_refused_and_the_old_one_stays(tmp_path, capsys):
    folder = write_evaluation(tmp_path / "evaluation")
    old = tmp_path / "page.html"
    old.write_text("old")
    for out, pattern in [
        (tmp_path, "is a folder; give the path of a file"),
        (tmp_path / "page.txt", r"must end in \.html"),
        (old / "page.html", "cannot write"),
    ]:
        assert run(["report", str(folder), "-o", str(out)]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert re.search(pattern, lines[0])
    damage(folder, "metrics.json", "{}")
    assert run(["report", str(folder), "-o", str(old)]) == 2
    assert old.read_text() == "old"
    assert run(["report", str(tmp_path / "nowhere")]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation", "page.html"]


def test_the_command_says_where_the_page_is(tmp_path, capsys):
    folder = write_evaluation(tmp_path / "evaluation")
    assert run(["report", str(folder)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"wrote the report to {folder / 'report.html'} (")
    assert captured.err == ""


def test_a_page_is_made_without_torch(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation")
    script = (
        "import sys; from spd.cli import run; code = run(['report', sys.argv[1]]); "
        "sys.exit(code or any(m in sys.modules for m in ('torch', 'transformers')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_few_readings_are_drawn_as_areas_and_large_holes_stay_empty():
    rng = np.random.default_rng(0)
    height, width = 240, 320
    at = np.sort(rng.choice(height * width, 3000, replace=False))
    row, column = np.divmod(at, width)
    outside_hole = ~((row > 60) & (row < 180) & (column > 100) & (column < 220))
    at, column = at[outside_hole], column[outside_hole]
    image = ScoredImage((0, height, 0, width), at, width, *(np.empty(0),) * 4)
    drawn = reading_map(image, column.astype(float))
    assert np.isnan(drawn[120, 160])  # the middle of the hole
    shown = np.isfinite(drawn)
    assert shown[:50].mean() > 0.99
    assert shown.mean() > 0.75
    _, columns = np.mgrid[:height, :width]
    assert np.abs(drawn - columns)[shown].max() <= 2 * (height * width / len(at)) ** 0.5
    np.testing.assert_array_equal(drawn.ravel()[at], column)  # a reading keeps its place


def test_a_full_map_keeps_its_holes():
    height, width = 40, 50
    at = np.flatnonzero(np.arange(height * width) % 3 > 0)
    image = ScoredImage((0, height, 0, width), at, width, *(np.empty(0),) * 4)
    drawn = reading_map(image, np.ones(len(at)))
    assert np.isnan(drawn).sum() == height * width - len(at)
