"""Sums over all readings of an evaluation: errors by true depth, predicted against true depth.

Images are read and added one by one, so a page about a whole test set needs the memory of one
image. Every reading has the same weight here, whichever image it belongs to.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from spd.evaluation.metrics.accuracy import MAX_DEPTH_M
from spd.report.scored_image import ScoredImage

BAND_M = 0.5
"""Width of a band of true depth, in metres."""
CELL_M = 0.1
"""Side of a cell of predicted against true depth, in metres."""
_BANDS, _CELLS = round(MAX_DEPTH_M / BAND_M), round(MAX_DEPTH_M / CELL_M)

Counts = npt.NDArray[np.int64]
Sums = npt.NDArray[np.float64]


@dataclasses.dataclass(slots=True)
class ModeTally:
    """The predictions of one mode, by true depth."""

    error: Sums = dataclasses.field(default_factory=lambda: np.zeros(_BANDS))
    """Sum of |p - g| / g in each band."""
    bias: Sums = dataclasses.field(default_factory=lambda: np.zeros(_BANDS))
    """Sum of (p - g) / g in each band."""
    near: Counts = dataclasses.field(default_factory=lambda: np.zeros(_BANDS, np.int64))
    """Readings in each band predicted within a factor of 1.25."""
    cells: Counts = dataclasses.field(default_factory=lambda: np.zeros((_CELLS, _CELLS), np.int64))
    """Readings by `[true, predicted]` cell."""

    def add(self, predicted: Sums, truth_m: Sums) -> None:
        """Add the metres of one image."""
        band, cell = _places(truth_m, BAND_M, _BANDS), _places(truth_m, CELL_M, _CELLS)
        relative = (predicted - truth_m) / truth_m
        self.error += np.bincount(band, np.abs(relative), _BANDS)
        self.bias += np.bincount(band, relative, _BANDS)
        ratio = np.maximum(predicted / truth_m, truth_m / predicted)
        self.near += np.bincount(band[ratio < 1.25], minlength=_BANDS)
        both = cell * _CELLS + _places(predicted, CELL_M, _CELLS)
        self.cells += np.bincount(both, minlength=_CELLS**2).reshape(_CELLS, _CELLS)


@dataclasses.dataclass(slots=True)
class Tally:
    """All readings of one evaluation."""

    readings: Counts = dataclasses.field(default_factory=lambda: np.zeros(_BANDS, np.int64))
    """Readings in each band of true depth."""
    sparse: ModeTally = dataclasses.field(default_factory=ModeTally)
    dense: ModeTally = dataclasses.field(default_factory=ModeTally)

    def add(self, image: ScoredImage) -> None:
        """Add one image."""
        self.readings += np.bincount(_places(image.truth_m, BAND_M, _BANDS), minlength=_BANDS)
        self.sparse.add(image.sparse_m, image.truth_m)
        self.dense.add(image.dense_m, image.truth_m)

    @property
    def farthest_m(self) -> float:
        """The upper end of the last band that has a reading."""
        return BAND_M * (1 + int(np.flatnonzero(self.readings).max(initial=0)))


def _places(metres: npt.NDArray[np.float64], width_m: float, most: int) -> npt.NDArray[np.int64]:
    """The band or cell of each value: it includes its lower end; the last includes 10 m."""
    return np.minimum((metres / width_m).astype(np.int64), most - 1)
