"""The predictions of one image on disk, in up to three files.

The first has every reading, because protocols differ in which of them they score. The mirrored
photo's predictions and whole maps are needed by some protocols and metrics only, so they have files
of their own, which a later evaluation may add.
"""

import dataclasses
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from spd.errors import DataError
from spd.evaluation.npz import read_arrays, write_arrays
from spd.evaluation.protocols import Box, Size

_ARRAYS = ("pixel_index", "sparse_m", "dense_m", "truth_m", "edge_px", "dense_preview_m")


class StoredPredictions:
    """A dataclass whose fields are the arrays of a file; a field of None is left out."""

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        names = self.__dataclass_fields__  # type: ignore[attr-defined]
        values = {name: getattr(self, name) for name in names}
        write_arrays(path, {name: value for name, value in values.items() if value is not None})


@dataclasses.dataclass(frozen=True)
class ImagePredictions(StoredPredictions):
    """Truth and both modes' predictions at the readings of one image."""

    name: str
    """Name of the sample."""
    pixel_index: Int[np.ndarray, " n"]
    """Pixels of the depth map, counted row by row."""
    depth_size: Size
    """(height, width) of that depth map."""
    seen: Box
    """The part of the depth map that the network saw."""
    readings: int
    """Readings within the scored range in the whole depth map."""
    readings_seen: int
    """Readings among them that the network saw, before any random draw."""
    has_focal: bool
    """Whether the photo's focal length was known; without it predictions have no metric scale."""
    sparse_m: Float[np.ndarray, " n"]
    """Point queries, in metres; a relative model's own unit."""
    dense_m: Float[np.ndarray, " n"]
    """Read from the dense map, in the same unit."""
    truth_m: Float[np.ndarray, " n"]
    """Measured metres."""
    edge_px: Float[np.ndarray, " n"]
    """Distance to the nearest true depth edge, in pixels of the depth map."""
    dense_preview_m: Float[np.ndarray, "h w"]
    """The dense map subsampled, in half precision; for pictures only."""
    dense_is_exact: bool
    """Whether the dense map was read without rounding points to pixels: depth has the photo's
    resolution, or the map was read bilinearly (view `crop`)."""

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Self:
        """Read a file back.

        Args:
            path: the file.
            name: of the image that is expected.

        Raises:
            DataError: if it is missing, damaged, or of another image.
        """
        stored = read_arrays(path, [field.name for field in dataclasses.fields(cls)])
        found = str(stored["name"])
        if name is not None and found != name:
            raise DataError(
                f"{path} has predictions for {found!r}, expected {name!r}; delete it and evaluate "
                "again"
            )
        arrays = {key: stored[key] for key in _ARRAYS}
        depth_size, seen = stored["depth_size"].tolist(), stored["seen"].tolist()
        lengths = {arrays[key].shape for key in _ARRAYS[:5]}
        index = arrays["pixel_index"]
        inside = index.size == 0 or (index.min() >= 0 and index.max() < np.prod(depth_size))
        if len(lengths) != 1 or index.ndim != 1 or not inside:
            raise DataError(
                f"{path} has predictions at a different resolution than its ground truth; delete "
                "it and evaluate again"
            )
        return cls(
            name=found,
            depth_size=(depth_size[0], depth_size[1]),
            seen=(seen[0], seen[1], seen[2], seen[3]),
            readings=int(stored["readings"]),
            readings_seen=int(stored["readings_seen"]),
            has_focal=bool(stored["has_focal"]),
            dense_is_exact=bool(stored["dense_is_exact"]),
            **arrays,
        )


@dataclasses.dataclass(frozen=True)
class MirroredPredictions(StoredPredictions):
    """Both modes' predictions at the same readings, with the photo mirrored left to right."""

    sparse_m: Float[np.ndarray, " n"]
    dense_m: Float[np.ndarray, " n"]

    @classmethod
    def read(cls, path: Path, readings: int) -> Self:
        """Read a file back.

        Raises:
            DataError: if it is missing, damaged, or has another number of readings.
        """
        stored = read_arrays(path, ["sparse_m", "dense_m"])
        if any(stored[key].shape != (readings,) for key in ("sparse_m", "dense_m")):
            raise DataError(
                f"{path} has a different number of pixels than the photo's other predictions; "
                "delete it and evaluate again"
            )
        return cls(stored["sparse_m"], stored["dense_m"])


@dataclasses.dataclass(frozen=True)
class ImageMaps(StoredPredictions):
    """Truth and predictions at every depth pixel that the network saw, for boundary metrics."""

    truth_m: Float[np.ndarray, "h w"]
    """Metres; 0 marks a missing reading."""
    sparse_m: Float[np.ndarray, "h w"] | None
    """Every pixel queried as a point; None where only the dense map was requested."""
    dense_m: Float[np.ndarray, "h w"]
    """Read from the dense map."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file back.

        Raises:
            DataError: if it is missing, damaged, or its maps differ in size.
        """
        stored = read_arrays(path, ["truth_m", "dense_m"])
        if len({array.shape for array in stored.values()}) > 1:
            raise DataError(f"{path} has maps of different sizes; delete it and evaluate again")
        return cls(stored["truth_m"], stored.get("sparse_m"), stored["dense_m"])
