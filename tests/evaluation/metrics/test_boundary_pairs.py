"""Boundary F1 on maps whose boundaries are counted by hand, and against a slow loop."""

import numpy as np
import pytest

from spd.evaluation.metrics.boundary_pairs import RATIOS, disc, disc_scores, neighbour_scores

FULL = np.ones((30, 40), dtype=bool)


def wall(*edges: int) -> np.ndarray:
    """1 m, twice as far from each of these columns on."""
    columns = np.arange(40)
    return (2.0 ** sum(columns >= edge for edge in edges))[None].repeat(30, axis=0)


def box(right: int = 0) -> np.ndarray:
    """10 x 10 pixels at 1 m in front of a wall at 2 m: ten boundaries in each direction."""
    depth_m = np.full((30, 40), 2.0)
    depth_m[10:20, 10 + right : 20 + right] = 1
    return depth_m


@pytest.mark.parametrize(
    ("shift_px", "expected"),
    # None of the ten on the left and on the right, and 10 - shift above and below.
    [(0, 1), (1, (0.9 + 0.9) / 4), (2, (0.8 + 0.8) / 4), (3, (0.7 + 0.7) / 4)],
)
def test_a_shifted_box_keeps_what_overlaps_of_its_upper_and_lower_edge(shift_px, expected):
    scores = neighbour_scores(box(shift_px), box(), FULL)
    assert scores == pytest.approx((expected, expected, expected))
    assert disc_scores(box(shift_px), box(), FULL, 1).f1 == pytest.approx(expected)


@pytest.mark.parametrize(
    ("radius_px", "shift_px", "expected"),
    # A step of dx columns crosses the edge from dx places in a row. Radius 1 has one step to the
    # right; radius 2 has three of 1 and one of 2: 5 places; radius 3 five of 1, five of 2, one of
    # 3: 18. With the edge s columns off, both are crossed from dx - s.
    [
        *((1, 0, 1), (1, 1, 0), (1, 2, 0)),
        *((2, 0, 1), (2, 1, 1 / 5), (2, 2, 0)),
        *((3, 0, 1), (3, 1, (5 * 1 + 1 * 2) / 18), (3, 2, 1 / 18), (3, 3, 0)),
    ],
)
def test_a_larger_disc_forgives_a_larger_shift(radius_px, shift_px, expected):
    scores = disc_scores(wall(20 + shift_px), wall(20), FULL, radius_px)
    assert scores == pytest.approx((expected, expected, expected))


def test_a_missing_edge_costs_recall_alone():
    # Two edges are true, one of them predicted.
    assert disc_scores(wall(10), wall(10, 25), FULL, 1) == pytest.approx((1, 1 / 2, 2 / 3))
    # Depth Pro: only one of its four directions crosses these edges.
    assert neighbour_scores(wall(10), wall(10, 25), FULL) == pytest.approx((1 / 4, 1 / 8, 1 / 6))


def test_a_doubled_edge_costs_precision_alone():
    assert disc_scores(wall(10, 12), wall(10), FULL, 1) == pytest.approx((1 / 2, 1, 2 / 3))
    assert neighbour_scores(wall(10, 12), wall(10), FULL) == pytest.approx((1 / 8, 1 / 4, 1 / 6))


def test_nearer_and_farther_the_wrong_way_round_is_no_boundary_found():
    assert neighbour_scores(1 / wall(20), wall(20), FULL) == (0, 0, 0)
    assert disc_scores(1 / wall(20), wall(20), FULL, 3) == (0, 0, 0)


def test_thresholds_weigh_by_their_size_in_depth_pro_and_by_what_exceeds_one_in_moge():
    # 1.2 exceeds the first seven thresholds, 1.05 + 0.2 i / 9. All of them: 11.5, and 1.5.
    sheet = np.where(np.indices(FULL.shape).sum(axis=0) % 2, 1.0, 1.2)
    exceeded = 7 * 1.05 + 0.2 / 9 * 21
    assert neighbour_scores(sheet, sheet, FULL) == pytest.approx((exceeded / 11.5,) * 3)
    assert disc_scores(sheet, sheet, FULL, 1) == pytest.approx(((exceeded - 7) / 1.5,) * 3)


@pytest.mark.parametrize(("ratio", "exceeded"), [(1.05, 0), (1.0501, 1.05), (1.25, 11.5 - 1.25)])
def test_a_ratio_of_exactly_a_threshold_does_not_exceed_it(ratio, exceeded):
    sheet = np.where(np.indices(FULL.shape).sum(axis=0) % 2, 1.0, ratio)
    expected = exceeded / 11.5 if exceeded else None
    assert neighbour_scores(sheet, sheet, FULL).recall == pytest.approx(expected)


def test_f1_is_the_mean_of_each_thresholds_f1():
    # Predicted 1.2 where 2 is true: below 1.2 all is found, above nothing, so F1 is no more
    # the harmonic mean of precision and recall than where they are equal.
    near = np.where(wall(20) == 1, 1.0, 1.2)
    near[:, 30:] = 2.4  # and a second edge, false, at all thresholds
    precision, recall, f1 = disc_scores(near, wall(20), FULL, 1)
    found = (7 * 0.05 + 0.2 / 9 * 21) / 1.5  # weight of the seven thresholds below 1.2
    assert (precision, recall) == pytest.approx((found / 2, found))
    assert f1 == pytest.approx(found * 2 / 3)


