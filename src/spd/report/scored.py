"""One image's readings as they were scored: those that count, aligned and clamped."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.extras import MirroredPredictions
from spd.evaluation.metrics.alignment import Fit, fit
from spd.evaluation.predictions import ImagePredictions
from spd.evaluation.scoring import StoredImage, counted
from spd.report.results import Results

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """The readings of one image."""

    seen: tuple[int, int, int, int]
    """The part of the depth map that the network saw: rows from and to, columns from and to."""
    pixel_index: npt.NDArray[np.int64]
    """`[N]` where the readings are in the whole depth map, counted row by row."""
    columns: int
    """Of the whole depth map."""
    truth_m: Floats
    """`[N]` metres."""
    sparse_m: Floats
    """`[N]` metres, each pixel asked."""
    dense_m: Floats
    """`[N]` metres, read off the fast map."""
    preview_m: Floats
    """`[h, w]` some pixels of the fast map, of what the network saw."""


def scored(results: Results, name: str) -> Scored:
    """Read one image of an evaluation under its first protocol.

    Raises:
        DataError: if its file is missing or damaged, or is not the one that was scored.
    """
    folder, protocol = results.folder, results.protocol
    path = folder.image_path(name)
    image = ImagePredictions.read(path, name)
    mirrored = None
    if protocol.flip:
        mirrored = MirroredPredictions.read(folder.mirrored_path(name), len(image.truth_m))
    counts, truth_m, answers = counted(StoredImage(image, mirrored, None), protocol)
    kind = results.settings.get("kind", "metric")
    fits = [fit(answer, truth_m, protocol.alignment, kind) for answer in answers]
    if not len(truth_m) or fits[0] is None or fits[1] is None:
        raise DataError(f"{path} has nothing to score; run spd score {results.path}")

    def metres(fitted: Fit, values: npt.NDArray[np.floating[Any]]) -> Floats:
        return protocol.clamp(fitted.apply(values))

    return Scored(
        seen=image.seen,
        pixel_index=image.pixel_index[counts],
        columns=image.depth_size[1],
        truth_m=truth_m,
        sparse_m=metres(fits[0], answers[0]),
        dense_m=metres(fits[1], answers[1]),
        preview_m=metres(fits[1], image.dense_preview_m),
    )
