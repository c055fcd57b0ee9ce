"""Depth boundary error: Canny's edges and the distances between them, by hand and by loops."""

import numpy as np
import pytest

from helpers.walls import BOTH, FULL, lines, wall
from spd.evaluation.metrics.boundary_distance import (
    SHARPNET,
    TUM,
    depth_boundary_error,
    edge_distances,
    find_edges,
)


@BOTH
@pytest.mark.parametrize("depth_m", [np.full((30, 80), 3.0), np.linspace(1, 9, 80)])
def test_a_wall_and_a_slanted_plane_have_no_edge(depth_m, rule):
    depth_m = np.broadcast_to(depth_m, (30, 80))
    assert not find_edges(depth_m, FULL, rule).any()
    assert depth_boundary_error(wall(20), depth_m, FULL, rule) == (None, None)
    assert depth_boundary_error(depth_m, wall(20), FULL, rule) == (10, 10)


@BOTH
@pytest.mark.parametrize("shift_px", [0, 1, 2, 3, -3, 9])
def test_a_shifted_edge_is_as_far_off_as_it_is_shifted(shift_px, rule):
    errors = depth_boundary_error(wall(40 + shift_px), wall(40), FULL, rule)
    assert errors == pytest.approx((abs(shift_px), abs(shift_px)))


@BOTH
def test_ten_pixels_off_is_no_edge_found(rule):
    assert depth_boundary_error(wall(50), wall(40), FULL, rule) == (10, 10)
    assert edge_distances(lines(40, 50), lines(40), rule).accuracy_px == 0
    assert edge_distances(lines(40, 49), lines(40), rule).accuracy_px == 9 / 2


def test_a_missing_edge_costs_completeness_alone():
    # True in columns 10 and 50, found in 10: the other is 40 px from it, or 10 where truncated.
    assert edge_distances(lines(10), lines(10, 50), TUM) == pytest.approx((0, 40 / 2))
    # One predicted line at distance 0, true lines at 0 and 10.
    assert edge_distances(lines(10), lines(10, 50), SHARPNET) == pytest.approx((0, 10 / 3))


def test_a_doubled_edge_costs_accuracy_and_both_ways():
    assert edge_distances(lines(40, 44), lines(40), TUM) == pytest.approx((4 / 2, 0))
    assert edge_distances(lines(40, 44), lines(40), SHARPNET) == pytest.approx((4 / 2, 4 / 3))


def test_an_invented_edge_far_away_costs_nothing_but_in_sharpnets_completeness():
    assert edge_distances(lines(10, 60), lines(10), TUM) == pytest.approx((0, 0))
    assert edge_distances(lines(10, 60), lines(10), SHARPNET) == pytest.approx((0, 10 / 3))


@BOTH
def test_a_hole_has_no_edge_and_nothing_in_it_is_read(rule):
    holes = FULL.copy()
    holes[10:20, 45:52] = False
    truth, predicted = wall(48, 20), wall(48, 20)
    truth[~holes], predicted[~holes] = np.nan, 1e4
    edges = find_edges(truth, holes, rule)
    # One pixel beside the hole is none either: rows 9 and 20.
    assert not edges[9:21, 40:57].any()
    assert edges[[8, 21], 48].all()
    assert edges[1:-1, 20].all()
    assert depth_boundary_error(predicted, truth, holes, rule) == (0, 0)


def test_a_map_without_readings_has_no_edge():
    assert depth_boundary_error(wall(20), wall(20), ~FULL, TUM) == (None, None)


def slow_distances(predicted, true, truncated):
    """Each pixel against each; `truncated` sums both ways, each distance at most 10."""
    found, drawn = np.argwhere(predicted), np.argwhere(true)
    to_true = np.array([min(np.hypot(*(p - g)) for g in drawn) for p in found])
    to_found = np.array([min(np.hypot(*(p - g)) for p in found) for g in drawn])
    accuracy = np.mean([distance for distance in to_true if distance < 10])
    if truncated:
        both = [min(distance, 10) for distance in (*to_true, *to_found)]
        return accuracy, sum(both) / len(both)
    return accuracy, np.mean(to_found)


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_loops_over_edge_pixels(seed):
    draw = np.random.default_rng(seed)
    predicted, true = draw.random((2, 30, 80)) > 0.995
    predicted[:, 30:] = False  # leaves true ones far away
    for rule, truncated in ((TUM, False), (SHARPNET, True)):
        expected = slow_distances(predicted, true, truncated)
        assert edge_distances(predicted, true, rule) == pytest.approx(expected, abs=1e-12)
