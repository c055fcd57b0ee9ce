import csv
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from helpers.fakes import FakePredictor, FakeScene, make_sample, settings_of
from spd.config import ModelConfig
from spd.errors import DataError, InputError
from spd.evaluate import (
    evaluate,
    format_report,
    predict_set,
    score,
)
from spd.evaluation.evaluation_report import metrics_of
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.predictions import ImagePredictions
from spd.terminal import progress_bar

FLOAT32 = 1e-6  # answers are stored in float32: a relative 6e-8, a few of them


def test_every_number_of_one_image_by_hand(tmp_path):
    predictor = FakePredictor()
    report = evaluate(predictor, [make_sample(0)], tmp_path, data="rooms:test")
    assert predictor.encoded == [(0, pytest.approx(7.0))]
    assert (report.count, report.points, report.skipped) == (1, 5 * 8, {})
    # Half the pixels at 1 m and half at 3 m; sparse is 1.1 times, dense 1.2 times the truth.
    for metrics, error in ((report.sparse, 0.1), (report.dense, 0.2)):
        expected = {
            "abs_rel": error,
            "sq_rel": error**2 * (1 + 3) / 2,
            "rmse": error * math.sqrt((1 + 9) / 2),
            "rmse_log": math.log(1 + error),
            "log10": math.log10(1 + error),
            "silog": 0.0,
            "delta1": 1.0,
            "delta2": 1.0,
            "delta3": 1.0,
        }
        # silog: 100 times float32's rounding of the factor, about 100 * 3e-8.
        assert metrics.to_dict() == pytest.approx(expected, rel=FLOAT32, abs=1e-5)
    # Gaps of 0.1 m and 0.3 m, always 0.1 / 1.1 of the sparse answer.
    gap = report.gap
    assert (gap.mean_m, gap.median_m, gap.max_m) == pytest.approx((0.2, 0.2, 0.3), rel=FLOAT32)
    assert (gap.mean_rel, gap.median_rel, gap.max_rel) == pytest.approx([1 / 11] * 3, rel=2e-6)


def test_means_are_over_images(tmp_path):
    samples = [make_sample(0), make_sample(1, size=(12, 16)), make_sample(4)]
    report = evaluate(FakePredictor(), samples, tmp_path)
    assert report.sparse.abs_rel == pytest.approx((0.1 + 0.2 + 0.5) / 3, rel=FLOAT32)
    assert report.dense.abs_rel == pytest.approx((0.2 + 0.4 + 1.0) / 3, rel=FLOAT32)
    assert report.sparse.delta1 == pytest.approx(2 / 3)  # 1.1 and 1.2, but not 1.5
    assert report.dense.delta1 == pytest.approx(1 / 3)  # 1.2, but not 1.4 nor 2.0
    assert report.gap.max_m == pytest.approx(3 * 0.5, rel=FLOAT32)
    assert report.gap.mean_m == pytest.approx(2 * (0.1 + 0.2 + 0.5) / 3, rel=FLOAT32)
    assert [image.name for image in report.ranked()] == ["room/00", "room/01", "room/04"]


