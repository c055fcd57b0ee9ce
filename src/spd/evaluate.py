"""Evaluation in two loops: predictions to disk, then scores from disk.

`predict_set` runs the network and writes its answers; `score` reads them and never needs the
network, so a new metric costs no new predictions. `evaluate` does both. Numbers are of native
ground-truth pixels: truth is never resized, nothing is flipped or aligned, and nothing is cropped
unless the view `crop` is asked for.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spd.errors import DataError
from spd.evaluation.near_edges import mean_bands
from spd.evaluation.predict import crop_of, predict_set
from spd.evaluation.predictions import ImagePredictions, PredictionFolder
from spd.evaluation.report import EvaluationReport, ImageScore, ModeGap, format_report
from spd.evaluation.settings import PROTOCOL, DepthPredictor, EvaluationSettings, View
from spd.metrics.accuracy import clamp_prediction, depth_metrics, mean_metrics
from spd.metrics.edges import band_scores

if TYPE_CHECKING:  # at run time this would import torch, which re-scoring has no use for
    from spd.data.sample import RGBDSample

__all__ = [
    "PICTURE",
    "PROTOCOL",
    "EvaluationReport",
    "EvaluationSettings",
    "evaluate",
    "format_report",
    "predict_set",
    "score",
]

PICTURE = "best_median_worst.png"
"""The picture of the best, the median and the worst image, in the evaluation's folder."""


def evaluate(
    predictor: DepthPredictor,
    samples: "Iterable[RGBDSample]",
    out_dir: str | os.PathLike[str],
    *,
    data: str = "",
    max_points: int | None = None,
    seed: int = 0,
    view: View = "whole",
    open_sample: "Callable[[str], RGBDSample] | None" = None,
    progress: bool | None = None,
) -> EvaluationReport:
    """Predict a data set and score it; both loops with their files in `out_dir`.

    Args:
        predictor: the model.
        samples: what to evaluate.
        out_dir: the folder; predictions of the same settings that are in it are kept.
        data: what the data set is called in the report.
        max_points: score at most so many readings an image, drawn at random; None: all.
        seed: of that draw.
        view: `whole` photos, or the training camera's `crop` in their middle and the native
            pixels inside it (for NYU rows 5..355, columns 2..478 of the frame at 0.75).
        open_sample: as for :func:`score`.
        progress: draw a progress bar on stderr; None: if that is a terminal.

    Raises:
        DataError: as :func:`predict_set` and :func:`score`.
        InputError: if `max_points` is less than 1, the predictor answers in another shape, or its
            model has no training camera to crop to.
    """
    settings = EvaluationSettings.of(
        predictor, data=data, max_points=max_points, seed=seed, view=view
    )
    predict_set(predictor, samples, out_dir, settings, progress)
    return score(out_dir, open_sample=open_sample)


def score(
    out_dir: str | os.PathLike[str],
    *,
    open_sample: "Callable[[str], RGBDSample] | None" = None,
) -> EvaluationReport:
    """Score the predictions in a folder; writes `metrics.json` and `per_image.csv` there.

    Args:
        out_dir: a folder that :func:`predict_set` finished.
        open_sample: gives the sample of a name; with it the picture of the best, median and
            worst image is drawn.

    Raises:
        DataError: if the folder holds no complete predictions, a file of them is damaged, or
            every sample was skipped.
    """
    folder = PredictionFolder(Path(out_dir))
    settings = EvaluationSettings.read(folder.settings_path)
    names, skipped = folder.images()
    if not names:
        raise DataError(
            f"no image in {folder.path} could be scored, skipped: {_first_reasons(skipped)}; "
            "metres need samples with intrinsics and valid depth"
        )
    images = tuple(score_image(ImagePredictions.read(folder.image_path(name))) for name in names)
    report = EvaluationReport(
        settings=settings,
        images=images,
        sparse=mean_metrics([image.sparse for image in images]),
        dense=mean_metrics([image.dense for image in images]),
        near_edges=mean_bands([image.near_edges for image in images]),
        gap=_mean_gap([image.gap for image in images]),
        skipped=skipped,
    )
    report.write(folder.path)
    if open_sample is not None:
        _draw(report, folder, open_sample)
    return report


def score_image(predictions: ImagePredictions) -> ImageScore:
    """The numbers of one image from its stored predictions."""
    both = np.stack([predictions.sparse_m, predictions.dense_m])
    sparse, dense = clamp_prediction(both)
    gap_m = np.abs(sparse - dense)
    gap_rel = gap_m / sparse
    return ImageScore(
        name=predictions.name,
        points=len(predictions.truth_m),
        sparse=depth_metrics(sparse, predictions.truth_m),
        dense=depth_metrics(dense, predictions.truth_m),
        near_edges=tuple(
            zip(
                band_scores(sparse, predictions.truth_m, predictions.edge_px),
                band_scores(dense, predictions.truth_m, predictions.edge_px),
                strict=True,
            )
        ),
        gap=ModeGap(
            mean_m=float(gap_m.mean()),
            median_m=float(np.median(gap_m)),
            max_m=float(gap_m.max()),
            mean_rel=float(gap_rel.mean()),
            median_rel=float(np.median(gap_rel)),
            max_rel=float(gap_rel.max()),
        ),
        dense_is_exact=predictions.dense_is_exact,
        non_finite=int((~np.isfinite(both)).sum()),
    )


def _mean_gap(gaps: Sequence[ModeGap]) -> ModeGap:
    return ModeGap(
        mean_m=float(np.mean([gap.mean_m for gap in gaps])),
        median_m=float(np.mean([gap.median_m for gap in gaps])),
        max_m=max(gap.max_m for gap in gaps),
        mean_rel=float(np.mean([gap.mean_rel for gap in gaps])),
        median_rel=float(np.mean([gap.median_rel for gap in gaps])),
        max_rel=max(gap.max_rel for gap in gaps),
    )


def _first_reasons(skipped: Mapping[str, str]) -> str:
    return ", ".join(sorted(set(skipped.values())))


def _draw(
    report: EvaluationReport,
    folder: PredictionFolder,
    open_sample: "Callable[[str], RGBDSample]",
) -> None:
    from spd.figures import SheetRow, evaluation_sheet  # matplotlib, only where a figure is drawn

    ranked = report.ranked()
    last = len(ranked) - 1
    chosen = {last: "worst", last // 2: "median", 0: "best"}  # one image is its own best
    rows = []
    for place, word in sorted(chosen.items()):
        image = ranked[place]
        sample = open_sample(image.name)
        predictions = ImagePredictions.read(folder.image_path(image.name))
        shown, (depth_m, valid) = sample.image, (sample.depth_m, sample.valid)
        crop = crop_of(sample, report.settings)
        if crop is not None:
            shown, (depth_m, valid) = crop.image(sample.image), crop.readings(sample)
        rows.append(
            SheetRow(
                title=f"{word}: {image.name}",
                image=shown,
                truth_m=np.where(valid, depth_m, np.nan),
                predicted_m=predictions.dense_preview_m.astype(np.float32),
                abs_rel=image.sparse.abs_rel,
                delta1=image.sparse.delta1,
            )
        )
    evaluation_sheet(rows, folder.path / PICTURE)
