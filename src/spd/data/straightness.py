"""Telling depth from disparity by which of them is affine on the planes of a scene.

A plane seen by a camera has an inverse depth that is affine in the pixel. In windows on planes,
`1 / z` of a depth map is affine, while a disparity map is affine itself.
"""

import numpy as np
from jaxtyping import Float

WINDOW = 21
"""Samples along the side of a window."""
WINDOWS_PER_HEIGHT = 8
"""Windows per image height: small enough to show one surface, large enough to show its slope."""
MIN_SHARE = 0.6
"""Smallest share of readings in a window."""
MIN_RISE = 0.07
"""Smallest relative rise over half a window: on a frontal wall both fits are equally good."""
MAX_RESIDUAL = 0.01
"""Largest relative residual of the better fit; above it the window does not show a plane."""
MIN_RATIO = 1.1
"""Smallest ratio of the worse residual to the better one."""


def straight_windows(values: Float[np.ndarray, "h w"]) -> tuple[int, int]:
    """Number of windows that indicate depth, and number that indicate disparity.

    The values are depth or disparity; only positive finite ones count.
    """
    step = max(1, round(values.shape[0] / (WINDOWS_PER_HEIGHT * WINDOW)))
    samples = values[step // 2 :: step, step // 2 :: step]
    if min(samples.shape) < (WINDOWS_PER_HEIGHT // 2) * WINDOW:
        return 0, 0  # each window would cover too much of such a small frame
    windows = np.lib.stride_tricks.sliding_window_view(samples, (WINDOW, WINDOW))
    tiles = windows[:: WINDOW // 2, :: WINDOW // 2].reshape(-1, WINDOW * WINDOW)
    known = np.isfinite(tiles) & (tiles > 0)
    full = known.mean(axis=1) > MIN_SHARE
    tiles, known = tiles[full].astype(np.float64), known[full]
    positive = np.where(known, tiles, 1.0)
    of_values, rise = _affine_residual(positive, known)
    of_inverse, inverse_rise = _affine_residual(1 / positive, known)
    better, worse = np.minimum(of_values, of_inverse), np.maximum(of_values, of_inverse)
    decisive = (np.minimum(rise, inverse_rise) > MIN_RISE) & (better < MAX_RESIDUAL)
    decisive &= worse > MIN_RATIO * better
    depth = decisive & (of_inverse < of_values)
    return int(depth.sum()), int((decisive & ~depth).sum())


def _affine_residual(
    values: Float[np.ndarray, "n p"], known: np.ndarray
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """RMS residual of the affine fit, and the fit's rise, both relative to its central value."""
    axis = np.linspace(-1, 1, WINDOW)
    basis = np.stack([np.ones(WINDOW**2), np.repeat(axis, WINDOW), np.tile(axis, WINDOW)], axis=1)
    weights = known.astype(np.float64)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(WINDOW**2, 9)
    normal = (weights @ products).reshape(-1, 3, 3)
    fit = np.linalg.solve(normal, ((weights * values) @ basis)[..., None])[..., 0]
    squares = ((values - fit @ basis.T) ** 2 * weights).sum(axis=1) / weights.sum(axis=1)
    middle = np.maximum(np.abs(fit[:, 0]), np.finfo(np.float64).tiny)
    return np.sqrt(squares) / middle, np.abs(fit[:, 1:]).sum(axis=1) / middle
