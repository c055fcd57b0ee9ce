"""Canny edges of a depth map with holes, for the depth boundary error.

Smoothing, gradients and thresholds are those of scikit-image's `feature.canny`, which the published
evaluations call. The edges are the same except where two gradients are equal: scikit-image then
takes the one that float32 rounding favours, this takes both. One screen of scipy saves that
package as a dependency. `tests/evaluation/metrics/test_boundary_published.py` compares
them.
"""

import math

import numpy as np
from scipy import ndimage

from spd.evaluation.metrics import Floats, Mask

SIGMA_PX = math.sqrt(2)
"""Standard deviation of the Gaussian before the gradient."""
EQUAL = 1e-9
"""Relative difference below which gradients are equal, so that rounding chooses no pixel."""
EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)


def canny_edges(image: Floats, valid: Mask, low: float, high: float) -> Mask:
    """Ridges of the gradient that reach `low` and are connected to a pixel that reaches `high`.

    Holes are left out of the smoothing, and pixels that touch a hole or the border of the map are
    never edges. A perfectly sharp step has an edge on both of its pixels.

    Args:
        image: `[H, W]`; ignored outside `valid`.
        valid: `[H, W]` mask of the readings.
        low: least gradient (Sobel, 8 per unit and pixel) of an edge pixel.
        high: least gradient of one pixel of each connected edge.
    """
    smooth = _smooth(image, valid)
    down, right = (ndimage.sobel(smooth, axis=axis) for axis in (0, 1))
    gradient = np.sqrt(down * down + right * right)
    inside = ndimage.binary_erosion(valid, EIGHT_CONNECTED, border_value=0)
    ridge = inside & (gradient >= low)
    ridge[ridge] = _is_ridge(down, right, gradient, ridge)
    edges, count = ndimage.label(ridge, EIGHT_CONNECTED)
    strong = np.zeros(count + 1, dtype=bool)
    strong[edges[ridge & (gradient >= high)]] = True
    return strong[edges]


def _smooth(image: Floats, valid: Mask) -> Floats:
    """Gaussian mean of the readings around each pixel; 0 far from any."""
    weight = ndimage.gaussian_filter(valid.astype(np.float64), SIGMA_PX, mode="constant")
    values = ndimage.gaussian_filter(np.where(valid, image, 0.0), SIGMA_PX, mode="constant")
    return values / (weight + np.finfo(np.float64).eps)


def _is_ridge(down: Floats, right: Floats, gradient: Floats, candidates: Mask) -> Mask:
    """Mask of the candidates whose gradient is the largest across the edge, one step either way.

    A step across the edge ends between a straight and a diagonal neighbour; the value there is
    interpolated linearly between the two. Candidates do not touch the border of the map.
    """
    y, x = np.nonzero(candidates)
    here, down, right = gradient[y, x], down[y, x], right[y, x]
    # The straight neighbour lies along the axis of the larger part, the diagonal one on its side.
    steep = np.abs(down) > np.abs(right)
    larger = np.where(steep, np.abs(down), np.abs(right))
    smaller = np.where(steep, np.abs(right), np.abs(down))
    share = smaller / np.where(larger > 0, larger, 1)
    # The step toward the right goes down where both parts have one sign, else up.
    slope = np.where((down > 0) == (right > 0), 1, -1)
    ridge = np.ones(here.shape, dtype=bool)
    for side in (1, -1):
        straight = np.where(steep, gradient[y + side * slope, x], gradient[y, x + side])
        diagonal = gradient[y + side * slope, x + side]
        ridge &= diagonal * share + straight * (1 - share) <= here * (1 + EQUAL)
    return ridge
