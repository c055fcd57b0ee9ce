"""Check that stored predictions belong to a data set's ground truth."""

from typing import TYPE_CHECKING

import numpy as np

from spd.errors import DataError
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.predictions import ImagePredictions

if TYPE_CHECKING:  # at run time this would import torch, which scoring does not need
    from spd.data.sources import Samples


def check_truth(folder: PredictionFolder, samples: "Samples", data: str) -> None:
    """Refuse predictions of other frames, another resolution, or another truth.

    Args:
        folder: complete predictions.
        samples: the ground truth.
        data: its name, for the message.

    Raises:
        DataError: names the first frames that differ and counts all.
    """
    scored, skipped = folder.images()
    _check_names(folder, {*scored, *skipped}, set(samples.names), data)
    for name in scored:
        path = folder.image_path(name)
        stored, sample = ImagePredictions.read(path, name), samples.named(name)
        sizes = [f"{height}x{width}" for height, width in (stored.depth_size, sample.depth_size)]
        if sizes[0] != sizes[1]:
            raise DataError(
                f"{path} has predictions for {sizes[0]} depth, but {name} in {data} has "
                f"{sizes[1]}; evaluate into a different folder"
            )
        if not np.array_equal(stored.truth_m, sample.depth_m.take(stored.pixel_index)):
            raise DataError(
                f"{path} has predictions for different data than {name} in {data}; evaluate into "
                "a different folder"
            )


def _check_names(folder: PredictionFolder, stored: set[str], there: set[str], data: str) -> None:
    for what, names in (
        (f"predictions for frames that {data} lacks", stored - there),
        (f"no predictions for frames of {data}", there - stored),
    ):
        if names:
            listed = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
            raise DataError(
                f"{folder.path} has {what} ({len(names)}): {listed}; pass the data that was "
                "evaluated"
            )
