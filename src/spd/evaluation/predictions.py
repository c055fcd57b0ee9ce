"""Predictions on disk: what is kept of one image.

A protocol decides which of these numbers are scored, so a file holds every reading, whatever the
protocol. What only some protocols and measures need is in `spd.evaluation.extras`.
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
    """Truth and both modes' answers at the readings of one image."""

    name: str
    """The sample's name."""
    pixel_index: Int[np.ndarray, " n"]
    """Which pixels of the depth map, counted row by row."""
    depth_size: Size
    """(height, width) of the depth map that `pixel_index` counts in."""
    seen: Box
    """The part of the depth map that the network saw."""
    readings: int
    """Readings in range of the whole depth map."""
    readings_seen: int
    """Those that the network saw; fewer are kept where they were drawn."""
    has_focal: bool
    """Whether the photo's focal length was known; without one, answers have no metric scale."""
    sparse_m: Float[np.ndarray, " n"]
    """Answers in metres, each pixel asked as a point; of a relative model in its own units."""
    dense_m: Float[np.ndarray, " n"]
    """Likewise, read off the dense map."""
    truth_m: Float[np.ndarray, " n"]
    """Metres, measured."""
    edge_px: Float[np.ndarray, " n"]
    """Distance to the nearest true depth edge, in pixels of the depth map."""
    dense_preview_m: Float[np.ndarray, "h w"]
    """Every so many-th pixel of the dense map, half precision; for pictures only."""
    dense_is_exact: bool
    """Whether no point was rounded to a pixel to read the dense map: depth has the photo's
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
            name: whose predictions are expected.

        Raises:
            DataError: if it is missing, damaged, something else, or of another image.
        """
        stored = read_arrays(path, [field.name for field in dataclasses.fields(cls)])
        found = str(stored["name"])
        if name is not None and found != name:
            raise DataError(f"{path} holds predictions of {found!r}, not of {name!r}; restore it")
        arrays = {key: stored[key] for key in _ARRAYS}
        depth_size, seen = stored["depth_size"].tolist(), stored["seen"].tolist()
        lengths = {arrays[key].shape for key in _ARRAYS[:5]}
        index = arrays["pixel_index"]
        inside = index.size == 0 or (index.min() >= 0 and index.max() < np.prod(depth_size))
        if len(lengths) != 1 or index.ndim != 1 or not inside:
            raise DataError(
                f"{path} holds predictions of another resolution than its truth; delete it and "
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