def test_files_hold_the_same_numbers(tmp_path):
    report = evaluate(FakePredictor(), [make_sample(0), make_sample(2)], tmp_path, data="rooms")
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["protocol"] == report.words
    assert written["count"] == 2
    assert written["points"] == 80
    assert written["sparse"] == report.sparse.to_dict()
    assert written["dense"] == report.dense.to_dict()
    assert written["settings"]["data"] == "rooms"
    assert written["settings"]["config"] == ModelConfig.tiny().to_dict()
    with (tmp_path / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["room/00", "room/02"]
    assert [row["points"] for row in rows] == ["40", "40"]
    for row, image in zip(rows, report.images, strict=True):
        assert float(row["sparse_abs_rel"]) == image.sparse.abs_rel
        assert float(row["dense_delta3"]) == image.dense.delta3
        assert float(row["gap_max_m"]) == image.gap.max_m


def test_report_names_the_protocol_above_the_table(tmp_path):
    samples = [make_sample(0), make_sample(1, intrinsics=False), make_sample(2, depth_size=(3, 4))]
    lines = format_report(
        evaluate(FakePredictor(), samples, tmp_path, data="rooms:test", max_points=7)
    ).splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(line.strip() for line in lines[:3]) == (
        "protocol native: native pixels, 0.001 < d <= 10 m, ground truth as stored, "
        "per image then mean, no alignment, no flip, predictions clamped to 0.001..10 m, "
        "silog 100 sqrt(mean d^2 - (mean d)^2)"
    )
    assert lines[3] == "model: fake, data: rooms:test"
    assert lines[4] == "images: 2, pixels scored: 14"
    assert lines[5] == "pixels: at most 7 per image, drawn with random seed 0"
    abs_rel = next(line for line in lines if line.startswith("abs_rel"))
    assert abs_rel.split()[:4] == ["abs_rel", "lower", "0.2000", "0.4000"]
    delta1 = next(line for line in lines if line.startswith("delta1"))
    assert delta1.split()[:4] == ["delta1", "higher", "0.5000", "0.5000"]
    assert lines[-2] == (
        "images with depth at a different resolution (dense map: nearest pixel): 1"
    )
    assert lines[-1] == "skipped: no focal length: 1"


def test_depth_of_another_resolution_is_asked_natively_and_read_at_the_nearest_pixel(tmp_path):
    # 3x4 readings on a 6x8 photo: reading (r, c) lies between pixels, at u = 2c + 0.5.
    asked = []

    class Scene(FakeScene):
        def depth_at(self, points):
            asked.append(points.copy())
            return super().depth_at(points)

        def depth_map(self, *, fast):
            return np.arange(48, dtype=np.float32).reshape(6, 8) / 10 + 1

    predictor = FakePredictor()
    predictor.encode = lambda image, *, focal_px: Scene(image.shape[:2], 1.1, 1.2)
    sample = make_sample(0, depth_size=(3, 4))
    folder = predict_set(predictor, [sample], tmp_path, settings_of(predictor))
    np.testing.assert_array_equal(asked[0], sample.reading_points())
    np.testing.assert_array_equal(asked[0][:2], [[0.5, 2.5], [2.5, 2.5]])
    stored = ImagePredictions.read(folder.image_path(sample.name))
    assert not stored.dense_is_exact
    np.testing.assert_array_equal(stored.pixel_index, np.arange(4, 12))
    # Halfway between two pixels the right and the lower one is read: rows 3, 5; columns 1, 3, ...
    expected = [1 + (8 * row + column) / 10 for row in (3, 5) for column in (1, 3, 5, 7)]
    np.testing.assert_array_equal(stored.dense_m, np.float32(expected))
    np.testing.assert_array_equal(stored.truth_m, np.float32([1, 1, 3, 3] * 2))


def test_the_dense_map_of_equal_resolution_is_indexed(tmp_path):
    predictor = FakePredictor()
    sample = make_sample(0, size=(7, 11))
    folder = predict_set(predictor, [sample], tmp_path, settings_of(predictor))
    stored = ImagePredictions.read(folder.image_path(sample.name))
    assert stored.dense_is_exact
    dense_map = FakeScene((7, 11), 1.1, 1.2).depth_map(fast=True)
    np.testing.assert_array_equal(stored.dense_m, dense_map[sample.valid])
    np.testing.assert_array_equal(stored.pixel_index, np.flatnonzero(sample.valid))
    assert stored.name == sample.name


def test_truth_beyond_the_protocols_range_is_not_scored(tmp_path):
    sample = make_sample(0)
    sample.depth_m[1, 0], sample.depth_m[1, 1] = 12.0, np.nan  # a source may call them valid
    report = evaluate(FakePredictor(), [sample], tmp_path)
    assert report.points == 38
    assert report.sparse.abs_rel == pytest.approx(0.1, rel=FLOAT32)


def test_max_points_draws_a_fixed_subset_whatever_the_order(tmp_path):
    predictor = FakePredictor()
    samples = [make_sample(k, size=(20, 30)) for k in range(2)]
    settings = settings_of(predictor, max_points=50)
    first = predict_set(predictor, samples, tmp_path / "a", settings)
    second = predict_set(predictor, samples[::-1], tmp_path / "b", settings)
    other = predict_set(
        predictor, samples, tmp_path / "c", settings_of(predictor, max_points=50, seed=1)
    )

    def drawn(folder: PredictionFolder, name: str) -> np.ndarray:
        return ImagePredictions.read(folder.image_path(name)).pixel_index

    for sample in samples:
        index = drawn(first, sample.name)
        assert len(index) == 50
        assert (np.diff(index) > 0).all()
        assert sample.valid.flat[index].all()
        np.testing.assert_array_equal(index, drawn(second, sample.name))
        assert not np.array_equal(index, drawn(other, sample.name))
    assert not np.array_equal(*(drawn(first, sample.name) for sample in samples))
    with pytest.raises(InputError, match="max_points must be at least 1"):
        settings_of(predictor, max_points=0)


def test_scoring_needs_no_predictor_and_no_torch(tmp_path):
    report = evaluate(FakePredictor(), [make_sample(0), make_sample(1)], tmp_path)
    (tmp_path / "metrics.json").unlink()
    assert score(tmp_path) == report
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics_of([report])
    code = (
        "import sys; from spd.evaluate import score; "
        f"print(score({str(tmp_path)!r}).count, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", "False"]


def test_samples_without_scale_or_readings_are_skipped_and_counted(tmp_path):
    empty = make_sample(2)
    empty.valid[:] = False
    samples = [make_sample(0), make_sample(1, intrinsics=False), empty]
    predictor = FakePredictor()
    report = evaluate(predictor, samples, tmp_path)
    assert [index for index, _ in predictor.encoded] == [0]
    assert report.count == 1
    assert report.skipped == {"room/01": "no focal length", "room/02": "no valid ground truth"}
    assert format_report(report).splitlines()[-2:] == [
        "skipped: no focal length: 1",
        "skipped: no valid ground truth: 1",
    ]


def test_nothing_to_score_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"skipped: no focal length\); scoring needs"):
        evaluate(FakePredictor(), [make_sample(0, intrinsics=False)], tmp_path / "a")
    with pytest.raises(DataError, match="is the split empty"):
        evaluate(FakePredictor(), [], tmp_path / "b")
    with pytest.raises(DataError, match="expected the output folder of an evaluation"):
        score(tmp_path / "c")


