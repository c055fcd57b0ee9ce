"""The picture of a report's best, median and worst image, and small copies of their photos."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spd.evaluation.evaluation_report import EvaluationReport
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.predictions import ImagePredictions
from spd.evaluation.sample_view import crop_of
from spd.files import atomic_path, read_json

if TYPE_CHECKING:  # at run time this would import torch and matplotlib
    from spd.data.sample import RGBDSample
    from spd.figures import SheetRow

PICTURE = "best_median_worst.png"
"""File name of the picture in the evaluation's folder."""
_PHOTO_PX = 480  # longer side of a stored photo, at most


def draw(
    report: EvaluationReport, folder: PredictionFolder, open_sample: "Callable[[str], RGBDSample]"
) -> None:
    """Draw photo, truth, prediction as scored, and error of each; store the photos, small."""
    from spd.figures import evaluation_sheet  # imports matplotlib

    rows = [
        _row(report, folder, place, f"{word} of {report.count}", open_sample)
        for place, word in chosen(report.count)
    ]
    settings = report.settings
    heading = (f"{settings.model} on {settings.data or 'unnamed data'}", f"protocol {report.words}")
    evaluation_sheet(rows, folder.path / PICTURE, heading=heading)


def is_drawn(folder: PredictionFolder, report: EvaluationReport) -> bool:
    """Whether the folder's picture shows this report's protocol, by the metrics beside it."""
    try:
        stored = read_json(folder.path / "metrics.json")
        return bool(stored["protocol"] == report.words)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def chosen(count: int) -> list[tuple[int, str]]:
    """Ranks of the images to draw out of `count`, best first, with their titles.

    One image is both best and worst; two have no median image.
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
    photo, (depth_m, valid) = sample.image, (sample.depth_m, sample.valid)
    crop = crop_of(sample, report.settings)
    if crop is not None:
        photo, (depth_m, valid) = crop.image(sample.image), crop.readings(sample)
    _write_photo(folder.photo_path(image.name), photo)
    predicted_m = report.protocol.clamp(image.fits[1].apply(predictions.dense_preview_m))
    return SheetRow(
        title=f"{word}: {image.name}",
        image=photo,
        truth_m=np.where(valid, depth_m, np.nan),
        predicted_m=predicted_m.astype(np.float32),
        abs_rel=image.sparse.abs_rel,
        delta1=image.sparse.delta1,
    )


def _write_photo(path: Path, photo_u8: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    photo = Image.fromarray(photo_u8)
    photo.thumbnail((_PHOTO_PX, _PHOTO_PX), Image.Resampling.LANCZOS)
    with atomic_path(path) as temporary:
        photo.save(temporary)
