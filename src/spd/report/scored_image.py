"""The readings of one image as they were scored: aligned and clamped."""

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.metrics import Floats
from spd.evaluation.metrics.alignment import Fit, fit
from spd.evaluation.predictions import ImagePredictions, MirroredPredictions
from spd.evaluation.scoring import StoredImage, counted
from spd.report.stored_evaluation import StoredEvaluation


@dataclasses.dataclass(frozen=True, slots=True)
class ScoredImage:
    """The readings of one image that its protocol scores."""

    seen: tuple[int, int, int, int]
    """The part of the depth map that the network saw: rows from and to, columns from and to."""
    pixel_index: npt.NDArray[np.int64]
    """`[N]` pixels of the readings in the whole depth map, counted row by row."""
    columns: int
    """Width of the whole depth map."""
    truth_m: Floats
    """`[N]` true metres."""
    sparse_m: Floats
    """`[N]` metres of point queries."""
    dense_m: Floats
    """`[N]` metres read from the fast map."""
    preview_m: Floats
    """`[h, w]` metres of the fast map of the part seen, subsampled."""

    @classmethod
    def read(cls, evaluation: StoredEvaluation, name: str) -> Self:
        """Read one image of an evaluation under its first protocol.

        Raises:
            DataError: if its file is missing or damaged, or was replaced after scoring.
        """
        folder, protocol = evaluation.folder, evaluation.protocol
        path = folder.image_path(name)
        image = ImagePredictions.read(path, name)
        mirrored = None
        if protocol.flip:
            mirrored = MirroredPredictions.read(folder.mirrored_path(name), len(image.truth_m))
        counts, truth_m, answers = counted(StoredImage(image, mirrored, None), protocol)
        kind = evaluation.settings.get("kind", "metric")
        fits = [fit(answer, truth_m, protocol.alignment, kind) for answer in answers]
        if not len(truth_m) or fits[0] is None or fits[1] is None:
            raise DataError(f"{path} has no pixels to score; run spd score {evaluation.path}")

        def metres(fitted: Fit, values: npt.NDArray[np.floating[Any]]) -> Floats:
            return protocol.clamp(fitted.apply(values))

        return cls(
            seen=image.seen,
            pixel_index=image.pixel_index[counts],
            columns=image.depth_size[1],
            truth_m=truth_m,
            sparse_m=metres(fits[0], answers[0]),
            dense_m=metres(fits[1], answers[1]),
            preview_m=metres(fits[1], image.dense_preview_m),
        )
