"""What knowing nothing of a photo gets: the two rows that a model has to beat.

`constant` says one depth everywhere: the median of the training data where it is known, else the
median over all scored truth, which is better than any model could know. `image median` says each
image's own true median, and so knows what no model is told.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M, DepthMetrics, within_range
from spd.files import write_text

if TYPE_CHECKING:  # at run time this would import torch, which re-scoring has no use for
    from spd.data.sample import RGBDSample

LARGEST_TRAINING_SAMPLE = 500  # frames that the training median is taken of, evenly spread


@dataclasses.dataclass(frozen=True, slots=True)
class Constant:
    """The depth that the constant predictor says."""

    metres: float
    """To the millimetre where it is a median that was counted here."""
    origin: str
    """Where it comes from, in words."""
    of_training: bool
    """Whether it was known without looking at the truth that is scored."""

    @property
    def heading(self) -> str:
        """What its column is called."""
        return "constant (training)" if self.of_training else "constant (test truth)"

    def write(self, path: Path) -> None:
        """Keep it beside the predictions."""
        write_text(path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What was kept; None if nothing was.

        Raises:
            DataError: if the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise DataError(f"{path} is damaged; delete it and evaluate again") from None


@dataclasses.dataclass(frozen=True, slots=True)
class Floors:
    """Both floors' numbers under one protocol."""

    constant: DepthMetrics
    """Of one depth everywhere."""
    image_median: DepthMetrics
    """Of each image's own true median."""
    said: Constant
    """What the constant is."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "constant": {
                "name": self.said.heading,
                "metres": self.said.metres,
                "origin": self.said.origin,
                **self.constant.to_dict(),
            },
            "image_median": {
                "name": "image median",
                "origin": "each image's own true median, which no model is told",
                **self.image_median.to_dict(),
            },
        }


class DepthCounts:
    """Depths counted by the millimetre, so that any number of them has an exact median."""

    def __init__(self) -> None:
        self._counts = np.zeros(round(MAX_DEPTH_M * 1000) + 1, dtype=np.int64)

    def add(self, depth_m: npt.NDArray[np.floating[Any]]) -> None:
        """Count metres of up to 10."""
        millimetres = np.rint(depth_m.astype(np.float64) * 1000).astype(np.int64)
        self._counts += np.bincount(millimetres, minlength=len(self._counts))

    def median_m(self) -> float | None:
        """The lower median in metres, to the millimetre; None of nothing."""
        so_far = np.cumsum(self._counts)
        if not so_far[-1]:
            return None
        return int(np.searchsorted(so_far, (so_far[-1] + 1) // 2)) / 1000


def of_training_data(samples: "Sequence[RGBDSample]", name: str) -> Constant:
    """The median of all readings of at most 500 frames, evenly spread over the data.

    Args:
        samples: the training data.
        name: what it is called.

    Raises:
        DataError: if no frame has a reading.
    """
    count = min(len(samples), LARGEST_TRAINING_SAMPLE)
    chosen = [samples[number * len(samples) // count] for number in range(count)]
    counts = DepthCounts()
    for sample in chosen:
        counts.add(sample.depth_m[sample.valid & within_range(sample.depth_m)])
    metres = counts.median_m()
    if metres is None:
        raise DataError(f"{name}: no reading between 1e-3 and 10 m, so no median")
    frames = (
        f"{count:,} of {len(samples):,} frames" if count < len(samples) else f"{count:,} frames"
    )
    return Constant(metres, f"the median of the training data, {frames} of {name}", True)


def of_model(predictor: object) -> Constant | None:
    """The median of its training data that a model remembers; None of one that does not."""
    metres = getattr(predictor, "training_median_m", None)
    if metres is None:
        return None
    return Constant(float(metres), "the median of the model's training data", True)


def of_scored_truth(depths_m: Iterable[npt.NDArray[np.floating[Any]]]) -> Constant | None:
    """The median over all scored truth; None where nothing is scored."""
    counts = DepthCounts()
    for depth_m in depths_m:
        counts.add(depth_m)
    metres = counts.median_m()
    if metres is None:
        return None
    origin = "the median over all scored truth, as the training data's is not known"
    return Constant(metres, origin, False)
