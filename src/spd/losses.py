"""SILog, the training loss (specification, section 7.2; Eigen et al. 2014)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

EPSILON = 1e-8  # inside the root, so that a perfect image has a gradient
MIN_PREDICTION_M = 1e-3


def silog(
    predicted_m: Float[Tensor, "b n"],
    truth_m: Float[Tensor, "b n"],
    valid: Bool[Tensor, "b n"],
    variance_weight: float,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Scale-invariant logarithmic loss, per image, then the mean over the batch.

    With `d = ln(predicted) - ln(truth)` over an image's valid pixels:
    `sqrt(mean(d^2) - variance_weight * mean(d)^2 + 1e-8)`. A constant log error c costs
    `sqrt((1 - variance_weight) c^2 + 1e-8)`. Computed in float32 or wider; predictions are
    clamped to 1e-3 m before the logarithm.

    Args:
        predicted_m: metres.
        truth_m: metres; anything where `valid` is false.
        valid: which entries are readings.
        variance_weight: lambda; 0.5 in the specification, 0.85 in BTS and AdaBins.

    Returns:
        The loss, and how many images had no valid pixel; those add nothing to the mean.
    """
    wide = torch.promote_types(predicted_m.dtype, torch.float32)
    predicted_m = predicted_m.to(wide).clamp(min=MIN_PREDICTION_M)
    # An invalid truth of 0 must not make an infinity whose gradient times zero is NaN.
    truth_m = torch.where(valid, truth_m.to(wide), 1.0)
    difference = torch.where(valid, predicted_m.log() - truth_m.log(), 0.0)
    count = valid.sum(dim=1)
    pixels = count.clamp(min=1)
    mean = difference.sum(dim=1) / pixels
    mean_square = difference.square().sum(dim=1) / pixels
    per_image = (mean_square - variance_weight * mean.square() + EPSILON).sqrt()
    has_readings = count > 0
    loss = torch.where(has_readings, per_image, 0.0).mean()
    return loss, (~has_readings).sum()
