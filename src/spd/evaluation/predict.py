"""Loop 1 of an evaluation: run the network and store its predictions."""

import dataclasses
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.metrics.accuracy import within_range
from spd.evaluation.metrics.edges import edge_distance_px
from spd.evaluation.predictions import (
    ImageMaps,
    ImagePredictions,
    MirroredPredictions,
    StoredPredictions,
)
from spd.evaluation.protocols import Protocol
from spd.evaluation.sample_view import SampleView
from spd.evaluation.settings import EvaluationSettings
from spd.scenes.photo_predictor import PhotoPredictor
from spd.scenes.scene import PhotoScene

if TYPE_CHECKING:  # at run time this would import torch, which scoring does not need
    from spd.data.sample import RGBDSample

NO_FOCAL = "no focal length"
NO_READING = "no valid ground truth"
_PREVIEW_PX = 640  # longer side of the stored map for pictures, at most

MapMode = Literal["sparse", "dense"]
T = TypeVar("T")


def predict_set(
    predictor: PhotoPredictor[PhotoScene],
    samples: "Iterable[RGBDSample]",
    out_dir: str | os.PathLike[str],
    settings: EvaluationSettings,
    progress: Callable[[int, int | None], None] | None = None,
    *,
    protocols: Sequence[Protocol] = (),
    maps: MapMode | None = None,
) -> PredictionFolder:
    """Predict every sample in both modes at its own valid ground-truth pixels.

    Sparse: each reading is queried as a point of the photo. Dense: the fast map is read at the
    nearest pixel of the photo; with depth of the photo's resolution that is indexing. Predictions
    already in the folder are reused, so an interrupted run continues, and predictions that a
    further protocol needs are added.

    In the view `crop` the network sees the training camera's crop at the centre of each photo, and
    the native pixels inside it are predicted. They lie between the crop's pixels, so its fast map
    is read bilinearly.

    Args:
        predictor: the model.
        samples: the data; names must differ. A sample without readings is skipped and counted.
            So is one without intrinsics, which has no metric scale, unless a protocol aligns.
        out_dir: the folder for the files.
        settings: from :meth:`EvaluationSettings.of`.
        progress: called with (images done, images in all or None if unknown).
        protocols: the mirrored photos are predicted too if one of them flips. A frame that one of
            them does not apply to is refused before it is predicted.
        maps: whole maps to store: of the `dense` mode alone, or of the `sparse` mode too.

    Raises:
        DataError: on a folder of other settings or data, on equal names, on no sample at all,
            and in the view `crop` on a photo that is smaller than the crop or squeezed.
        InputError: if the predictor's answers have another shape than expected, or a protocol
            does not apply to a frame or to the model.
    """
    for protocol in protocols:
        protocol.check_kind(settings.kind)
    folder = PredictionFolder.start(out_dir, settings)
    scored: list[str] = []
    skipped: dict[str, str] = {}
    reused = 0
    aligns = any(protocol.alignment != "none" for protocol in protocols)
    for sample in _distinct(_counted(samples, progress)):
        if sample.intrinsics is None and (not aligns or settings.view == "crop"):
            skipped[sample.name] = NO_FOCAL
            continue
        view = SampleView(predictor, sample, settings)
        for protocol in protocols:
            protocol.check_frame(sample.name, sample.depth_size, view.box())
        readings = _readings_seen(view, settings.max_depth_m)
        if len(readings) == 0:
            skipped[sample.name] = NO_READING
            continue
        image = _Image(folder, settings, view, _drawn(readings, sample.name, settings))
        predicted = image.predict(len(readings))
        if any(protocol.flip for protocol in protocols):
            predicted |= image.predict_mirrored(
                SampleView(predictor, sample, settings, mirrored=True)
            )
        if maps is not None and sample.depth_size == sample.image_size:
            predicted |= image.predict_maps(maps)
        reused += not predicted
        scored.append(sample.name)
    if not scored and not skipped:
        raise DataError("no samples to evaluate; is the split empty?")
    folder.begin(settings)
    folder.finish(scored, skipped)
    return dataclasses.replace(folder, reused=reused)


