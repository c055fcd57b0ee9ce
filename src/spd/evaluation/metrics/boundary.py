"""Three published metrics of how well predicted depth edges match true ones.

`depth_metrics` averages over all pixels, of which few are edges, so it hardly sees a blurred
prediction. These metrics look at edges alone. They compare neighbouring pixels, so they need full
maps of one resolution, and all ignore a constant factor of the prediction.

The first two are in :mod:`spd.evaluation.metrics.boundary_pairs`, the distances in pixels in
:mod:`spd.evaluation.metrics.boundary_distance`. Holes are never filled: pairs with a hole are not
counted, and Canny leaves holes out. A depth camera has its holes along the edges of objects, so
its hardest edges are not scored.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.metrics import Floats, Mask
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M
from spd.evaluation.metrics.boundary_distance import SHARPNET, TUM, depth_boundary_error
from spd.evaluation.metrics.boundary_pairs import disc_scores, neighbour_scores

LEAST_M = 1e-6
"""Lower clamp of predictions, as in Depth Pro; NaN becomes it."""


@dataclasses.dataclass(frozen=True, slots=True)
class BoundaryScores:
    """The boundary metrics of one image; None where the truth has no edge of that kind."""

    si_precision: float | None
    """Depth Pro: share of the predicted boundaries that are true; higher is better."""
    si_recall: float | None
    """Depth Pro: share of the true boundaries that are predicted."""
    si_f1: float | None
    """Depth Pro: scale-invariant boundary F1."""
    r1_precision: float | None
    """MoGe: the three above within a disc of radius 1."""
    r1_recall: float | None
    r1_f1: float | None
    r2_precision: float | None
    """MoGe: within a disc of radius 2."""
    r2_recall: float | None
    r2_f1: float | None
    r3_precision: float | None
    """MoGe: within a disc of radius 3."""
    r3_recall: float | None
    r3_f1: float | None
    dbe_tum_accuracy_px: float | None
    """Mean distance from predicted edges to true ones, thresholds 0.1 / 0.2; lower is better."""
    dbe_tum_completeness_px: float | None
    """Mean distance from true edges to predicted ones; may exceed 10."""
    dbe_sharpnet_accuracy_px: float | None
    """Mean distance from predicted edges to true ones, thresholds 0.15 / 0.3."""
    dbe_sharpnet_completeness_px: float | None
    """Mean distance both ways, each no more than 10."""

    def to_dict(self) -> dict[str, float | None]:
        """Plain data, in the order of the fields."""
        return dataclasses.asdict(self)


BOUNDARY_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(BoundaryScores))
"""The names of the metrics in :class:`BoundaryScores`, in order."""


def boundary_scores(
    predicted_m: npt.ArrayLike, truth_m: npt.ArrayLike, valid: npt.ArrayLike
) -> BoundaryScores:
    """All boundary metrics of one image, in float64.

    Args:
        predicted_m: `[H, W]` predicted depth of any scale (invert inverse depth first); it is
            made positive and finite, not clamped to 10 m. Ignored outside `valid`.
        truth_m: `[H, W]` measured depth in metres.
        valid: `[H, W]` mask of the readings in `truth_m`.

    Raises:
        DataError: if the maps differ in shape, or a reading is not finite and positive.
    """
    truth, readings = np.asarray(truth_m, dtype=np.float64), np.asarray(valid, dtype=bool)
    predicted = np.asarray(predicted_m, dtype=np.float64)
    _check(predicted, truth, readings)
    predicted = _positive(predicted, readings)
    truth = np.where(readings, truth, 1.0)
    discs = [disc_scores(predicted, truth, readings, radius) for radius in (1, 2, 3)]
    distances = [depth_boundary_error(predicted, truth, readings, rule) for rule in (TUM, SHARPNET)]
    return BoundaryScores(
        *neighbour_scores(predicted, truth, readings),
        *(number for scores in discs for number in scores),
        *(number for pair in distances for number in pair),
    )


def _positive(predicted: Floats, readings: Mask) -> Floats:
    """Finite and positive depth: NaN at the lower clamp, infinity at the largest depth, holes 1."""
    used = np.where(readings, predicted, 1.0)
    largest = np.max(used, where=np.isfinite(used), initial=MAX_DEPTH_M)
    return np.maximum(np.nan_to_num(used, nan=LEAST_M, posinf=largest, neginf=LEAST_M), LEAST_M)


def _check(predicted: Floats, truth: Floats, readings: Mask) -> None:
    if truth.ndim != 2 or not predicted.shape == truth.shape == readings.shape:
        raise DataError(
            f"prediction, truth and mask must be 2-D and equal in shape, got {predicted.shape}, "
            f"{truth.shape} and {readings.shape}; predict at every pixel of the truth"
        )
    bad = readings & ~(np.isfinite(truth) & (truth > 0))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"truth at row {row}, column {column} is {truth[row, column]:g} m; pass depth that is "
            "finite and above 0, and mask the rest"
        )
