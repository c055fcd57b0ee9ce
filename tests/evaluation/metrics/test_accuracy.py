import math
import subprocess
import sys

import numpy as np
import pytest

from spd.data import sample
from spd.errors import DataError
from spd.evaluation.metrics import accuracy
from spd.evaluation.metrics.accuracy import (
    METRIC_NAMES,
    DepthMetrics,
    clamp_prediction,
    depth_metrics,
    mean_metrics,
    pixel_means,
    pooled,
    within_range,
)


def close(value: float) -> object:
    """A handful of float64 operations on numbers of size 1: errors of a few times 2e-16."""
    return pytest.approx(value, rel=1e-13, abs=1e-13)


def test_perfect_prediction_has_no_error_and_all_pixels_within():
    truth = np.array([0.7, 1.3, 2.9, 9.7])
    metrics = depth_metrics(truth, truth)
    assert metrics == DepthMetrics(0, 0, 0, 0, 0, 0, 1, 1, 1)


@pytest.mark.parametrize("factor", [1.1, 0.6, 1.7, 2.5])
def test_constant_factor_is_seen_by_all_but_silog(factor):
    truth = np.array([0.5, 1.0, 2.0, 3.5])
    metrics = depth_metrics(factor * truth, truth)
    assert metrics.abs_rel == close(abs(factor - 1))
    assert metrics.sq_rel == close((factor - 1) ** 2 * 7.0 / 4)
    assert metrics.rmse == close(abs(factor - 1) * math.sqrt((0.25 + 1 + 4 + 12.25) / 4))
    assert metrics.rmse_log == close(abs(math.log(factor)))
    assert metrics.log10 == close(abs(math.log10(factor)))
    # The logarithms cancel to about 1e-16 a pixel; times 100.
    assert metrics.silog == pytest.approx(0, abs=1e-13)
    worst = max(factor, 1 / factor)
    assert metrics.delta1 == (worst < 1.25)
    assert metrics.delta2 == (worst < 1.5625)
    assert metrics.delta3 == (worst < 1.953125)


def test_two_pixels_by_hand():
    # p = (2, 3), g = (1, 4): errors 1 and -1, relative 1 and 1/4, ratios 2 and 4/3.
    metrics = depth_metrics([2.0, 3.0], [1.0, 4.0])
    assert metrics.abs_rel == close(0.625)
    assert metrics.sq_rel == close((1 + 0.25) / 2)
    assert metrics.rmse == close(1.0)
    d1, d2 = math.log(2), math.log(3 / 4)
    assert metrics.rmse_log == close(math.sqrt((d1**2 + d2**2) / 2))
    assert metrics.log10 == close((math.log10(2) + math.log10(4 / 3)) / 2)
    # The deviation of two values is half their distance: ln 2 - ln 3/4 = ln 8/3.
    assert metrics.silog == close(100 * math.log(8 / 3) / 2)
    assert metrics.silog == close(100 * math.sqrt((d1**2 + d2**2) / 2 - ((d1 + d2) / 2) ** 2))
    assert (metrics.delta1, metrics.delta2, metrics.delta3) == (0.0, 0.5, 0.5)


def test_opposite_factors_cancel_in_the_mean_but_not_in_silog():
    # d = +ln 2 and -ln 2: the mean is 0, so silog is 100 times rmse_log.
    metrics = depth_metrics([2.0, 1.0], [1.0, 2.0])
    assert metrics.abs_rel == close(0.75)
    assert metrics.silog == close(100 * math.log(2))
    assert metrics.rmse_log == close(math.log(2))


@pytest.mark.parametrize("power", [1, 2, 3])
def test_delta_threshold_is_exclusive(power):
    threshold = 1.25**power  # exact in binary
    just_below = np.nextafter(threshold, 0)
    at = [getattr(depth_metrics([threshold], [1.0]), f"delta{power}")]
    at.append(getattr(depth_metrics([1.0], [threshold]), f"delta{power}"))
    assert at == [0.0, 0.0]
    assert getattr(depth_metrics([just_below], [1.0]), f"delta{power}") == 1.0
    assert getattr(depth_metrics([1.0], [just_below]), f"delta{power}") == 1.0


def test_predictions_are_clamped_before_scoring():
    given = [np.inf, -np.inf, np.nan, 0.0, -3.0, 1e-3, 2.0, 10.0, 11.0]
    expected = [10.0, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 2.0, 10.0, 10.0]
    assert clamp_prediction(given).tolist() == expected
    assert depth_metrics([np.inf, np.nan], [5.0, 1.0]).abs_rel == close((1 + 0.999) / 2)


