"""What is wrong with predictions or data ends in one line, or in a number beside the table."""

import numpy as np
import pytest

from helpers.fakes import MapPredictor, map_sample
from spd.errors import DataError
from spd.evaluate import evaluate, format_report, score, score_all
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.predictions import MirroredPredictions
from spd.evaluation.scoring import OUTSIDE
from spd.evaluation.truth import check_truth

TRUTH = np.full((6, 8), 2.0, np.float32)


class Data(list):
    """Samples that are found by name, as those of a source."""

    @property
    def names(self):
        return [sample.name for sample in self]

    def named(self, name):
        return self[self.names.index(name)]


def test_nan_is_scored_as_the_nearest_depth_and_infinity_as_the_farthest(tmp_path):
    answers = TRUTH.copy()
    answers[0, :3] = np.nan, np.inf, -np.inf
    report = evaluate(MapPredictor([answers]), [map_sample(0, TRUTH)], tmp_path)
    # Of 48 pixels: 1e-3, 10 and 1e-3 m where the truth is 2 m. Both modes count.
    expected = (2 * (2 - 1e-3) / 2 + (10 - 2) / 2) / 48
    assert report.sparse.abs_rel == pytest.approx(expected, rel=1e-6)
    assert (report.points, report.non_finite, report.not_positive) == (48, 6, 0)
    assert "non-finite predictions, scored as 1e-3 or 10 m: 6" in format_report(report)
    assert report.to_dict()["non_finite_predictions"] == 6
    dav2 = score(tmp_path, protocol="dav2")  # which clamps no prediction from above
    assert dav2.sparse.abs_rel == pytest.approx(expected, rel=1e-6)


def test_zero_and_negative_depth_is_clamped_and_counted(tmp_path):
    answers = TRUTH.copy()
    answers[0, :2] = 0.0, -3.0
    report = evaluate(MapPredictor([answers]), [map_sample(0, TRUTH)], tmp_path)
    assert report.sparse.abs_rel == pytest.approx(2 * (2 - 1e-3) / 2 / 48, rel=1e-6)
    assert (report.non_finite, report.not_positive) == (0, 4)
    assert "zero or negative predictions, scored as 1e-3 m: 4" in format_report(report)
    assert report.to_dict()["not_positive_predictions"] == 4


def test_predictions_that_an_alignment_makes_negative_are_counted(tmp_path):
    rng = np.random.default_rng(3)
    truth = rng.uniform(1, 9, (6, 8)).astype(np.float32)
    answers = truth.copy()
    answers[0, 0] = -40.0
    evaluate(MapPredictor([answers]), [map_sample(0, truth)], tmp_path)
    report = score(tmp_path, protocol="native-lsq")
    fitted = report.images[0].fits[0]
    made = fitted.scale * answers.astype(np.float64) + fitted.shift
    assert (made <= 0).sum() >= 1
    assert report.images[0].not_positive == 2 * (made <= 0).sum()


def test_fitted_inverse_depth_of_0_or_less_is_scored_at_10_m_and_reported(tmp_path):
    # Answers of 1 and 2 m are 1 and 9 m in truth, so the line through their inverses is below 0
    # at an answer of 10 m.
    truth = np.full((6, 8), 1.0, np.float32)
    truth[0] = 9.0
    answers = np.where(truth > 1, np.float32(2), np.float32(1))
    answers[0, 0] = 10.0
    evaluate(MapPredictor([answers]), [map_sample(0, truth)], tmp_path)
    report = score(tmp_path, protocol="native-lsq-disparity")
    fitted = report.images[0].fits[0]
    made = fitted.scale / answers.astype(np.float64) + fitted.shift
    assert (made <= 0).sum() == 1
    assert report.not_positive == 2
    assert np.isposinf(fitted.apply(answers)).sum() == 1  # which the protocol clamps to 10 m
    table = format_report(report)
    assert "predictions with zero or negative fitted inverse depth, scored as 10 m: 2" in table
    assert "1e-3 m: 2" not in table


def test_a_frame_without_a_reading_in_the_crop_is_skipped_and_counted(tmp_path):
    inside = np.full((480, 640), 2.0, np.float32)
    outside = np.zeros((480, 640), np.float32)
    outside[:45] = 2.0
    evaluate(
        MapPredictor([inside, outside]), [map_sample(0, inside), map_sample(1, outside)], tmp_path
    )
    native, bts = score_all(tmp_path, ["native", "bts"])
    assert (native.count, native.skipped) == (2, {})
    assert (bts.count, bts.points) == (1, 426 * 560)
    assert bts.skipped == {"map/1": OUTSIDE}
    assert format_report(bts).endswith(f"skipped: {OUTSIDE}: 1\n")


