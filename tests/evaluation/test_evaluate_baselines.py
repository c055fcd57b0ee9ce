"""The baselines that see no photo, under the same protocol as the model."""

import csv
import json
import math

import numpy as np
import pytest

from helpers.fakes import FakePredictor, MapPredictor, make_sample, map_sample
from spd.errors import DataError
from spd.evaluate import evaluate, format_report, score, score_all
from spd.evaluation.baselines import (
    ConstantDepth,
    lower_median_m,
    median_of_scored_truth,
    median_of_training_data,
)
from spd.evaluation.metrics.boundary import boundary_scores

TRAINING = ConstantDepth(2.0, "the median of the training data, 3 frames of rooms:train", True)


def test_baselines_by_hand_with_a_known_training_median(tmp_path):
    # Half the pixels at 1 m and half at 3 m; both baselines predict 2 m, the median between them.
    report = evaluate(FakePredictor(), [make_sample(0)], tmp_path, constant=TRAINING)
    for baseline in (report.baselines.constant, report.baselines.image_median):
        assert baseline.abs_rel == pytest.approx((1 + 1 / 3) / 2, rel=1e-12)
        assert baseline.rmse == pytest.approx(1, rel=1e-12)
        assert baseline.sq_rel == pytest.approx((1 + 1 / 3) / 2, rel=1e-12)
        assert baseline.delta1 == 0
        assert baseline.delta2 == 0.5  # 3 / 2, but not 2 / 1
        d = (math.log(2), math.log(2 / 3))
        assert baseline.silog == pytest.approx(100 * (d[0] - d[1]) / 2, rel=1e-12)


def test_without_a_training_median_the_constant_is_the_median_of_the_scored_truth(tmp_path):
    truth = np.full((6, 8), 1.0, np.float32)
    samples = [map_sample(0, truth), map_sample(1, 3 * truth), map_sample(2, 3 * truth)]
    report = evaluate(MapPredictor([truth] * 3), samples, tmp_path)
    baselines = report.baselines
    assert (baselines.constant_depth.metres, baselines.constant_depth.of_training) == (3.0, False)
    assert baselines.constant.abs_rel == pytest.approx(2 / 3, rel=1e-12)  # 2, 0 and 0
    assert baselines.image_median.abs_rel == 0
    table = format_report(report)
    assert "(test truth)" in table
    assert "constant: 3.000 m everywhere, the median of all scored ground truth" in table
    written = json.loads((tmp_path / "metrics.json").read_text())["floors"]
    assert written["constant"]["name"] == "constant (test truth)"
    assert written["constant"]["metres"] == 3.0
    assert written["constant"]["abs_rel"] == baselines.constant.abs_rel
    assert written["image_median"]["abs_rel"] == 0


def test_the_training_median_is_kept_for_scoring_again(tmp_path):
    first = evaluate(FakePredictor(), [make_sample(0)], tmp_path, constant=TRAINING)
    again = score(tmp_path)
    assert again == first
    assert again.baselines.constant_depth == TRAINING
    assert "(training)" in format_report(again)
    (tmp_path / "floor.json").write_text("{")
    with pytest.raises(DataError, match=r"floor\.json is damaged"):
        score(tmp_path)


def test_a_model_may_store_its_training_median(tmp_path):
    predictor = FakePredictor()
    predictor.training_median_m = 2.5
    report = evaluate(predictor, [make_sample(0)], tmp_path)
    assert report.baselines.constant_depth == ConstantDepth(
        2.5, "the median of the model's training data", True
    )
    assert report.baselines.constant.abs_rel == pytest.approx((1.5 + 0.5 / 3) / 2, rel=1e-12)


