"""Loop 1 of an evaluation: the network's answers, to disk."""

import math
import os
import zlib
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from spd.errors import DataError, InputError
from spd.evaluation.predictions import ImagePredictions, PredictionFolder
from spd.evaluation.settings import DepthPredictor, EvaluationSettings, camera_of
from spd.metrics.accuracy import within_range
from spd.metrics.edges import edge_distance_px

if TYPE_CHECKING:  # at run time this would import torch, which re-scoring has no use for
    from spd.data.sample import RGBDSample
    from spd.data.views import Placement

NO_FOCAL = "no focal length"
NO_READING = "no valid reading"
_PREVIEW_PX = 640  # of the longer side of the map kept for pictures

T = TypeVar("T")


def predict_set(
    predictor: DepthPredictor,
    samples: "Iterable[RGBDSample]",
    out_dir: str | os.PathLike[str],
    settings: EvaluationSettings,
    progress: bool | None = None,
) -> PredictionFolder:
    """Predict every sample in both modes at its own valid ground-truth pixels.

    Sparse: each scored pixel is asked as a point of the photo. Dense: the fast map is read at the
    nearest pixel of the photo; with depth of the photo's resolution that is indexing. Predictions
    that are already in the folder are kept, so an interrupted run goes on.

    Under the view `crop` the network sees the training camera's crop in the middle of each photo,
    and the native pixels inside it are scored. They lie between the crop's pixels, so its fast
    map is read bilinearly there, as the map of a whole photo is at the photo's pixels.

    Args:
        predictor: the model.
        samples: what to predict; names must differ. One without intrinsics has no metric scale:
            it is skipped and counted, as is one without readings.
        out_dir: the folder for the files.
        settings: what decides the predictions, from :meth:`EvaluationSettings.of`.
        progress: draw a bar with the time left on stderr; None: if that is a terminal.

    Raises:
        DataError: on a folder of other settings or data, on equal names, on no sample at all,
            and under the view `crop` on a photo smaller than the crop or squeezed.
        InputError: if the predictor's answers have another shape than asked for.
    """
    folder = PredictionFolder.start(out_dir, settings)
    scored: list[str] = []
    skipped: dict[str, str] = {}
    for sample in _distinct(_track(samples, progress)):
        if sample.intrinsics is None:
            skipped[sample.name] = NO_FOCAL
            continue
        pixel_index = _scored_pixels(sample, settings)
        if len(pixel_index) == 0:
            skipped[sample.name] = NO_READING
            continue
        _predict_once(predictor, sample, folder, settings, pixel_index)
        scored.append(sample.name)
    if not scored and not skipped:
        raise DataError("no sample to evaluate; is the split empty?")
    folder.finish(scored, skipped)
    return folder


def _distinct(samples: "Iterable[RGBDSample]") -> "Iterator[RGBDSample]":
    """The samples as they come, as long as their names differ: files and rows go by name."""
    names: set[str] = set()
    for sample in samples:
        if sample.name in names:
            raise DataError(f"two samples are named {sample.name!r}; give each its own name")
        names.add(sample.name)
        yield sample


def crop_of(sample: "RGBDSample", settings: EvaluationSettings) -> "Placement | None":
    """The crop that is seen and scored; None where it is the whole photo."""
    if settings.view == "whole":
        return None
    from spd.data.views import middle_placement  # brings torch along

    return middle_placement(sample, camera_of(settings.config))


def _predict_once(
    predictor: DepthPredictor,
    sample: "RGBDSample",
    folder: PredictionFolder,
    settings: EvaluationSettings,
    pixel_index: npt.NDArray[np.int64],
) -> None:
    path = folder.image_path(sample.name)
    if not path.exists():
        crop = crop_of(sample, settings)
        _predict_image(predictor, sample, pixel_index, crop).write(path)
        return
    kept = ImagePredictions.read(path)
    same_pixels = np.array_equal(kept.pixel_index, pixel_index)
    if not same_pixels or not np.array_equal(kept.truth_m, sample.depth_m.flat[pixel_index]):
        raise DataError(
            f"{path} was predicted from other data of the name {sample.name!r}; evaluate into "
            "another folder"
        )


