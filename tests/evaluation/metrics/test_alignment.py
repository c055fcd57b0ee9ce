"""Alignments on values small enough to solve by hand, and against slow loops on random ones."""

import numpy as np
import pytest

from spd.evaluation.metrics.alignment import Fit, fit, least_squares


def test_the_median_is_brought_to_the_true_median():
    fitted = fit([1.0, 2.0, 30.0], [3.0, 4.0, 5.0], "median")
    assert fitted == Fit(scale=2.0)
    assert fitted.apply([1.0, 2.0, 30.0]).tolist() == [2, 4, 60]


def test_the_median_of_an_even_number_is_between_the_two_middle_values():
    assert fit([1.0, 2.0], [3.0, 6.0], "median") == Fit(scale=4.5 / 1.5)


def test_a_line_is_found_exactly():
    fitted = fit([1.0, 2.0, 4.0], [5.0, 7.0, 11.0], "least squares")
    assert (fitted.scale, fitted.shift) == pytest.approx((2, 3), rel=1e-14)


def test_least_squares_by_hand():
    # Deviations -1, 0, 1 of x; y 1, 1, 4: slope 3/2, through the means (1, 2).
    scale, shift = least_squares(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 4.0]))
    assert (scale, shift) == (1.5, 0.5)


def test_inverse_depth_is_fitted_in_inverse_depth():
    truth = np.array([1.0, 2.0, 4.0])
    disparity = (1 / truth - 0.05) / 3  # what a relative model might say
    fitted = fit(disparity, truth, "least squares in inverse depth", "relative-disparity")
    assert (fitted.scale, fitted.shift) == pytest.approx((3, 0.05), rel=1e-12)
    np.testing.assert_allclose(fitted.apply(disparity), truth, rtol=1e-14)
    # A metric model's answers are inverted first.
    metric = fit(2 * truth, truth, "least squares in inverse depth")
    assert (metric.scale, metric.shift) == pytest.approx((2, 0), rel=1e-12, abs=1e-14)


def test_inverse_depth_of_zero_or_less_is_infinitely_far_and_counted():
    fitted = Fit(scale=1.0, shift=-0.5, inverse=True, of_disparity=True)
    answers = [0.75, 0.5, 0.25, np.nan, -np.inf]
    np.testing.assert_array_equal(fitted.apply(answers), [4, np.inf, np.inf, np.nan, np.inf])
    assert fitted.not_positive(answers) == 2  # what was not finite is counted elsewhere
    assert Fit(scale=1.0, shift=-1.0).not_positive([0.5, 1.0, 2.0, np.nan]) == 2


def test_answers_that_are_not_finite_take_no_part_in_the_fit():
    truth = [2.0, 4.0, 1.0, 9.0]
    for alignment in ("median", "least squares"):
        fitted = fit([1.0, 2.0, np.nan, np.inf], truth, alignment)
        np.testing.assert_allclose(fitted.apply([1.0, 2.0]), [2, 4], rtol=1e-14)


@pytest.mark.parametrize("answers", [[np.nan, np.nan], [0.0, 0.0], [-1.0, -2.0]])
def test_a_median_of_zero_or_less_has_no_fit(answers):
    assert fit(answers, [1.0, 2.0], "median") is None


@pytest.mark.parametrize("alignment", ["least squares", "least squares in inverse depth"])
def test_predictions_that_are_all_not_finite_have_no_fit(alignment):
    assert fit([np.nan], [1.0], alignment) is None


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-3, 7.7, 1e6])
def test_a_constant_prediction_is_fitted_to_the_mean(value):
    # 0.1 is not a sum of powers of two: its mean over 1,001 pixels is off by a rounding.
    truth = np.linspace(1, 3, 1001)
    fitted = fit(np.full(1001, value), truth, "least squares")
    assert fitted.scale == 0
    assert fitted.shift == pytest.approx(2, rel=1e-14)
    inverse = fit(np.full(1001, value), truth, "least squares in inverse depth")
    assert inverse.apply([value])[0] == pytest.approx(1 / np.mean(1 / truth), rel=1e-12)


def test_one_pixel_is_fitted_to_its_truth():
    for alignment in ("median", "least squares", "least squares in inverse depth"):
        assert fit([3.0], [2.0], alignment).apply([3.0]) == pytest.approx([2.0], rel=1e-15)


def test_no_alignment_leaves_predictions_unchanged():
    assert fit([3.0, np.nan], [1.0, 1.0], "none") == Fit()
    assert Fit().apply([3.0]).tolist() == [3]


def normal_equations(x, y) -> tuple[float, float]:
    """Scale and shift from sums taken one pixel at a time."""
    n = sx = sy = sxx = sxy = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        n, sx, sy, sxx, sxy = n + 1, sx + a, sy + b, sxx + a * a, sxy + a * b
    scale = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    return scale, (sy - scale * sx) / n


@pytest.mark.parametrize("seed", range(5))
def test_fits_are_those_of_slow_loops(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.5, 9, 301)
    answers = 0.4 * truth + 0.3 + rng.normal(0, 0.05, 301)
    line = fit(answers, truth, "least squares")
    assert (line.scale, line.shift) == pytest.approx(normal_equations(answers, truth), rel=1e-9)
    inverse = fit(answers, truth, "least squares in inverse depth")
    expected = normal_equations(1 / answers, 1 / truth)
    assert (inverse.scale, inverse.shift) == pytest.approx(expected, rel=1e-9)
    middle = fit(answers, truth, "median")
    assert middle.scale == sorted(truth)[150] / sorted(answers)[150]


def test_no_other_line_fits_better():
    rng = np.random.default_rng(7)
    x, y = rng.uniform(0, 1, 50), rng.uniform(0, 1, 50)
    scale, shift = least_squares(x, y)
    best = ((scale * x + shift - y) ** 2).sum()
    for da, db in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (1e-3, -1e-3)):
        assert ((scale + da) * x + shift + db - y) @ ((scale + da) * x + shift + db - y) > best