def test_nothing_in_the_crop_at_all_is_an_error(tmp_path):
    outside = np.zeros((480, 640), np.float32)
    outside[:45] = 2.0
    evaluate(MapPredictor([outside]), [map_sample(0, outside)], tmp_path)
    with pytest.raises(DataError, match=r"could be scored \(skipped: no valid ground truth inside"):
        score(tmp_path, protocol="bts")


def test_predictions_that_cannot_be_aligned_are_skipped_and_counted(tmp_path):
    maps = [TRUTH, np.full_like(TRUTH, np.nan), np.zeros_like(TRUTH)]
    evaluate(MapPredictor(maps), [map_sample(k, TRUTH) for k in range(3)], tmp_path)
    report = score(tmp_path, protocol="native-median")
    assert report.count == 1
    assert set(report.skipped) == {"map/1", "map/2"}
    assert "skipped: predictions that cannot be aligned" in format_report(report)


def test_predictions_of_other_frames_than_the_truth_are_refused(tmp_path):
    samples = Data(map_sample(k, TRUTH) for k in range(2))
    evaluate(MapPredictor([TRUTH] * 2), samples, tmp_path)
    folder = PredictionFolder(tmp_path)
    check_truth(folder, samples, "rooms")
    with pytest.raises(DataError, match=r"frames that rooms lacks \(1\): map/1; pass the data"):
        check_truth(folder, Data(samples[:1]), "rooms")
    more = Data([*samples, map_sample(2, TRUTH)])
    with pytest.raises(DataError, match=r"no predictions for frames of rooms \(1\): map/2"):
        check_truth(folder, more, "rooms")


def test_predictions_for_another_resolution_or_truth_are_refused(tmp_path):
    evaluate(MapPredictor([TRUTH]), [map_sample(0, TRUTH)], tmp_path)
    folder = PredictionFolder(tmp_path)
    larger = Data([map_sample(0, np.full((12, 16), 2.0, np.float32))])
    message = "predictions for 6x8 depth, but map/0 in rooms has 12x16; evaluate into a different"
    with pytest.raises(DataError, match=message):
        check_truth(folder, larger, "rooms")
    other = Data([map_sample(0, TRUTH + 1)])
    with pytest.raises(DataError, match="has predictions for different data than map/0 in rooms"):
        check_truth(folder, other, "rooms")
    for samples in (larger, other):
        with pytest.raises(DataError, match="has predictions for different data named 'map/0'"):
            evaluate(MapPredictor([samples[0].depth_m]), samples, tmp_path)


def test_a_file_of_another_image_is_refused(tmp_path):
    samples = [map_sample(k, TRUTH) for k in range(2)]
    evaluate(MapPredictor([TRUTH] * 2), samples, tmp_path)
    folder = PredictionFolder(tmp_path)
    paths = [folder.image_path(sample.name) for sample in samples]
    paths[1].write_bytes(paths[0].read_bytes())
    with pytest.raises(DataError, match="has predictions for 'map/0', expected 'map/1'"):
        score(tmp_path)


def rewrite(path, **changes):
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files} | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    "changes",
    [{"sparse_m": np.ones(3, np.float32)}, {"depth_size": np.array([3, 8])}],
)
def test_a_file_whose_predictions_and_truth_differ_in_size_is_refused(tmp_path, changes):
    evaluate(MapPredictor([TRUTH]), [map_sample(0, TRUTH)], tmp_path)
    rewrite(PredictionFolder(tmp_path).image_path("map/0"), **changes)
    with pytest.raises(DataError, match="at a different resolution than its ground truth"):
        score(tmp_path)


def test_a_file_of_another_version_is_refused(tmp_path):
    evaluate(MapPredictor([TRUTH]), [map_sample(0, TRUTH)], tmp_path)
    rewrite(PredictionFolder(tmp_path).image_path("map/0"), readings=None)
    with pytest.raises(
        DataError, match=r"a different version wrote it \(SPD .* this is .*\); evaluate"
    ):
        score(tmp_path)


def test_mirrored_predictions_of_other_readings_are_refused(tmp_path):
    path = tmp_path / "mirrored.npz"
    MirroredPredictions(np.ones(3, np.float32), np.ones(3, np.float32)).write(path)
    assert len(MirroredPredictions.read(path, 3).dense_m) == 3
    with pytest.raises(DataError, match="a different number of pixels than the photo's"):
        MirroredPredictions.read(path, 4)