def _scored_pixels(sample: "RGBDSample", settings: EvaluationSettings) -> npt.NDArray[np.int64]:
    """Flat indices of the depth pixels to score, ascending.

    They are valid readings inside the protocol's range; a source may allow more.
    """
    crop = crop_of(sample, settings)
    readings = np.flatnonzero(sample.valid) if crop is None else crop.readings_inside(sample)
    readings = readings[within_range(sample.depth_m.take(readings))]
    if settings.max_points is None or len(readings) <= settings.max_points:
        return readings
    # Seeded by the name too, so that a draw does not depend on the order of the samples.
    generator = np.random.default_rng([settings.seed, zlib.crc32(sample.name.encode())])
    return np.sort(generator.choice(readings, settings.max_points, replace=False))


def _predict_image(
    predictor: DepthPredictor,
    sample: "RGBDSample",
    pixel_index: npt.NDArray[np.int64],
    crop: "Placement | None",
) -> ImagePredictions:
    assert sample.intrinsics is not None  # skipped before
    if crop is None:
        image, focal_px = sample.image, sample.intrinsics.focal_px
        # reading_points lists every valid pixel row by row; keep those that are scored.
        points = sample.reading_points()[np.isin(np.flatnonzero(sample.valid), pixel_index)]
    else:
        image, focal_px = crop.image(sample.image), crop.intrinsics.focal_px
        points = crop.reading_points(sample, pixel_index)
    height, width = image.shape[:2]
    scene = predictor.encode(image, focal_px=focal_px)
    sparse_m, dense_map_m = scene.depth_at(points), scene.depth_map(fast=True)
    if sparse_m.shape != (len(points),) or dense_map_m.shape != (height, width):
        raise InputError(
            f"{sample.name}: the predictor answered {sparse_m.shape} and {dense_map_m.shape}; "
            f"expected ({len(points)},) and ({height}, {width})"
        )
    read = _read_nearest if crop is None else _read_bilinear
    step = math.ceil(max(height, width) / _PREVIEW_PX)
    return ImagePredictions(
        name=sample.name,
        pixel_index=pixel_index,
        depth_size=np.array(sample.depth_size),
        sparse_m=sparse_m.astype(np.float32),
        dense_m=read(dense_map_m, points).astype(np.float32),
        truth_m=sample.depth_m.take(pixel_index),
        edge_px=edge_distance_px(sample.depth_m, sample.valid).take(pixel_index),
        dense_preview_m=dense_map_m[step // 2 :: step, step // 2 :: step]
        .clip(0, 6e4)
        .astype(np.float16),
        dense_is_exact=crop is not None or sample.depth_size == sample.image_size,
    )


def _read_nearest(
    depth_m: npt.NDArray[np.float32], points: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """A map at the nearest pixels; a point halfway between two takes the right or the lower one."""
    height, width = depth_m.shape
    columns = np.floor(points[:, 0] + 0.5).astype(np.int64).clip(0, width - 1)
    rows = np.floor(points[:, 1] + 0.5).astype(np.int64).clip(0, height - 1)
    return depth_m[rows, columns]


def _read_bilinear(
    depth_m: npt.NDArray[np.float32], points: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A map between its pixels, its border repeated."""
    last = np.array(depth_m.shape[::-1]) - 1
    points = points.clip(0, last)
    column, row = np.floor(points).astype(np.int64).T
    right, below = np.minimum(column + 1, last[0]), np.minimum(row + 1, last[1])
    x, y = points[:, 0] - column, points[:, 1] - row
    upper = depth_m[row, column] * (1 - x) + depth_m[row, right] * x
    lower = depth_m[below, column] * (1 - x) + depth_m[below, right] * x
    return upper * (1 - y) + lower * y


def _track(items: Iterable[T], progress: bool | None) -> Iterator[T]:
    """The items, with a bar on stderr that shows how far and how long yet."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    console = Console(stderr=True)
    shown = console.is_terminal if progress is None else progress
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    total = len(items) if isinstance(items, Sized) else None
    with Progress(*columns, console=console, disable=not shown) as bar:
        yield from bar.track(items, total=total, description="predicting")
