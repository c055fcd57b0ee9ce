"""Canny's edges of a depth map with holes, as the depth boundary error needs them.

Smoothing, gradients and thresholds are those of scikit-image's `feature.canny`, which the published
evaluations call, and so are the edges but where two gradients are equal: there rounding in float32
chooses for it, while here both are edges. Written here because it is a screen of scipy and would
be the only use of that package. `tests/evaluation/metrics/test_boundary_published.py` compares
them.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

SIGMA_PX = math.sqrt(2)
"""Deviation of the Gaussian before the gradient."""
EQUAL = 1e-9
"""Gradients this close, relatively, are one: beside a sharp step rounding would choose a pixel."""
EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)


def canny_edges(
    image: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_], low: float, high: float
) -> npt.NDArray[np.bool_]:
    """Ridges of the gradient that reach `low` and are connected to a pixel that reaches `high`.

    A hole takes no part: it is left out of the smoothing, and a pixel that touches one, or the
    border of the map, is no edge. A perfectly sharp step has an edge on both of its pixels.

    Args:
        image: `[H, W]`; what it holds outside `valid` is not read.
        valid: `[H, W]` where it is a reading.
        low: gradient (Sobel, 8 per unit and pixel) that an edge pixel has at least.
        high: gradient that one pixel of a connected edge has at least.
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


def _smooth(
    image: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Gaussian mean of the readings around each pixel; 0 far from any."""
    weight = ndimage.gaussian_filter(valid.astype(np.float64), SIGMA_PX, mode="constant")
    values = ndimage.gaussian_filter(np.where(valid, image, 0.0), SIGMA_PX, mode="constant")
    return values / (weight + np.finfo(np.float64).eps)


def _is_ridge(
    down: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    gradient: npt.NDArray[np.float64],
    candidates: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Which candidates' gradient is no smaller than one step to either side, across the edge.

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
