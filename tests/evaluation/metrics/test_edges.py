"""Edges and the bands around them, on maps small enough to count by hand."""

import numpy as np
import pytest

from spd.evaluation.metrics.edges import (
    BANDS_PX,
    band_name,
    band_scores,
    depth_edges,
    edge_distance_px,
)


def step(columns: int = 24, at: int = 10) -> np.ndarray:
    """1 m left of column `at`, 2 m from there on."""
    return np.where(np.arange(columns) < at, 1.0, 2.0)[None].repeat(3, axis=0)


def test_an_edge_is_both_pixels_beside_a_jump():
    edges = depth_edges(step(), np.ones((3, 24), bool))
    assert np.flatnonzero(edges[1]).tolist() == [9, 10]
    assert depth_edges(step().T, np.ones((24, 3), bool))[:, 1].nonzero()[0].tolist() == [9, 10]


def test_a_jump_of_ten_per_cent_is_not_an_edge_but_a_larger_one_is():
    valid = np.ones((1, 2), bool)
    assert not depth_edges(np.array([[2.0, 2.19]]), valid).any()
    assert depth_edges(np.array([[2.0, 2.21]]), valid).all()


def test_a_hole_between_two_surfaces_hides_their_edge():
    valid = np.ones((3, 24), bool)
    valid[:, 10] = False
    assert not depth_edges(step(), valid).any()
    assert np.isinf(edge_distance_px(step(), valid)).all()


def test_a_slanted_floor_has_no_edge():
    # A floor 1.5 m below a camera of 519 px: depth 1.5 * 519 / (rows below the horizon).
    rows = np.arange(60, 240, dtype=float)
    floor = (1.5 * 519 / rows)[:, None].repeat(5, axis=1)
    assert not depth_edges(floor, np.ones_like(floor, bool)).any()


def test_distances_are_counted_from_the_edge_pixels():
    distance = edge_distance_px(step(), np.ones((3, 24), bool))[1]
    assert distance[9:11].tolist() == [0, 0]
    assert distance[:9].tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert distance[11:14].tolist() == [1, 2, 3]


def test_bands_by_hand():
    truth = step()[1]
    distance = edge_distance_px(step(), np.ones((3, 24), bool))[1]
    predicted = truth.copy()
    predicted[9] = 1.5  # on the edge: 50 % off
    predicted[0] = 1.1  # nine pixels away: 10 % off
    scores = band_scores(predicted, truth, distance)
    # Columns 8..11, 7 and 12, 5..6 and 13..14, 1..4 and 15..18, then 0 and 19..23.
    assert [score.pixels for score in scores] == [4, 2, 4, 8, 6]
    assert [score.abs_rel for score in scores] == pytest.approx([0.5 / 4, 0, 0, 0, 0.1 / 6])
    assert [score.delta1 for score in scores] == pytest.approx([0.75, 1, 1, 1, 1])


def test_every_pixel_lies_in_one_band():
    distances = np.array([0, 0.5, 1, 1.4, 2, 2.8, 4, 7.9, 8, 8.1, np.inf])
    scores = band_scores(np.ones(11), np.ones(11), distances)
    assert sum(score.pixels for score in scores) == 11
    assert [score.pixels for score in scores] == [3, 2, 2, 2, 2]


def test_a_band_without_pixels_has_no_number():
    scores = band_scores([1.0], [1.0], [0.0])
    assert scores[-1].abs_rel is None
    assert scores[-1].pixels == 0


def test_bands_are_named():
    assert [band_name(band) for band in BANDS_PX] == [
        "0-1 px",
        "1-2 px",
        "2-4 px",
        "4-8 px",
        ">8 px",
    ]
