"""The two baselines that see no photo, which a model has to beat.

`constant` predicts one depth everywhere: the median of the training data if it is known, else that
of all scored truth, an optimistic baseline because no model has access to it. `image median`
predicts each image's own true median, which no model is told.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from spd.errors import DataError, counted
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M, DepthMetrics, within_range
from spd.files import read_json, write_text

if TYPE_CHECKING:  # at run time this would import torch, which scoring does not need
    from spd.data.sample import RGBDSample

LARGEST_TRAINING_SAMPLE = 500
"""Frames, evenly spread over the training data, whose readings give its median."""
IMAGE_MEDIAN_ORIGIN = "the ground-truth median of each image, unknown to any model"


@dataclasses.dataclass(frozen=True, slots=True)
class ConstantDepth:
    """The depth that the constant baseline predicts."""

    metres: float
    """To the millimetre where the median was computed here."""
    origin: str
    """Where it comes from, in words."""
    of_training: bool
    """Whether it was known without looking at the truth that is scored."""

    @property
    def heading(self) -> str:
        """The heading of its column."""
        return "constant (training)" if self.of_training else "constant (test truth)"

    def write(self, path: Path) -> None:
        """Store it beside the predictions."""
        write_text(path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The stored value; None if the file does not exist.

        Raises:
            DataError: if the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            return cls(**read_json(path))
        except (OSError, ValueError, TypeError):
            raise DataError(f"{path} is damaged; delete it and evaluate again") from None


@dataclasses.dataclass(frozen=True, slots=True)
class Baselines:
    """The metrics of both baselines under one protocol."""

    constant: DepthMetrics
    """One depth everywhere."""
    image_median: DepthMetrics
    """Each image's own true median."""
    constant_depth: ConstantDepth
    """The depth that the constant baseline predicts."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as stored under `floors` in `metrics.json`."""
        return {
            "constant": {
                "name": self.constant_depth.heading,
                "metres": self.constant_depth.metres,
                "origin": self.constant_depth.origin,
                **self.constant.to_dict(),
            },
            "image_median": {
                "name": "image median",
                "origin": IMAGE_MEDIAN_ORIGIN,
                **self.image_median.to_dict(),
            },
        }


def lower_median_m(depths_m: Iterable[npt.NDArray[np.floating[Any]]]) -> float | None:
    """The lower median of depths of 0 m and more, to the millimetre; None without any depth.

    Depths are counted by the millimetre, so that any number of them has an exact median.
    """
    counts = np.zeros(0, dtype=np.int64)
    for depth_m in depths_m:
        millimetres = np.rint(depth_m.astype(np.float64) * 1000).astype(np.int64)
        found = np.bincount(millimetres, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    cumulative = np.cumsum(counts)
    if not counts.any():
        return None
    return int(np.searchsorted(cumulative, (cumulative[-1] + 1) // 2)) / 1000


def median_of_training_data(samples: "Sequence[RGBDSample]", name: str) -> ConstantDepth:
    """The median of all readings of at most 500 frames, evenly spread over the data.

    Args:
        samples: the training data.
        name: of the data, for the report.

    Raises:
        DataError: if no frame has a reading.
    """
    count = min(len(samples), LARGEST_TRAINING_SAMPLE)
    chosen = (samples[number * len(samples) // count] for number in range(count))
    metres = lower_median_m(
        s.depth_m[s.valid & within_range(s.depth_m, s.max_depth_m)] for s in chosen
    )
    if metres is None:
        far_m = samples[0].max_depth_m if count else MAX_DEPTH_M
        raise DataError(f"{name}: no depth between 1e-3 and {far_m:g} m, so there is no median")
    frames = (
        f"{count:,} of {len(samples):,} frames" if count < len(samples) else counted(count, "frame")
    )
    return ConstantDepth(metres, f"the median of the training data, {frames} of {name}", True)


def median_of_scored_truth(
    depths_m: Iterable[npt.NDArray[np.floating[Any]]],
) -> ConstantDepth | None:
    """The median of all scored truth; None if nothing is scored."""
    metres = lower_median_m(depths_m)
    if metres is None:
        return None
    origin = "the median of all scored ground truth, because the training median is unknown"
    return ConstantDepth(metres, origin, False)