def test_predictions_that_are_not_finite_are_clamped_and_counted(tmp_path):
    class Scene(FakeScene):
        def depth_at(self, points):
            depth = super().depth_at(points)
            depth[:2] = np.nan, np.inf
            return depth

    predictor = FakePredictor()
    predictor.encode = lambda image, *, focal_px: Scene(image.shape[:2], 1.0, 1.0)
    report = evaluate(predictor, [make_sample(0)], tmp_path)
    # At the two first pixels the truth is 1 m: errors of 0.999 and 9 over 40 pixels.
    assert report.sparse.abs_rel == pytest.approx((0.999 + 9) / 40, rel=FLOAT32)
    assert report.dense.abs_rel == 0
    assert "non-finite predictions, scored as 1e-3 or 10 m: 2" in format_report(report)


def test_answers_of_another_shape_are_refused(tmp_path):
    class Scene(FakeScene):
        def depth_at(self, points):
            return super().depth_at(points)[:-1]

    predictor = FakePredictor()
    predictor.encode = lambda image, *, focal_px: Scene(image.shape[:2], 1.0, 1.0)
    with pytest.raises(InputError, match=r"returned shape \(39,\), expected \(40,\)"):
        evaluate(predictor, [make_sample(0)], tmp_path)


def test_progress_is_reported_image_by_image_and_nothing_is_drawn_without_a_terminal(
    tmp_path, capsys
):
    samples = [make_sample(0), make_sample(1, intrinsics=False)]
    for number, (data, total) in enumerate([(samples, 2), (iter(samples), None)]):
        told = []
        evaluate(
            FakePredictor(),
            data,
            tmp_path / str(number),
            progress=lambda *done, told=told: told.append(done),
        )
        assert told == [(1, total), (2, total)]
    with progress_bar("predicting") as progress:
        evaluate(FakePredictor(), samples, tmp_path / "c", progress=progress)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_progress_bar_on_a_terminal_counts_to_the_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    with progress_bar("predicting") as progress:
        evaluate(FakePredictor(), [make_sample(0)], tmp_path, progress=progress)
    captured = capsys.readouterr()
    assert "predicting" in captured.err
    assert "100%" in captured.err
    assert captured.out == ""