def test_baselines_are_the_means_of_their_rows_per_image(tmp_path):
    samples = [make_sample(0), make_sample(1, size=(12, 16))]
    report = evaluate(FakePredictor(), samples, tmp_path, constant=TRAINING)
    with (tmp_path / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for key, mean in (
        ("constant_abs_rel", report.baselines.constant.abs_rel),
        ("image_median_rmse", report.baselines.image_median.rmse),
    ):
        assert np.mean([float(row[key]) for row in rows]) == pytest.approx(mean, rel=1e-12)


def test_baselines_are_aligned_as_the_protocol_says(tmp_path):
    truth = np.full((6, 8), 1.0, np.float32)
    truth[:, 5:] = 4.0
    evaluate(MapPredictor([truth]), [map_sample(0, truth)], tmp_path, constant=TRAINING)
    median, squares, inverse = score_all(
        tmp_path, ["native-median", "native-lsq", "native-lsq-disparity"]
    )
    # A constant scaled to the median is 1 m; fitted it is the mean 17 / 8 m, or that of inverses.
    assert median.baselines.constant.abs_rel == pytest.approx(3 / 8 * 3 / 4, rel=1e-12)
    mean = (5 + 3 * 4) / 8
    assert squares.baselines.constant.rmse == pytest.approx(
        math.sqrt((5 * (mean - 1) ** 2 + 3 * (4 - mean) ** 2) / 8), rel=1e-12
    )
    harmonic = 8 / (5 + 3 / 4)
    assert inverse.baselines.constant.abs_rel == pytest.approx(
        (5 * (harmonic - 1) + 3 * (4 - harmonic) / 4) / 8, rel=1e-12
    )
    for report in (median, squares, inverse):
        assert report.baselines.constant == report.baselines.image_median


def test_a_baseline_is_cropped_as_the_model_is(tmp_path):
    truth = np.full((480, 640), 2.0, np.float32)
    truth[:45] = 8.0  # outside the Eigen crop
    evaluate(MapPredictor([truth]), [map_sample(0, truth)], tmp_path)
    report = score(tmp_path, protocol="bts")
    assert report.baselines.constant.abs_rel == 0
    assert report.baselines.constant_depth.metres == 2.0


def test_the_counted_median_is_the_lower_one_to_the_millimetre():
    assert lower_median_m([]) is None
    first = np.array([1.0004, 2.0], np.float32)
    assert lower_median_m([first]) == 1.0
    assert lower_median_m([first, np.array([2.0, 10.0])]) == 2.0
    rng = np.random.default_rng(0)
    values = rng.uniform(0.3, 9.8, 1001)
    assert lower_median_m([values]) == pytest.approx(np.median(values), abs=0.0006)


def test_the_training_median_takes_frames_evenly_and_reports_how_many():
    frames = [make_sample(0, name=f"{k}") for k in range(1001)]
    for number, sample in enumerate(frames):
        sample.depth_m[sample.valid] = 1.0 if number < 400 else 2.0
    constant = median_of_training_data(frames, "rooms:train")
    assert (constant.metres, constant.of_training) == (2.0, True)
    assert constant.origin.endswith("500 of 1,001 frames of rooms:train")
    few = median_of_training_data(frames[:3], "rooms:train")
    assert (few.metres, few.origin.endswith("3 frames of rooms:train")) == (1.0, True)
    frames[0].valid[:] = False
    with pytest.raises(DataError, match="no depth between 1e-3 and 10 m"):
        median_of_training_data(frames[:1], "rooms:train")


def test_nothing_has_no_median():
    assert median_of_scored_truth([np.array([])]) is None


def test_boundary_tables_state_that_the_baselines_have_no_boundary(tmp_path):
    truth = np.full((60, 80), 1.0, np.float32)
    truth[20:40, 20:40] = 3.0
    report = evaluate(
        MapPredictor([truth]), [map_sample(0, truth)], tmp_path / "edges", boundaries="dense"
    )
    scores = boundary_scores(np.full_like(truth, 2.0), truth, truth > 0).to_dict()
    assert {n: v for n, v in scores.items() if not n.endswith("_px")} == dict.fromkeys(
        [n for n in scores if not n.endswith("_px")], 0.0
    )
    assert {v for n, v in scores.items() if n.endswith("_px")} == {10.0}
    words = (
        "both baselines are constant maps without edges: where the ground truth has edges, their "
        "precision, recall and F1 are 0 and their distances are 10 px"
    )
    assert words in " ".join(format_report(report).split())
    assert max(map(len, format_report(report).splitlines())) <= 80
    plain = evaluate(MapPredictor([truth]), [map_sample(0, truth)], tmp_path / "plain")
    assert "maps of one depth" not in format_report(plain)
