"""Whether values look like depth or like disparity: what is straight on the planes of a scene.

A plane seen by a camera has an inverse depth that is affine in the pixel. So windows of a depth
map are straight in `1 / z`, windows of a disparity map in the value itself; the wrong one bends.
"""

import numpy as np
from jaxtyping import Float

WINDOW = 21
"""Samples along a window's side."""
WINDOWS_PER_HEIGHT = 8
"""A window this small shows mostly one surface, and one this large shows how it bends."""
LEAST_SHARE = 0.6
"""Of a window that must have readings."""
LEAST_SPAN = 0.07
"""Relative rise of the values across half a window: on a frontal wall both forms are straight."""
LARGEST_RESIDUAL = 0.01
"""Of the better form, relative: beyond it the window shows no plane."""
CLEARLY = 1.1
"""How much larger the other form's residual must be."""


def straight_windows(values: Float[np.ndarray, "h w"]) -> tuple[int, int]:
    """How many windows speak for depth, and how many for disparity.

    Args:
        values: what may be either; only positive finite ones count.
    """
    step = max(1, round(values.shape[0] / (WINDOWS_PER_HEIGHT * WINDOW)))
    samples = values[step // 2 :: step, step // 2 :: step]
    if min(samples.shape) < (WINDOWS_PER_HEIGHT // 2) * WINDOW:
        return 0, 0  # windows would show too much of so small a frame
    windows = np.lib.stride_tricks.sliding_window_view(samples, (WINDOW, WINDOW))
    tiles = windows[:: WINDOW // 2, :: WINDOW // 2].reshape(-1, WINDOW * WINDOW)
    known = np.isfinite(tiles) & (tiles > 0)
    full = known.mean(axis=1) > LEAST_SHARE
    tiles, known = tiles[full].astype(np.float64), known[full]
    positive = np.where(known, tiles, 1.0)
    of_values, rise = _affine_residual(positive, known)
    of_inverse, inverse_rise = _affine_residual(1 / positive, known)
    better, worse = np.minimum(of_values, of_inverse), np.maximum(of_values, of_inverse)
    telling = (np.minimum(rise, inverse_rise) > LEAST_SPAN) & (better < LARGEST_RESIDUAL)
    telling &= worse > CLEARLY * better
    depth = telling & (of_inverse < of_values)
    return int(depth.sum()), int((telling & ~depth).sum())


def _affine_residual(
    values: Float[np.ndarray, "n p"], known: np.ndarray
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Root mean square around the affine fit, and its rise, both relative to its middle."""
    axis = np.linspace(-1, 1, WINDOW)
    basis = np.stack([np.ones(WINDOW**2), np.repeat(axis, WINDOW), np.tile(axis, WINDOW)], axis=1)
    weights = known.astype(np.float64)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(WINDOW**2, 9)
    normal = (weights @ products).reshape(-1, 3, 3)
    fit = np.linalg.solve(normal, ((weights * values) @ basis)[..., None])[..., 0]
    squares = ((values - fit @ basis.T) ** 2 * weights).sum(axis=1) / weights.sum(axis=1)
    middle = np.maximum(np.abs(fit[:, 0]), np.finfo(np.float64).tiny)
    return np.sqrt(squares) / middle, np.abs(fit[:, 1:]).sum(axis=1) / middle
