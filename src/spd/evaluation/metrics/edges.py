"""Accuracy by distance to the nearest true depth edge, where depth networks blur.

An edge lies between two neighbouring readings whose depths differ by more than a factor of
`EDGE_RATIO`; both pixels are edge pixels. The factor is far above the difference of neighbouring
pixels on a slanted floor or wall, and below that of furniture and the wall behind it.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from spd.evaluation.metrics import Mask

EDGE_RATIO = 1.1
"""Neighbouring depths that differ by more than this factor have an edge between them."""
BANDS_PX: tuple[tuple[float, float], ...] = ((0, 1), (1, 2), (2, 4), (4, 8), (8, np.inf))
"""Distances to the nearest edge pixel, lower end exclusive except for 0, upper end inclusive."""


@dataclasses.dataclass(frozen=True, slots=True)
class BandScore:
    """The pixels of one image in one band."""

    pixels: int
    """Number of pixels."""
    abs_rel: float | None
    """Mean absolute error relative to the truth; None without a pixel."""
    delta1: float | None
    """Share within a factor of 1.25, exclusive; None without a pixel."""


def depth_edges(depth_m: npt.NDArray[np.floating], valid: Mask) -> Mask:
    """Mask `[H, W]` of the edge pixels of a depth map.

    Args:
        depth_m: `[H, W]` metres.
        valid: `[H, W]` mask of the readings; a hole has no edge.
    """
    edges = np.zeros(depth_m.shape, dtype=bool)
    log_m = np.log(np.where(valid, depth_m, 1.0).astype(np.float64))
    for axis in (0, 1):
        before = tuple(slice(None, -1) if axis == n else slice(None) for n in (0, 1))
        after = tuple(slice(1, None) if axis == n else slice(None) for n in (0, 1))
        jump = np.abs(log_m[before] - log_m[after]) > np.log(EDGE_RATIO)
        jump &= valid[before] & valid[after]
        edges[before] |= jump
        edges[after] |= jump
    return edges


def edge_distance_px(depth_m: npt.NDArray[np.floating], valid: Mask) -> npt.NDArray[np.float32]:
    """Distance `[H, W]` to the nearest edge pixel, 0 on one; infinite without any edge."""
    edges = depth_edges(depth_m, valid)
    if not edges.any():
        return np.full(depth_m.shape, np.inf, dtype=np.float32)
    return distance_transform_edt(~edges).astype(np.float32)


def band_scores(
    predicted_m: npt.ArrayLike, truth_m: npt.ArrayLike, distance_px: npt.ArrayLike
) -> tuple[BandScore, ...]:
    """The scores of one image in every band, nearest first.

    Args:
        predicted_m: `[N]` predicted metres, clamped by `clamp_prediction`.
        truth_m: `[N]` measured metres, valid readings only.
        distance_px: `[N]` from :func:`edge_distance_px`.
    """
    predicted = np.asarray(predicted_m, dtype=np.float64)
    truth = np.asarray(truth_m, dtype=np.float64)
    distance = np.asarray(distance_px)
    error = np.abs(predicted - truth) / truth
    near = np.maximum(predicted / truth, truth / predicted) < 1.25
    scores = []
    for low, high in BANDS_PX:
        inside = (distance <= high) & ((distance > low) | (low == 0))
        pixels = int(inside.sum())
        scores.append(
            BandScore(
                pixels,
                float(error[inside].mean()) if pixels else None,
                float(near[inside].mean()) if pixels else None,
            )
        )
    return tuple(scores)


def band_name(band: tuple[float, float]) -> str:
    """`2-4 px`, `>8 px`."""
    low, high = band
    return f">{low:g} px" if np.isinf(high) else f"{low:g}-{high:g} px"
