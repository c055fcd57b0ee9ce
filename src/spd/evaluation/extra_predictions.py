"""Predictions that only some protocols and metrics need, in files of their own.

They are the mirrored photo's predictions and whole maps; a later evaluation may add them.
"""

import dataclasses
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float

from spd.errors import DataError
from spd.evaluation.npz import read_arrays, write_arrays


@dataclasses.dataclass(frozen=True, slots=True)
class MirroredPredictions:
    """Both modes' predictions at the same readings, with the photo mirrored left to right."""

    sparse_m: Float[np.ndarray, " n"]
    dense_m: Float[np.ndarray, " n"]

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_arrays(path, {"sparse_m": self.sparse_m, "dense_m": self.dense_m})

    @classmethod
    def read(cls, path: Path, readings: int) -> Self:
        """Read a file back.

        Raises:
            DataError: if it is missing, damaged, or has another number of readings.
        """
        stored = read_arrays(path, ["sparse_m", "dense_m"])
        if stored["sparse_m"].shape != (readings,) or stored["dense_m"].shape != (readings,):
            raise DataError(f"{path} has other readings than the photo; delete it, evaluate again")
        return cls(stored["sparse_m"], stored["dense_m"])


@dataclasses.dataclass(frozen=True, slots=True)
class ImageMaps:
    """Truth and predictions at every depth pixel that the network saw, for boundary metrics."""

    truth_m: Float[np.ndarray, "h w"]
    """Metres; 0 where there is no reading."""
    sparse_m: Float[np.ndarray, "h w"] | None
    """Every pixel queried as a point; None where only the dense map was requested."""
    dense_m: Float[np.ndarray, "h w"]
    """Read from the dense map."""

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        maps = {"truth_m": self.truth_m, "dense_m": self.dense_m}
        write_arrays(path, maps if self.sparse_m is None else maps | {"sparse_m": self.sparse_m})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file back.

        Raises:
            DataError: if it is missing, damaged, or its maps differ in size.
        """
        stored = read_arrays(path, ["truth_m", "dense_m"])
        maps = cls(stored["truth_m"], stored.get("sparse_m"), stored["dense_m"])
        shapes = {m.shape for m in (maps.truth_m, maps.sparse_m, maps.dense_m) if m is not None}
        if len(shapes) > 1:
            raise DataError(f"{path} has maps of different sizes; delete it, evaluate again")
        return maps
