"""SILog, the training loss (specification, section 7.2; Eigen et al. 2014)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

EPSILON = 1e-8  # inside the root, so that the gradient is finite at zero error
MIN_PREDICTION_M = 1e-3


def silog(
    predicted_m: Float[Tensor, "b n"],
    truth_m: Float[Tensor, "b n"],
    valid: Bool[Tensor, "b n"],
    variance_weight: float,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Scale-invariant logarithmic loss of each image, averaged over the batch.

    Over an image's valid pixels, with `d = ln(predicted) - ln(truth)`:

        loss = sqrt(mean(d^2) - variance_weight * mean(d)^2 + 1e-8)

    A constant log error c costs `sqrt((1 - variance_weight) c^2 + 1e-8)`. The loss is computed in
    float32 or wider; predictions are clamped to 1e-3 m before the logarithm.

    Args:
        predicted_m: predicted depth in metres.
        truth_m: true depth in metres; any value where `valid` is false.
        valid: whether the truth is a reading.
        variance_weight: lambda; 0.5 in the specification, 0.85 in BTS and AdaBins.

    Returns:
        The loss, and the number of images without a valid pixel; these count as zero in the mean.
    """
    wide = torch.promote_types(predicted_m.dtype, torch.float32)
    predicted_m = predicted_m.to(wide).clamp(min=MIN_PREDICTION_M)
    # ln(0) of an invalid truth would make the gradient NaN, so it is replaced by 1 first.
    truth_m = torch.where(valid, truth_m.to(wide), 1.0)
    d = torch.where(valid, predicted_m.log() - truth_m.log(), 0.0)
    count = valid.sum(dim=1)
    pixels = count.clamp(min=1)
    mean = d.sum(dim=1) / pixels
    mean_square = d.square().sum(dim=1) / pixels
    per_image = (mean_square - variance_weight * mean.square() + EPSILON).sqrt()
    has_readings = count > 0
    loss = torch.where(has_readings, per_image, 0.0).mean()
    return loss, (~has_readings).sum()