def test_pairs_with_a_hole_do_not_count():
    holes = FULL.copy()
    holes[5:10, 19] = False  # five of 30 rows lose their edge between columns 19 and 20
    predicted = wall(20)
    predicted[15:, 20:] = 1  # half of the rows is not found
    assert neighbour_scores(predicted, wall(20), holes).recall == pytest.approx(10 / 25 / 4)
    predicted[5:10, 19] = 7  # what is predicted in a hole is not read
    assert neighbour_scores(predicted, wall(20), holes).precision == pytest.approx(1 / 4)
    # Radius 1 looks from rows 1..28: 28 less the five are true, of which 14 less the five are
    # found, and from columns 20..38 a false boundary is seen between rows 14 and 15.
    scores = disc_scores(predicted, wall(20), holes, 1)
    assert scores[:2] == pytest.approx((9 / (9 + 19), 9 / 23))


def test_a_disc_looks_across_a_hole_it_is_wider_than():
    holes = FULL.copy()
    holes[:, 20] = False
    assert neighbour_scores(wall(20), wall(20), holes).f1 is None
    assert disc_scores(wall(20), wall(20), holes, 1).f1 is None
    assert disc_scores(wall(20), wall(20), holes, 2).f1 == 1


@pytest.mark.parametrize(
    "depth_m", [np.full((30, 40), 3.0), np.linspace(1, 2.5, 40)[None].repeat(30, axis=0)]
)
def test_a_wall_and_a_slanted_plane_have_no_boundary(depth_m):
    assert neighbour_scores(wall(20), depth_m, FULL) == (None, None, None)
    assert disc_scores(wall(20), depth_m, FULL, 1) == (None, None, None)
    # As predictions they find nothing, and what they do not predict is not precise either.
    assert neighbour_scores(depth_m, wall(20), FULL) == (0, 0, 0)
    assert disc_scores(depth_m, wall(20), FULL, 1) == (0, 0, 0)


def test_maps_too_small_for_a_disc_have_no_number():
    depth_m = np.array([[1.0, 2.0], [2.0, 1.0]])
    for size in (1, 2, 5, 6):
        small = np.tile(depth_m, (3, 3))[:size, :size]
        assert disc_scores(small, small, np.ones(small.shape, bool), 3).f1 is None
    tall = np.tile(depth_m, (10, 2))  # four columns, no pixel three from the border
    assert disc_scores(tall, tall, np.ones(tall.shape, bool), 3).f1 is None
    seven = np.tile(depth_m, (4, 4))[:7, :7]
    assert disc_scores(seven, seven, np.ones((7, 7), bool), 3).f1 == 1
    assert neighbour_scores(depth_m, depth_m, np.ones((2, 2), bool)) == (1, 1, 1)


def test_discs_have_the_pixels_no_farther_than_their_radius():
    assert sorted(disc(1)) == [(-1, 0), (0, -1), (0, 1), (1, 0)]
    assert [len(disc(radius)) for radius in (1, 2, 3)] == [4, 12, 28]


def slow(predicted, truth, valid, groups, margin, weights):
    """Pair by pair and threshold by threshold; `groups` of offsets are averaged over."""
    H, W = truth.shape
    sums = np.zeros(3)
    for t, weight in zip(RATIOS, weights, strict=True):
        shares = []
        for group in groups:
            hit = found = true = 0
            for row in range(margin, H - margin):
                for column in range(margin, W - margin):
                    for y, x in ((row + dy, column + dx) for dy, dx in group):
                        if not (0 <= y < H and 0 <= x < W and valid[row, column] and valid[y, x]):
                            continue
                        p = predicted[y, x] / predicted[row, column] > t
                        g = truth[y, x] / truth[row, column] > t
                        hit, found, true = hit + (p and g), found + p, true + g
            shares.append((hit / found if found else 0.0, hit / true if true else 0.0))
        p, r = np.mean(shares, axis=0)
        sums += weight * np.array([p, r, 2 * p * r / (p + r) if p + r else 0.0])
    return sums / sum(weights)


@pytest.mark.parametrize("seed", range(3))
def test_both_forms_agree_with_loops_over_pixels(seed):
    draw = np.random.default_rng(seed)
    truth = np.exp(draw.normal(0, 0.1, (9, 11)))
    predicted = truth * np.exp(draw.normal(0, 0.05, (9, 11)))
    valid = draw.random((9, 11)) > 0.15
    four = [[(0, 1)], [(0, -1)], [(1, 0)], [(-1, 0)]]
    expected = slow(predicted, truth, valid, four, 0, RATIOS)
    assert neighbour_scores(predicted, truth, valid) == pytest.approx(expected, abs=1e-12)
    for radius in (1, 2, 3):
        square = np.argwhere(np.ones((7, 7))) - 3
        near = [tuple(o) for o in square if 0 < np.hypot(*o) <= radius]
        expected = slow(predicted, truth, valid, [near], radius, RATIOS - 1)
        scores = disc_scores(predicted, truth, valid, radius)
        assert scores == pytest.approx(expected, abs=1e-12)
