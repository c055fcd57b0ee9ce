"""Sums over all readings of an evaluation: errors by true depth, predicted against true depth.

Images are read and added one by one, so a page about a whole test set needs the memory of one
image. Every reading has the same weight here, whichever image it belongs to.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from spd.evaluation.metrics.accuracy import MAX_DEPTH_M
from spd.report.scored_image import ScoredImage

BANDS = 20
"""Bands of true depth up to the largest depth that is scored: 0.5 m each for 10 m."""
CELLS = 100
"""Cells of predicted against true depth along a side: 0.1 m each for 10 m."""

Counts = npt.NDArray[np.int64]
Sums = npt.NDArray[np.float64]


@dataclasses.dataclass(slots=True)
class ModeTally:
    """The predictions of one mode, by true depth."""

    max_m: float = MAX_DEPTH_M
    """Largest depth that is scored."""
    error: Sums = dataclasses.field(default_factory=lambda: np.zeros(BANDS))
    """Sum of |p - g| / g in each band."""
    bias: Sums = dataclasses.field(default_factory=lambda: np.zeros(BANDS))
    """Sum of (p - g) / g in each band."""
    near: Counts = dataclasses.field(default_factory=lambda: np.zeros(BANDS, np.int64))
    """Readings in each band predicted within a factor of 1.25."""
    cells: Counts = dataclasses.field(default_factory=lambda: np.zeros((CELLS, CELLS), np.int64))
    """Readings by `[true, predicted]` cell."""

    def add(self, predicted: Sums, truth_m: Sums) -> None:
        """Add the metres of one image."""
        band, cell = _places(truth_m, self.max_m, BANDS), _places(truth_m, self.max_m, CELLS)
        relative = (predicted - truth_m) / truth_m
        self.error += np.bincount(band, np.abs(relative), BANDS)
        self.bias += np.bincount(band, relative, BANDS)
        ratio = np.maximum(predicted / truth_m, truth_m / predicted)
        self.near += np.bincount(band[ratio < 1.25], minlength=BANDS)
        both = cell * CELLS + _places(predicted, self.max_m, CELLS)
        self.cells += np.bincount(both, minlength=CELLS**2).reshape(CELLS, CELLS)


@dataclasses.dataclass(slots=True)
class Tally:
    """All readings of one evaluation."""

    max_m: float = MAX_DEPTH_M
    """Largest depth that is scored."""
    readings: Counts = dataclasses.field(default_factory=lambda: np.zeros(BANDS, np.int64))
    """Readings in each band of true depth."""
    sparse: ModeTally = dataclasses.field(init=False)
    dense: ModeTally = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.sparse, self.dense = ModeTally(self.max_m), ModeTally(self.max_m)

    def add(self, image: ScoredImage) -> None:
        """Add one image."""
        self.readings += np.bincount(_places(image.truth_m, self.max_m, BANDS), minlength=BANDS)
        self.sparse.add(image.sparse_m, image.truth_m)
        self.dense.add(image.dense_m, image.truth_m)

    @property
    def band_m(self) -> float:
        """Width of a band of true depth, in metres."""
        return self.max_m / BANDS

    @property
    def cell_m(self) -> float:
        """Side of a cell of predicted against true depth, in metres."""
        return self.max_m / CELLS

    @property
    def farthest_m(self) -> float:
        """The upper end of the last band that has a reading."""
        return self.band_m * (1 + int(np.flatnonzero(self.readings).max(initial=0)))


def _places(metres: npt.NDArray[np.float64], max_m: float, count: int) -> npt.NDArray[np.int64]:
    """The band or cell of each value: it includes its lower end; the last includes the end."""
    return np.minimum((metres / (max_m / count)).astype(np.int64), count - 1)