@dataclasses.dataclass(frozen=True, slots=True)
class _Image:
    """One image and its files; each step returns whether the network was run."""

    folder: PredictionFolder
    settings: EvaluationSettings
    view: SampleView
    pixel_index: npt.NDArray[np.int64]

    def predict(self, readings_seen: int) -> bool:
        """Predict at its readings."""
        sample = self.view.sample
        path = self.folder.image_path(sample.name)
        if path.exists():
            self._check_same(path)
            return False
        max_m = self.settings.max_depth_m
        points = self.view.points(self.pixel_index)
        dense_map_m = self.view.dense_map()
        step = math.ceil(max(self.view.size) / _PREVIEW_PX)
        predictions = ImagePredictions(
            name=sample.name,
            pixel_index=self.pixel_index,
            depth_size=sample.depth_size,
            seen=self.view.box(),
            readings=int((sample.valid & within_range(sample.depth_m, max_m)).sum()),
            readings_seen=readings_seen,
            has_focal=sample.intrinsics is not None,
            sparse_m=self.view.sparse(points),
            dense_m=self.view.dense(points),
            truth_m=sample.depth_m.take(self.pixel_index),
            edge_px=edge_distance_px(sample.depth_m, sample.valid).take(self.pixel_index),
            dense_preview_m=dense_map_m[step // 2 :: step, step // 2 :: step]
            .clip(-6e4, 6e4)
            .astype(np.float16),
            dense_is_exact=self.view.reads_exactly,
        )
        self._write(predictions, path)
        return True

    def predict_mirrored(self, mirrored: SampleView) -> bool:
        """Predict at its readings from the mirrored photo."""
        path = self.folder.mirrored_path(self.view.sample.name)
        if path.exists():
            MirroredPredictions.read(path, len(self.pixel_index))
            return False
        points = self.view.points(self.pixel_index)
        self._write(MirroredPredictions(mirrored.sparse(points), mirrored.dense(points)), path)
        return True

    def predict_maps(self, mode: MapMode) -> bool:
        """Predict at every depth pixel that is seen."""
        sample = self.view.sample
        path = self.folder.maps_path(sample.name)
        top, bottom, left, right = self.view.box()
        part = (slice(top, bottom), slice(left, right))
        counts = sample.valid & within_range(sample.depth_m, self.settings.max_depth_m)
        truth_m = np.where(counts, sample.depth_m, np.float32(0))[part]
        if path.exists():
            stored = ImageMaps.read(path)
            if not np.array_equal(stored.truth_m, truth_m):
                raise _other_data(path, sample.name)
            if mode == "dense" or stored.sparse_m is not None:
                return False
        rows, columns = np.mgrid[top:bottom, left:right]
        points = self.view.points((rows * sample.depth_size[1] + columns).ravel())
        sparse_m = self.view.sparse(points).reshape(truth_m.shape) if mode == "sparse" else None
        dense_m = self.view.dense(points).reshape(truth_m.shape)
        self._write(ImageMaps(truth_m, sparse_m, dense_m), path)
        return True

    def _write(self, predictions: StoredPredictions, path: Path) -> None:
        self.folder.begin(self.settings)
        predictions.write(path)

    def _check_same(self, path: Path) -> None:
        sample = self.view.sample
        stored = ImagePredictions.read(path, sample.name)
        same = stored.depth_size == sample.depth_size
        same = same and np.array_equal(stored.pixel_index, self.pixel_index)
        if not same or not np.array_equal(stored.truth_m, sample.depth_m.take(self.pixel_index)):
            raise _other_data(path, sample.name)


def _other_data(path: Path, name: str) -> DataError:
    return DataError(
        f"{path} has predictions for different data named {name!r}; evaluate into a different "
        "folder"
    )


def _distinct(samples: "Iterable[RGBDSample]") -> "Iterator[RGBDSample]":
    """The samples as they come; refuses two of one name, which names files and rows."""
    names: set[str] = set()
    for sample in samples:
        if sample.name in names:
            raise DataError(f"two samples are named {sample.name!r}; give each a unique name")
        names.add(sample.name)
        yield sample


def _readings_seen(view: SampleView, max_m: float) -> npt.NDArray[np.int64]:
    """Flat indices of the valid readings that are seen and at most `max_m` away, ascending."""
    sample = view.sample
    inside = view.crop.readings_inside(sample) if view.crop else np.flatnonzero(sample.valid)
    return inside[within_range(sample.depth_m.take(inside), max_m)]


def _drawn(
    readings: npt.NDArray[np.int64], name: str, settings: EvaluationSettings
) -> npt.NDArray[np.int64]:
    if settings.max_points is None or len(readings) <= settings.max_points:
        return readings
    # Seeded by the name too, so that the draw does not depend on the order of the samples.
    generator = np.random.default_rng(
        [settings.seed, zlib.crc32(name.encode("utf-8", "surrogatepass"))]
    )
    return np.sort(generator.choice(readings, settings.max_points, replace=False))


def _counted(items: Iterable[T], progress: Callable[[int, int | None], None] | None) -> Iterator[T]:
    """The items; reports each as done when the next is asked for."""
    total = len(items) if isinstance(items, Sized) else None
    for done, item in enumerate(items, start=1):
        yield item
        if progress is not None:
            progress(done, total)
