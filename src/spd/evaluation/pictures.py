"""The picture of the best, the median and the worst image of a report."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from spd.evaluation.folder import PredictionFolder
from spd.evaluation.predictions import ImagePredictions
from spd.evaluation.report import EvaluationReport
from spd.evaluation.shown import crop_of

if TYPE_CHECKING:  # at run time this would import torch and matplotlib
    from spd.data.sample import RGBDSample
    from spd.figures import SheetRow

PICTURE = "best_median_worst.png"
"""The picture's name, in the evaluation's folder."""


def draw(
    report: EvaluationReport,
    folder: PredictionFolder,
    open_sample: "Callable[[str], RGBDSample]",
) -> None:
    """Draw it: photo, truth, prediction as it is scored, and error."""
    from spd.figures import evaluation_sheet  # matplotlib, only where a figure is drawn

    rows = [
        _row(report, folder, place, f"{word} of {report.count}", open_sample)
        for place, word in chosen(report.count)
    ]
    settings = report.settings
    heading = (f"{settings.model} on {settings.data or 'unnamed data'}", f"protocol {report.words}")
    evaluation_sheet(rows, folder.path / PICTURE, heading=heading)


def chosen(count: int) -> list[tuple[int, str]]:
    """Which of so many ranked images are drawn, best first, and what they are called.

    One image is its own best and worst; of two there is no median image.
    """
    if count == 1:
        return [(0, "best and worst")]
    if count == 2:
        return [(0, "best"), (1, "worst")]
    return [(0, "best"), ((count - 1) // 2, "median"), (count - 1, "worst")]


def _row(
    report: EvaluationReport,
    folder: PredictionFolder,
    place: int,
    word: str,
    open_sample: "Callable[[str], RGBDSample]",
) -> "SheetRow":
    from spd.figures import SheetRow

    image = report.ranked()[place]
    sample = open_sample(image.name)
    predictions = ImagePredictions.read(folder.image_path(image.name), image.name)
    shown, (depth_m, valid) = sample.image, (sample.depth_m, sample.valid)
    crop = crop_of(sample, report.settings)
    if crop is not None:
        shown, (depth_m, valid) = crop.image(sample.image), crop.readings(sample)
    predicted_m = report.protocol.clamp(image.fits[1].apply(predictions.dense_preview_m))
    return SheetRow(
        title=f"{word}: {image.name}",
        image=shown,
        truth_m=np.where(valid, depth_m, np.nan),
        predicted_m=predicted_m.astype(np.float32),
        abs_rel=image.sparse.abs_rel,
        delta1=image.sparse.delta1,
    )
