"""SILog on closed forms."""

import math

import pytest
import torch

from spd.losses import silog


def test_a_constant_log_error_has_its_closed_form():
    truth = torch.rand(1, 50, dtype=torch.float64) + 1
    predicted = truth * math.exp(0.3)
    for weight in (0.5, 0.85, 1.0):
        loss, empty = silog(predicted, truth, torch.ones_like(truth, dtype=torch.bool), weight)
        assert float(loss) == pytest.approx(math.sqrt((1 - weight) * 0.09 + 1e-8), rel=1e-9)
        assert empty == 0


def test_two_pixels_by_hand():
    # d = (ln 2, 0): mean square (ln 2)^2 / 2, square of the mean (ln 2)^2 / 4.
    predicted, truth = torch.tensor([[4.0, 3.0]]).double(), torch.tensor([[2.0, 3.0]]).double()
    loss, _ = silog(predicted, truth, torch.tensor([[True, True]]), 0.5)
    assert float(loss) == pytest.approx(math.log(2) * math.sqrt(1 / 2 - 0.5 / 4), rel=1e-7)


def test_invalid_pixels_have_neither_value_nor_gradient():
    truth = torch.tensor([[2.0, 0.0, math.nan]], dtype=torch.float64)
    predicted = torch.tensor([[3.0, 5.0, 7.0]], dtype=torch.float64, requires_grad=True)
    valid = torch.tensor([[True, False, False]])
    loss, _ = silog(predicted, truth, valid, 0.5)
    assert float(loss.detach()) == pytest.approx(math.log(1.5) * math.sqrt(0.5), rel=1e-6)
    loss.backward()
    assert predicted.grad[0, 0] > 0
    assert predicted.grad[0, 1:].tolist() == [0.0, 0.0]


def test_an_empty_image_counts_as_zero_in_the_mean_over_the_batch():
    truth = torch.full((2, 3), 2.0, dtype=torch.float64)
    predicted = truth * math.e
    valid = torch.tensor([[True] * 3, [False] * 3])
    loss, empty = silog(predicted.requires_grad_(), truth, valid, 0.0)
    assert float(loss.detach()) == pytest.approx(0.5, rel=1e-7)  # (1 + 0) / 2
    assert empty == 1


def test_predictions_are_clamped_before_the_logarithm():
    loss, _ = silog(
        torch.tensor([[0.0]]).double(), torch.tensor([[1.0]]).double(), torch.tensor([[True]]), 0.0
    )
    assert float(loss) == pytest.approx(math.log(1000), rel=1e-9)


def test_a_perfect_image_has_a_finite_gradient():
    truth = torch.tensor([[1.5, 2.5]])
    predicted = truth.clone().requires_grad_()
    loss, _ = silog(predicted, truth, torch.tensor([[True, True]]), 0.5)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1e-4, rel=1e-3)
    assert torch.isfinite(predicted.grad).all()


def test_logarithms_are_taken_in_float32_under_bfloat16():
    truth = torch.rand(1, 100) + 1
    predicted = (truth * 1.01).bfloat16()
    loss, _ = silog(predicted, truth, torch.ones(1, 100, dtype=torch.bool), 0.5)
    assert loss.dtype == torch.float32