def test_scored_truth_is_the_range_of_the_samples():
    truth = np.array([0, 1e-3, 0.0011, 10.0, 10.0001, np.nan, np.inf, -1])
    assert within_range(truth).tolist() == [False, False, True, True, False, False, False, False]
    assert accuracy.MIN_DEPTH_M == sample.MIN_DEPTH_M
    assert accuracy.MAX_DEPTH_M == sample.MAX_DEPTH_M
    # One rule in two places (this module must not import torch): they agree on every case.
    single = truth.astype(np.float32)
    np.testing.assert_array_equal(within_range(single), sample.valid_depth(single))


def test_float32_input_is_scored_in_float64():
    truth = np.full(1_000_000, 3.0, np.float32)
    predicted = np.full(1_000_000, 3.3, np.float32)
    expected = (float(np.float32(3.3)) - 3.0) / 3.0
    # Pairwise float64 sums of a million equal terms: well under 1e-12.
    assert depth_metrics(predicted, truth).abs_rel == pytest.approx(expected, rel=1e-12)


def test_mean_is_over_images_not_over_pixels():
    many = depth_metrics(np.full(99, 1.1), np.ones(99))
    one = depth_metrics([1.5], [1.0])
    mean = mean_metrics([many, one])
    assert mean.abs_rel == close((0.1 + 0.5) / 2)
    assert mean.delta1 == 0.5
    for name in METRIC_NAMES:
        assert getattr(mean, name) == close((getattr(many, name) + getattr(one, name)) / 2)


def test_pooled_pixels_are_those_of_one_large_image():
    rng = np.random.default_rng(1)
    truths = [rng.uniform(0.5, 9, size) for size in (1, 7, 400)]
    answers = [truth * rng.uniform(0.5, 1.8, len(truth)) for truth in truths]
    parts = [pixel_means(answer, truth) for answer, truth in zip(answers, truths, strict=True)]
    whole = pixel_means(np.concatenate(answers), np.concatenate(truths))
    for silog in ("bts", "dav2"):
        expected = whole.metrics(silog).to_dict()
        # 408 sums of numbers of size 1, taken in another order.
        assert pooled(parts).metrics(silog).to_dict() == pytest.approx(expected, rel=1e-12)
    assert pooled(parts).pixels == 408


def test_pooling_counts_pixels_and_not_images():
    many, one = pixel_means(np.full(99, 1.1), np.ones(99)), pixel_means([1.5], [1.0])
    mean = pooled([many, one]).metrics()
    assert mean.abs_rel == close((99 * 0.1 + 0.5) / 100)
    assert mean.rmse == close(math.sqrt((99 * 0.01 + 0.25) / 100))
    # Each image alone has no spread of log errors, but both together have.
    logs = np.log([1.1] * 99 + [1.5])
    assert mean.silog == close(100 * math.sqrt(np.mean(logs**2) - np.mean(logs) ** 2))
    with pytest.raises(DataError, match="at least one image"):
        pooled([])


def test_silog_of_depth_anything_keeps_half_of_the_offset():
    d = np.log([2.0, 3 / 4])  # p = (2, 3), g = (1, 4)
    expected = math.sqrt(np.mean(d**2) - 0.5 * np.mean(d) ** 2)
    assert depth_metrics([2.0, 3.0], [1.0, 4.0], "dav2").silog == close(expected)
    # 10 % too far everywhere: sqrt(d^2 - d^2 / 2), where the other is 0.
    offset = depth_metrics([1.1, 2.2], [1.0, 2.0], "dav2").silog
    assert offset == close(math.log(1.1) / math.sqrt(2))


def test_predictions_may_be_left_beyond_the_range():
    answers = [-1.0, 0.0, 5.0, 14.0, np.inf, np.nan, -np.inf]
    assert clamp_prediction(answers, above=False).tolist() == [
        *(1e-3, 1e-3, 5, 14, 10, 1e-3, 1e-3),
    ]


def test_pixel_means_take_no_prediction_that_was_not_clamped():
    for answer in (0.0, np.nan, np.inf):
        with pytest.raises(DataError, match=r"prediction\[1\] is .* clamp predictions first"):
            pixel_means([1.0, answer], [1.0, 1.0])


def test_field_order_is_fixed():
    assert (
        *("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog"),
        *("delta1", "delta2", "delta3"),
    ) == METRIC_NAMES
    assert tuple(depth_metrics([1.0], [1.0]).to_dict()) == METRIC_NAMES


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        ([], [], "no pixel"),
        ([1.0], [1.0, 2.0], "equal length"),
        ([[1.0]], [[1.0]], "1-D"),
        ([1.0, 1.0], [1.0, 0.0], r"truth\[1\] is 0 m"),
        ([1.0], [np.nan], r"truth\[0\] is nan m"),
    ],
)
def test_unusable_input_is_refused(predicted, truth, message):
    with pytest.raises(DataError, match=message):
        depth_metrics(predicted, truth)


def test_the_mean_of_no_images_is_refused():
    with pytest.raises(DataError, match="at least one image"):
        mean_metrics([])


def test_metrics_do_not_import_torch():
    code = "import sys, spd.evaluation.metrics.accuracy; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
