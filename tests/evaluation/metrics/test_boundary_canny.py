"""Canny's edges where they can be worked out by hand, and against a slow loop over pixels."""

import math

import numpy as np
import pytest

from helpers.walls import BOTH, FULL, lines, wall
from spd.evaluation.metrics.boundary_canny import canny_edges
from spd.evaluation.metrics.boundary_distance import SHARPNET, TUM, EdgeRule, find_edges


@BOTH
def test_an_edge_is_one_pixel_wide_and_keeps_off_the_border(rule):
    edges = find_edges(wall(20, 50), FULL, rule)
    assert (edges[1:-1] == lines(20, 50)[1:-1]).all()
    assert not edges[[0, -1]].any()
    assert (find_edges(wall(20, 50).T, FULL.T, rule) == edges.T).all()


@BOTH
def test_a_sharp_step_has_an_edge_on_both_of_its_pixels_at_any_scale(rule):
    # Their gradients are equal but for rounding, which must not choose one.
    step = np.where(np.arange(80) < 20, 1.0, 2.0)[None].repeat(30, axis=0)
    for scale in (1, 1.1, 0.37):
        for farthest in (2, 3.3, 6.1):
            step[:, 60:] = farthest
            edges = find_edges(step * scale, FULL, rule)[1:-1, :40]
            assert (edges == lines(19, 20)[1:-1, :40]).all()


def test_thresholds_are_shares_of_the_range_of_depths():
    # The Gaussian's weights are 0.282 in the middle and 0.282 exp(-1/4) one pixel off; from one
    # side of a step of h to the other the smoothed depth rises by their sum, 0.502 h, and Sobel
    # makes four times that of it. TUM's 0.2 needs h > 0.0997, SharpNet's 0.3 h > 0.149; of the
    # range of 4 m that is 0.399 m and 0.598 m.
    def found(metres: float, rule: EdgeRule) -> bool:
        depth_m = wall(20) + (metres - 1) * (wall(20) - 1)
        depth_m[:, 60:] = 5
        return bool(find_edges(depth_m, FULL, rule)[15, 15:25].any())

    assert [found(metres, TUM) for metres in (0.39, 0.41)] == [False, True]
    assert [found(metres, SHARPNET) for metres in (0.59, 0.61)] == [False, True]


@BOTH
def test_a_weak_edge_counts_where_it_is_connected_to_a_strong_one(rule):
    # The step between rows 14 and 15 grows by 0.005 a column, its gradient by 4 * 0.502 * 0.005.
    growing = 0.005 * np.arange(80) * (np.arange(30) >= 15)[:, None]
    weakest = rule.low / (4 * 0.502 * 0.005)
    found = np.flatnonzero(canny_edges(growing, FULL, rule.low, rule.high).any(axis=0))
    assert found[0] == pytest.approx(weakest, abs=1)
    assert found[-1] == 78
    # Cut off before it is strong, there is no edge.
    growing[:, int(1.4 * weakest) :] = 0
    assert canny_edges(growing, FULL, rule.low, rule.low).any()
    assert not canny_edges(growing, FULL, rule.low, rule.high).any()


@BOTH
def test_a_hole_beside_an_edge_does_not_draw_it_away(rule):
    holes = FULL.copy()
    holes[10:20, 43:46] = False  # the edge is in column 40
    edges = find_edges(np.where(holes, wall(40), np.nan), holes, rule)
    assert (edges[1:-1] == lines(40)[1:-1]).all()


@BOTH
def test_holes_in_a_wall_have_no_edges_around_them(rule):
    holes = FULL.copy()
    holes[5:25, 30:60] = False
    slanted = np.where(holes, np.linspace(1, 9, 80), 0)
    assert not find_edges(slanted, holes, rule).any()


def between(values: np.ndarray, y: float, x: float) -> float:
    """The value at a point, bilinear."""
    top, left = int(np.floor(y)), int(np.floor(x))
    corners = [(row, column) for row in (top, top + 1) for column in (left, left + 1)]
    shares = [max(0, 1 - abs(y - row)) * max(0, 1 - abs(x - column)) for row, column in corners]
    return sum(share * values[at] for share, at in zip(shares, corners, strict=True) if share)


def slow_smooth(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    smooth = np.zeros(image.shape)
    for row, column in np.ndindex(image.shape):
        weights = values = 0.0
        for dy, dx in np.ndindex(13, 13):  # to four deviations, rounded, either way
            y, x = row + dy - 6, column + dx - 6
            if 0 <= y < image.shape[0] and 0 <= x < image.shape[1] and valid[y, x]:
                weight = math.exp(-((dy - 6) ** 2 + (dx - 6) ** 2) / (2 * 2))
                weights, values = weights + weight, values + weight * image[y, x]
        smooth[row, column] = values / weights if weights else 0
    return smooth


def slow_canny(image: np.ndarray, valid: np.ndarray, low: float, high: float) -> np.ndarray:
    smooth = slow_smooth(image, valid)
    around = np.pad(smooth, 1, mode="edge")
    steps = np.zeros((*image.shape, 2))
    for row, column in np.ndindex(image.shape):
        near = around[row : row + 3, column : column + 3]
        steps[row, column] = (near[2] - near[0]) @ [1, 2, 1], (near[:, 2] - near[:, 0]) @ [1, 2, 1]
    gradient = np.hypot(*np.moveaxis(steps, 2, 0))
    ridge = np.zeros(image.shape, dtype=bool)
    for row in range(1, image.shape[0] - 1):
        for column in range(1, image.shape[1] - 1):
            here = gradient[row, column]
            if here >= low and valid[row - 1 : row + 2, column - 1 : column + 2].all():
                # Along the gradient to the ring of the eight neighbours.
                dy, dx = steps[row, column] / np.abs(steps[row, column]).max()
                ahead = between(gradient, row + dy, column + dx)
                behind = between(gradient, row - dy, column - dx)
                ridge[row, column] = max(ahead, behind) <= here
    edges = ridge & (gradient >= high)
    while True:  # grow along the ridges until nothing is added
        grown = edges.copy()
        for row, column in np.argwhere(edges):
            grown[row - 1 : row + 2, column - 1 : column + 2] = True
        grown &= ridge
        if (grown == edges).all():
            return edges
        edges = grown


@pytest.mark.parametrize("seed", range(3))
def test_edges_are_those_of_loops_over_pixels(seed):
    draw = np.random.default_rng(seed)
    image = draw.normal(0, 0.05, (16, 18))
    image[5:12, 5:13] += 0.5
    valid = np.ones((16, 18), dtype=bool)
    valid[3:6, 9:11] = valid[11:, 15:] = False
    for rule in (TUM, SHARPNET):
        edges = canny_edges(image, valid, rule.low, rule.high)
        assert edges.any()
        assert (edges == slow_canny(image, valid, rule.low, rule.high)).all()
