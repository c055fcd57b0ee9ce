"""Loop 1 of an evaluation: the network's answers, to disk."""

import dataclasses
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.extras import ImageMaps, MirroredPredictions
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.metrics.accuracy import within_range
from spd.evaluation.metrics.edges import edge_distance_px
from spd.evaluation.predictions import ImagePredictions
from spd.evaluation.protocols import Protocol
from spd.evaluation.settings import DepthPredictor, EvaluationSettings
from spd.evaluation.shown import Shown

if TYPE_CHECKING:  # at run time this would import torch, which re-scoring has no use for
    from spd.data.sample import RGBDSample

NO_FOCAL = "no focal length"
NO_READING = "no valid reading"
_PREVIEW_PX = 640  # of the longer side of the map kept for pictures

MapMode = Literal["sparse", "dense"]
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What the protocols and measures to come need of the network."""

    protocols: tuple[Protocol, ...] = ()
    """Frames that one of them does not apply to end the loop before they are predicted."""
    mirrored: bool = False
    """Whether each photo is asked mirrored as well."""
    without_focal: bool = False
    """Whether photos without a focal length are asked; their answers are only scored aligned."""
    maps: MapMode | None = None
    """Whether whole maps are kept: of the dense mode alone, or of the `sparse` mode as well."""

    @classmethod
    def by(cls, protocols: Sequence[Protocol], maps: MapMode | None = None) -> Self:
        """What these protocols need."""
        return cls(
            tuple(protocols),
            mirrored=any(protocol.flip for protocol in protocols),
            without_focal=any(protocol.alignment != "none" for protocol in protocols),
            maps=maps,
        )


def predict_set(
    predictor: DepthPredictor,
    samples: "Iterable[RGBDSample]",
    out_dir: str | os.PathLike[str],
    settings: EvaluationSettings,
    progress: bool | None = None,
    *,
    wanted: Wanted | None = None,
) -> PredictionFolder:
    """Predict every sample in both modes at its own valid ground-truth pixels.

    Sparse: each reading is asked as a point of the photo. Dense: the fast map is read at the
    nearest pixel of the photo; with depth of the photo's resolution that is indexing. Predictions
    that are already in the folder are kept, so an interrupted run goes on, and what a further
    protocol needs is added.

    Under the view `crop` the network sees the training camera's crop in the middle of each photo,
    and the native pixels inside it are asked. They lie between the crop's pixels, so its fast
    map is read bilinearly there, as the map of a whole photo is at the photo's pixels.

    Args:
        predictor: the model.
        samples: what to predict; names must differ. One without intrinsics has no metric scale:
            it is skipped and counted, unless a protocol aligns; so is one without readings.
        out_dir: the folder for the files.
        settings: what decides the predictions, from :meth:`EvaluationSettings.of`.
        progress: draw a bar with the time left on stderr; None: if that is a terminal.
        wanted: what is asked beyond that.

    Raises:
        DataError: on a folder of other settings or data, on equal names, on no sample at all,
            and under the view `crop` on a photo smaller than the crop or squeezed.
        InputError: if the predictor's answers have another shape than asked for, or a protocol
            does not apply to a frame or to the model.
    """
    asked = wanted or Wanted()
    for protocol in asked.protocols:
        protocol.check_kind(settings.kind)
    folder = PredictionFolder.start(out_dir, settings)
    scored: list[str] = []
    skipped: dict[str, str] = {}
    kept = 0
    for sample in _distinct(_track(samples, progress)):
        if sample.intrinsics is None and (not asked.without_focal or settings.view == "crop"):
            skipped[sample.name] = NO_FOCAL
            continue
        shown = Shown(predictor, sample, settings)
        for protocol in asked.protocols:
            protocol.check_frame(sample.name, sample.depth_size, shown.box())
        readings = _readings_seen(shown)
        if len(readings) == 0:
            skipped[sample.name] = NO_READING
            continue
        image = _Image(folder, settings, shown, _drawn(readings, sample.name, settings))
        made = image.predict(len(readings))
        if asked.mirrored:
            made |= image.predict_mirrored(Shown(predictor, sample, settings, mirrored=True))
        if asked.maps is not None and sample.depth_size == sample.image_size:
            made |= image.predict_maps(asked.maps)
        kept += not made
        scored.append(sample.name)
    if not scored and not skipped:
        raise DataError("no sample to evaluate; is the split empty?")
    folder.begin(settings)
    folder.finish(scored, skipped)
    return dataclasses.replace(folder, kept=kept)


@dataclasses.dataclass(frozen=True, slots=True)
class _Image:
    """One image and its files; each step says whether the network was asked."""

    folder: PredictionFolder
    settings: EvaluationSettings
    shown: Shown
    pixel_index: npt.NDArray[np.int64]

    def predict(self, readings_seen: int) -> bool:
        """The answers at its readings."""
        sample = self.shown.sample
        path = self.folder.image_path(sample.name)
        if path.exists():
            self._check_same(path)
            return False
        points = self.shown.points(self.pixel_index)
        dense_map_m = self.shown.dense_map()
        step = math.ceil(max(self.shown.size) / _PREVIEW_PX)
        predictions = ImagePredictions(
            name=sample.name,
            pixel_index=self.pixel_index,
            depth_size=sample.depth_size,
            seen=self.shown.box(),
            readings=int((sample.valid & within_range(sample.depth_m)).sum()),
            readings_seen=readings_seen,
            has_focal=sample.intrinsics is not None,
            sparse_m=self.shown.sparse(points),
            dense_m=self.shown.dense(points),
            truth_m=sample.depth_m.take(self.pixel_index),
            edge_px=edge_distance_px(sample.depth_m, sample.valid).take(self.pixel_index),
            dense_preview_m=dense_map_m[step // 2 :: step, step // 2 :: step]
            .clip(-6e4, 6e4)
            .astype(np.float16),
            dense_is_exact=self.shown.reads_exactly,
        )
        self._write(predictions, path)
        return True

    def predict_mirrored(self, mirrored: Shown) -> bool:
        """The answers at its readings when it is mirrored."""
        path = self.folder.mirrored_path(self.shown.sample.name)
        if path.exists():
            MirroredPredictions.read(path, len(self.pixel_index))
            return False
        points = self.shown.points(self.pixel_index)
        self._write(MirroredPredictions(mirrored.sparse(points), mirrored.dense(points)), path)
        return True

    def predict_maps(self, mode: MapMode) -> bool:
        """The answers at every pixel seen."""
        sample = self.shown.sample
        path = self.folder.maps_path(sample.name)
        top, bottom, left, right = self.shown.box()
        part = (slice(top, bottom), slice(left, right))
        counts = sample.valid & within_range(sample.depth_m)
        truth_m = np.where(counts, sample.depth_m, np.float32(0))[part]
        if path.exists():
            kept = ImageMaps.read(path)
            if not np.array_equal(kept.truth_m, truth_m):
                raise _other_data(path, sample.name)
            if mode == "dense" or kept.sparse_m is not None:
                return False
        rows, columns = np.mgrid[top:bottom, left:right]
        points = self.shown.points((rows * sample.depth_size[1] + columns).ravel())
        sparse_m = self.shown.sparse(points).reshape(truth_m.shape) if mode == "sparse" else None
        dense_m = self.shown.dense(points).reshape(truth_m.shape)
        self._write(ImageMaps(truth_m, sparse_m, dense_m), path)
        return True

    def _write(
        self, answers: ImagePredictions | MirroredPredictions | ImageMaps, path: Path
    ) -> None:
        self.folder.begin(self.settings)
        answers.write(path)

    def _check_same(self, path: Path) -> None:
        sample = self.shown.sample
        kept = ImagePredictions.read(path, sample.name)
        if kept.depth_size != sample.depth_size:
            raise _other_data(path, sample.name)
        same_pixels = np.array_equal(kept.pixel_index, self.pixel_index)
        truth_m = sample.depth_m.flat[self.pixel_index]
        if not same_pixels or not np.array_equal(kept.truth_m, truth_m):
            raise _other_data(path, sample.name)


def _other_data(path: Path, name: str) -> DataError:
    return DataError(
        f"{path} was predicted from other data of the name {name!r}; evaluate into another folder"
    )


def _distinct(samples: "Iterable[RGBDSample]") -> "Iterator[RGBDSample]":
    """The samples as they come, as long as their names differ: files and rows go by name."""
    names: set[str] = set()
    for sample in samples:
        if sample.name in names:
            raise DataError(f"two samples are named {sample.name!r}; give each its own name")
        names.add(sample.name)
        yield sample


def _readings_seen(shown: Shown) -> npt.NDArray[np.int64]:
    """Flat indices of the depth pixels that are seen and may be scored, ascending.

    They are valid readings inside the range of all protocols; a source may allow more.
    """
    sample = shown.sample
    inside = shown.crop.readings_inside(sample) if shown.crop else np.flatnonzero(sample.valid)
    return inside[within_range(sample.depth_m.take(inside))]


def _drawn(
    readings: npt.NDArray[np.int64], name: str, settings: EvaluationSettings
) -> npt.NDArray[np.int64]:
    if settings.max_points is None or len(readings) <= settings.max_points:
        return readings
    # Seeded by the name too, so that a draw does not depend on the order of the samples.
    generator = np.random.default_rng([settings.seed, zlib.crc32(name.encode())])
    return np.sort(generator.choice(readings, settings.max_points, replace=False))


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
