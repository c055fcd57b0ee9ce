"""The public entry: all boundary numbers of one image, what it refuses and what it leaves out."""

import dataclasses
import time

import numpy as np
import pytest

from spd.errors import DataError
from spd.evaluation.metrics.boundary import BOUNDARY_NAMES, BoundaryScores, boundary_scores

FULL = np.ones((40, 60), dtype=bool)
F1 = ("si_f1", "r1_f1", "r2_f1", "r3_f1")
NONE = BoundaryScores(*(None,) * 16)


def box(metres: float = 1.0, right: int = 0) -> np.ndarray:
    """An object before a wall at 3 m, its outline softened by one pixel halfway."""
    depth_m = np.full((40, 60), 3.0)
    depth_m[9:31, 14 + right : 36 + right] = (metres + 3) / 2
    depth_m[10:30, 15 + right : 35 + right] = metres
    return depth_m


def room(seed: int, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    draw = np.random.default_rng(seed)
    depth_m = np.full(shape, 4.0)
    for _ in range(12):
        row, column = draw.integers(0, shape[0] - 8), draw.integers(0, shape[1] - 8)
        height, width = draw.integers(6, 20, 2)
        depth_m[row : row + height, column : column + width] = draw.uniform(1, 4)
    return depth_m * np.exp(draw.normal(0, 0.01, shape))


def test_the_truth_as_prediction_is_perfect():
    scores = boundary_scores(room(0), room(0), FULL).to_dict()
    assert list(scores) == list(BOUNDARY_NAMES)
    for name, value in scores.items():
        assert value == pytest.approx(0 if name.startswith("dbe") else 1), name


def test_each_number_lands_under_its_name():
    scores = boundary_scores(box(right=2), box(), FULL)
    # Depth Pro sees two jumps in each direction, 3 to 2 m and 2 to 1 m: 22 and 20 pairs long,
    # none of them found left and right, 20 and 18 above and below.
    assert scores.si_precision == scores.si_recall == scores.si_f1 == pytest.approx(2 / 4 * 38 / 42)
    assert scores.r1_f1 < scores.r2_f1 < scores.r3_f1
    assert 0 < scores.dbe_tum_accuracy_px < 2
    assert 0 < scores.dbe_sharpnet_completeness_px < 2
    # An object too many costs precision and accuracy, one missing recall and completeness.
    both = np.minimum(box(), np.roll(box(), 26, axis=1))
    more, less = boundary_scores(both, box(), FULL), boundary_scores(box(), both, FULL)
    for prefix in ("si", "r1", "r2", "r3"):
        precision, recall = f"{prefix}_precision", f"{prefix}_recall"
        assert getattr(more, precision) < getattr(more, recall) == pytest.approx(1)
        assert getattr(less, recall) < getattr(less, precision) == pytest.approx(1)
    assert less.dbe_tum_accuracy_px == 0 < less.dbe_tum_completeness_px
    assert more.dbe_tum_completeness_px == 0
    assert more.dbe_sharpnet_completeness_px > 0


@pytest.mark.parametrize("scale", [0.01, 0.9, 7.0])
def test_a_scaled_prediction_scores_the_same(scale):
    predicted = room(1)
    scaled = dataclasses.astuple(boundary_scores(predicted * scale, room(0), FULL))
    assert scaled == pytest.approx(dataclasses.astuple(boundary_scores(predicted, room(0), FULL)))


def test_a_constant_prediction_finds_nothing():
    scores = boundary_scores(np.full(FULL.shape, 2.0), box(), FULL).to_dict()
    for name, value in scores.items():
        assert value == (10 if name.startswith("dbe") else 0), name


def test_numbers_are_undefined_without_a_true_edge():
    assert boundary_scores(box(), np.full(FULL.shape, 2.0), FULL) == NONE
    plane = np.linspace(2, 3.5, 60)[None].repeat(40, axis=0)
    assert boundary_scores(box(), plane, FULL) == NONE
    assert boundary_scores(box(), box(), ~FULL) == NONE
    assert boundary_scores([[1.0]], [[2.0]], [[True]]) == NONE
    assert boundary_scores(np.ones((0, 5)), np.ones((0, 5)), np.ones((0, 5), bool)) == NONE


def test_nothing_in_a_hole_is_read():
    truth, predicted, holes = room(0), room(1), FULL.copy()
    holes[5:15, 10:40] = holes[30, ::3] = False
    scores = boundary_scores(predicted, truth, holes)
    truth[~holes], predicted[~holes] = np.nan, np.inf
    assert boundary_scores(predicted, truth, holes) == scores
    truth[~holes], predicted[~holes] = 0, -1
    assert boundary_scores(predicted, truth, holes) == scores
    assert scores != boundary_scores(room(1), room(0), FULL)
    predicted[0, 0], predicted[~holes] = np.inf, 3.0  # infinity becomes the largest depth
    scores = boundary_scores(predicted, truth, holes)
    predicted[~holes] = 1e4
    assert boundary_scores(predicted, truth, holes) == scores


def test_a_hole_along_an_edge_hides_it():
    holes = FULL.copy()
    holes[:, 12:38] = False
    assert boundary_scores(box(), box(), holes) == NONE


def test_impossible_predictions_count_as_the_nearest_or_farthest_depth():
    wrong, nearest, farthest = room(1), room(1), room(1)
    nearest[20, 30], farthest[20, 30] = 1e-6, 10
    for value in (np.nan, 0.0, -3.0, -np.inf):
        wrong[20, 30] = value
        assert boundary_scores(wrong, room(0), FULL) == boundary_scores(nearest, room(0), FULL)
    wrong[20, 30] = np.inf
    assert boundary_scores(wrong, room(0), FULL) == boundary_scores(farthest, room(0), FULL)
    wrong[:] = np.nan
    assert boundary_scores(wrong, room(0), FULL).si_f1 == 0


def test_depth_in_half_precision_is_compared_in_double():
    truth, predicted = room(0).astype(np.float16), room(1).astype(np.float16)
    expected = boundary_scores(predicted.astype(float), truth.astype(float), FULL)
    assert boundary_scores(predicted, truth, FULL) == expected


def test_maps_of_different_shapes_are_refused():
    with pytest.raises(
        DataError, match=r"equal in shape, got \(20, 60\), \(40, 60\) and \(40, 60\)"
    ):
        boundary_scores(box()[:20], box(), FULL)
    with pytest.raises(DataError, match=r"2-D and equal in shape, got \(60,\)"):
        boundary_scores(box()[0], box()[0], FULL[0])


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_reading_that_is_no_depth_is_refused(value):
    truth = box()
    truth[3, 7] = value
    with pytest.raises(DataError, match=r"truth at row 3, column 7 is .* m; pass depth"):
        boundary_scores(box(), truth, FULL)


def test_a_frame_takes_well_under_a_second():
    truth, predicted = room(0, (480, 640)), room(1, (480, 640))
    valid = np.ones((480, 640), dtype=bool)
    started = time.process_time()
    scores = boundary_scores(predicted, truth, valid)
    # 0.2 s of one core; the margin is for slow machines.
    assert time.process_time() - started < 2
    assert None not in dataclasses.astuple(scores)
