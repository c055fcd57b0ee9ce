"""Several evaluations on one page: side by side if their readings are the same, else refused."""

import dataclasses
import json

import pytest

from helpers.fakes import FakePredictor, make_sample
from helpers.page_outline import Outline
from helpers.report_folders import SharperPredictor, write_evaluation
from spd.errors import DataError, InputError
from spd.evaluate import score_all
from spd.evaluation.baselines import ConstantDepth
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.predictions import ImagePredictions
from spd.report.write import write_report


@pytest.fixture
def pair(tmp_path):
    first = write_evaluation(tmp_path / "a", FakePredictor("runs/first"))
    return first, write_evaluation(tmp_path / "b", SharperPredictor("runs/second"))


def test_models_stand_side_by_side_and_the_best_number_is_marked(pair, tmp_path):
    out = write_report(pair, tmp_path / "both.html")
    page = out.read_text(encoding="utf-8")
    assert "<title>Comparison of first, second</title>" in page
    # From best to worst: 5, 10, 25 % and 10, 20, 50 % too far.
    assert "from best to worst: second 0.133, first 0.267." in page
    table = Outline(page).tables["table-numbers-native"]
    assert [row[0][0] for row in table[1:]] == [
        "first, sparse", "first, dense", "second, sparse", "second, dense",
        "baseline: constant (test truth)", "baseline: image median",
    ]  # fmt: skip
    assert [row[1][0] for row in table[1:5]] == ["0.2667", "0.5333", "0.1333", "0.2667"]
    assert page.count('class="best">0.1333<') == 1
    assert 'class="best">0.2667<' not in page
    images = Outline(page).tables["table-images"]
    assert [text for text, _ in images[0]][2:] == [
        "first AbsRel sparse", "first AbsRel dense", "second AbsRel sparse", "second AbsRel dense",
    ]  # fmt: skip
    assert [row[4][0] for row in images[1:]] == ["0.2500", "0.1000", "0.0500"]


def test_coinciding_lines_of_equal_models_are_named_whatever_their_dates(tmp_path):
    one, two = (write_evaluation(tmp_path / name) for name in ("one", "two"))
    metrics = json.loads((two / "metrics.json").read_text())
    metrics["settings"]["date"] = "2031-02-03T04:05:06+00:00"
    (two / "metrics.json").write_text(json.dumps(metrics))
    page = write_report([one, two], tmp_path / "both.html").read_text(encoding="utf-8")
    assert page.count("The lines of one and two coincide.") == 3  # edges, depth, baselines
    assert "depth in all depth maps (m)" in page
    other = write_evaluation(tmp_path / "b", SharperPredictor("runs/second"))
    page = write_report([one, other], tmp_path / "both.html").read_text(encoding="utf-8")
    assert "coincide" not in page


def test_models_of_one_name_are_told_apart_by_their_folders(tmp_path):
    one = write_evaluation(tmp_path / "one")
    two = write_evaluation(tmp_path / "two")
    page = write_report([one, two], tmp_path / "both.html").read_text(encoding="utf-8")
    assert "<title>Comparison of one, two</title>" in page
    (tmp_path / "more").mkdir()
    three = write_evaluation(tmp_path / "more" / "one")
    page = write_report([one, three], tmp_path / "both.html").read_text(encoding="utf-8")
    assert f"<title>Comparison of {one}, {three}</title>" in page


def test_different_baselines_and_protocols_of_other_images_are_told_apart(tmp_path):
    samples = [make_sample(0), make_sample(1, intrinsics=False)]
    both = ["native", "native-median"]
    one = write_evaluation(tmp_path / "one", samples=samples)  # skips photos without focal length
    two = write_evaluation(tmp_path / "two", samples=samples, protocol="native-median")
    for folder in (one, two):
        score_all(folder, both)
    ConstantDepth(2.0, "the median of the training data", True).write(two / "floor.json")
    score_all(two, both)
    page = write_report([one, two], tmp_path / "both.html").read_text(encoding="utf-8")
    tables = Outline(page).tables
    names = [row[0][0] for row in tables["table-numbers-native"][1:]]
    assert names[4:] == [
        "baseline: constant (test truth)", "baseline: image median",
        "baseline: constant (training)",
    ]  # fmt: skip
    assert "table-numbers-native-median" not in tables  # one image of one, two of the other


