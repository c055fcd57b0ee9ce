"""The predictions of one image on disk.

A file has every reading, because protocols differ in which of them they score. Predictions that
only some protocols need are in `spd.evaluation.extra_predictions`.
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


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePredictions:
    """Truth and both modes' predictions at the readings of one image."""

    name: str
    """The sample's name."""
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
    """Metres, measured."""
    edge_px: Float[np.ndarray, " n"]
    """Distance to the nearest true depth edge, in pixels of the depth map."""
    dense_preview_m: Float[np.ndarray, "h w"]
    """The dense map subsampled, in half precision; for pictures only."""
    dense_is_exact: bool
    """Whether the dense map was read without rounding points to pixels: depth has the photo's
    resolution, or the map was read bilinearly (view `crop`)."""

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_arrays(
            path, {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        )

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
                f"{path} has predictions of {found!r}, expected {name!r}; delete it and evaluate "
                "again"
            )
        arrays = {key: stored[key] for key in _ARRAYS}
        depth_size, seen = stored["depth_size"].tolist(), stored["seen"].tolist()
        lengths = {arrays[key].shape for key in _ARRAYS[:5]}
        index = arrays["pixel_index"]
        inside = index.size == 0 or (index.min() >= 0 and index.max() < np.prod(depth_size))
        if len(lengths) != 1 or index.ndim != 1 or not inside:
            raise DataError(
                f"{path} has predictions of another resolution than its truth; delete it and "
                "evaluate again"
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
