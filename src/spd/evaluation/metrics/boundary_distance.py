"""Depth boundary error: how far, in pixels, predicted edges lie from true ones and back.

Koch et al. (iBims-1, 2018) defined it; two programs compute it, and their numbers are not
comparable. Both find the edges of a prediction, normalised to 0..1, with Canny. In both, accuracy
is the mean distance from a predicted edge pixel to the nearest true one, over the predicted pixels
closer than 10 px to one. They differ in Canny's thresholds and in completeness:

    TUM (the authors')          0.1 and 0.2; mean distance from a true edge pixel to the nearest
                                predicted one, however far that is
    SharpNet, DisplacementField 0.15 and 0.3; distances of all predicted and all true edge pixels,
                                each no more than 10 px, over the number of both

Both give 10 px to both numbers if no predicted edge lies closer than 10 px to a true one.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from spd.evaluation.metrics import Floats, Mask
from spd.evaluation.metrics.boundary_canny import canny_edges

REACH_PX = 10.0
"""Predicted edges this far from every true edge match none; also the worst score."""


@dataclasses.dataclass(frozen=True, slots=True)
class EdgeRule:
    """Canny's thresholds and the completeness of a published form."""

    low: float
    """Canny's lower threshold."""
    high: float
    """Canny's upper threshold."""
    both_ways: bool
    """Completeness counts distances from predicted and from true edges, truncated at 10 px."""


TUM = EdgeRule(low=0.1, high=0.2, both_ways=False)
SHARPNET = EdgeRule(low=0.15, high=0.3, both_ways=True)


class EdgeDistances(NamedTuple):
    """Mean distances in pixels; None where the truth has no edge."""

    accuracy_px: float | None
    completeness_px: float | None


def depth_boundary_error(
    predicted_m: Floats, truth_m: Floats, valid: Mask, rule: EdgeRule
) -> EdgeDistances:
    """Distances to the edges that Canny, with the same thresholds, finds in the truth.

    The published numbers refer to edges drawn by hand, which only iBims-1 has; for those call
    :func:`find_edges` and :func:`edge_distances`. Truth and prediction are smoothed, normalised and
    searched at the readings only, so that the truth as a prediction scores 0 and predictions in
    holes have no effect.

    Args:
        predicted_m: `[H, W]` depth; ignored outside `valid`.
        truth_m: `[H, W]` depth.
        valid: `[H, W]` mask of the readings in `truth_m`.
        rule: the published form.
    """
    true_edges = find_edges(truth_m, valid, rule)
    return edge_distances(find_edges(predicted_m, valid, rule), true_edges, rule)


def find_edges(depth_m: Floats, valid: Mask, rule: EdgeRule) -> Mask:
    """Canny edges of the depths, normalised to 0..1; a constant map has none."""
    readings = depth_m[valid]
    if readings.size == 0 or readings.min() == readings.max():
        return np.zeros(depth_m.shape, dtype=bool)
    normalised = (depth_m - readings.min()) / (readings.max() - readings.min())
    return canny_edges(normalised, valid, rule.low, rule.high)


def edge_distances(predicted_edges: Mask, true_edges: Mask, rule: EdgeRule) -> EdgeDistances:
    """Accuracy and completeness of predicted edges against any true edges."""
    if not true_edges.any():
        return EdgeDistances(None, None)
    to_true_px = distance_transform_edt(~true_edges)
    near = predicted_edges & (to_true_px < REACH_PX)
    if not near.any():
        return EdgeDistances(REACH_PX, REACH_PX)
    from_predicted_px = to_true_px[predicted_edges]
    from_true_px = distance_transform_edt(~predicted_edges)[true_edges]
    accuracy_px = float(to_true_px[near].mean())
    if rule.both_ways:
        both = np.concatenate([from_predicted_px, from_true_px])
        return EdgeDistances(accuracy_px, float(np.minimum(both, REACH_PX).mean()))
    return EdgeDistances(accuracy_px, float(from_true_px.mean()))