def test_baselines_near_edges_stand_once_unless_they_differ(pair, tmp_path):
    for number, folder in enumerate(pair):
        metrics = json.loads((folder / "metrics.json").read_text())
        for band in metrics["near_edges"]:
            band |= {"constant_abs_rel": 0.5 + number, "constant_delta1": 0.25}
            band |= {"image_median_abs_rel": 0.75, "image_median_delta1": 0.125}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    page = write_report(pair, tmp_path / "both.html").read_text(encoding="utf-8")
    table = Outline(page).tables["table-edges"]
    assert [text for text, _ in table[0][10:]] == [
        "AbsRel baseline: constant (test truth)", "δ₁ baseline: constant (test truth)",
        "AbsRel baseline: image median", "δ₁ baseline: image median",
        "AbsRel baseline of second: constant (test truth)",
        "δ₁ baseline of second: constant (test truth)",
    ]  # fmt: skip
    assert [text for text, _ in table[1][10:]] == [
        "0.5000", "0.2500", "0.7500", "0.1250", "1.5000", "0.2500",
    ]  # fmt: skip


def test_another_protocol_other_images_and_other_readings_are_refused(pair, tmp_path):
    first, _ = pair
    aligned = write_evaluation(tmp_path / "c", protocols=["native-median"])
    with pytest.raises(
        DataError, match=r"first protocol is “native-median: .*”, expected “native: "
    ) as caught:
        write_report([first, aligned], tmp_path / "x.html")
    assert "spd score" in str(caught.value)
    fewer = write_evaluation(tmp_path / "d", samples=[make_sample(0), make_sample(1)])
    with pytest.raises(
        DataError, match="1 images are scored in only one of the two, for example 'room/04'"
    ):
        write_report([first, fewer], tmp_path / "x.html")
    drawn = write_evaluation(tmp_path / "e", max_points=5)
    words = (
        "scored at different pixels of room/00: max_points 5, seed 0 in the first, all pixels "
        "in the second; draw the same pixels in both"
    )
    with pytest.raises(DataError, match=words):
        write_report([first, drawn], tmp_path / "x.html")
    redrawn = write_evaluation(tmp_path / "f", max_points=5, seed=1)
    with pytest.raises(
        DataError, match=r"max_points 5, seed 1 in the first, max_points 5, seed 0 in"
    ):
        write_report([drawn, redrawn], tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_other_views_are_refused_by_their_name(pair, tmp_path):
    first, second = pair
    metrics = json.loads((second / "metrics.json").read_text())
    metrics |= {"view": "crop", "protocol": "native: native pixels inside the middle crop"}
    (second / "metrics.json").write_text(json.dumps(metrics))
    words = "was evaluated with --view crop, expected whole; evaluate both with the same view"
    with pytest.raises(DataError, match=words):
        write_report([first, second], tmp_path / "x.html")


def test_truth_that_differs_by_a_millimetre_is_refused(pair, tmp_path):
    first, second = pair
    path = PredictionFolder(second).image_path("room/04")
    kept = ImagePredictions.read(path)
    truth_m = kept.truth_m.copy()
    truth_m[3] += 0.001
    dataclasses.replace(kept, truth_m=truth_m).write(path)
    words = "scored at different pixels of room/04: compare evaluations of the same data"
    with pytest.raises(DataError, match=words):
        write_report([first, second], tmp_path / "x.html")


def test_a_folder_named_twice_none_and_too_many_are_refused(pair, tmp_path):
    first, _ = pair
    with pytest.raises(InputError, match="passed twice"):
        write_report([first, first], tmp_path / "x.html")
    with pytest.raises(InputError, match="no folder to report on"):
        write_report([])
    many = [write_evaluation(tmp_path / str(n)) for n in range(7)]
    with pytest.raises(DataError, match="compares at most 6 evaluations, got 7"):
        write_report(many, tmp_path / "x.html")


def test_of_several_the_page_goes_to_the_current_folder(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(write_report(pair)) == "report.html"
    assert (tmp_path / "report.html").is_file()
