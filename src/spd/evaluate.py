"""Evaluation in two loops: predictions to disk, then scores from disk.

`predict_set` runs the network and writes its predictions; `score_all` reads them and needs no
network, so a new metric or protocol costs no new predictions. `evaluate_all` does both. Metrics are
computed at the native resolution of the ground truth: truth is never resized. The protocol
(`spd.evaluation.protocols`) decides crop, alignment and averaging; every table prints its settings.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spd.errors import ConfigError, DataError, InputError, shown
from spd.evaluation.baselines import ConstantDepth, median_of_scored_truth
from spd.evaluation.best_median_worst import PICTURE, draw, is_drawn
from spd.evaluation.evaluation_report import EvaluationReport, write_reports
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M
from spd.evaluation.predict import MapMode, predict_set
from spd.evaluation.predictions import ImageMaps, ImagePredictions, MirroredPredictions
from spd.evaluation.protocols import (
    EIGEN_FRAME,
    PROTOCOL_NAMES,
    PROTOCOLS,
    Protocol,
    View,
    protocols_named,
)
from spd.evaluation.scoring import OUTSIDE, ImageScore, StoredImage, score_image, truth_scored
from spd.evaluation.settings import EvaluationSettings
from spd.evaluation.terminal_table import format_report
from spd.scenes.photo_predictor import PhotoPredictor
from spd.scenes.scene import PhotoScene

if TYPE_CHECKING:  # at run time this would import torch, which scoring does not need
    from spd.data.sample import RGBDSample

__all__ = [
    "PICTURE",
    "PROTOCOLS",
    "PROTOCOL_NAMES",
    "EvaluationReport",
    "EvaluationSettings",
    "Protocol",
    "choose_protocols",
    "default_protocol",
    "evaluate",
    "evaluate_all",
    "format_report",
    "predict_set",
    "score",
    "score_all",
]


def evaluate(
    predictor: PhotoPredictor[PhotoScene],
    samples: "Iterable[RGBDSample]",
    out_dir: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    **options: Any,
) -> EvaluationReport:
    """Predict a data set and score it under one protocol; see :func:`evaluate_all`."""
    names = [protocol] if protocol is not None else []
    return evaluate_all(predictor, samples, out_dir, names, **options)[1][0]


def evaluate_all(
    predictor: PhotoPredictor[PhotoScene],
    samples: "Iterable[RGBDSample]",
    out_dir: str | os.PathLike[str],
    protocols: Sequence[str] = (),
    *,
    data: str = "",
    max_points: int | None = None,
    seed: int = 0,
    view: View = "whole",
    boundaries: MapMode | None = None,
    constant: ConstantDepth | None = None,
    open_sample: "Callable[[str], RGBDSample] | None" = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[PredictionFolder, tuple[EvaluationReport, ...]]:
    """Predict a data set once and score it under every protocol; all files go to `out_dir`.

    Args:
        predictor: the model.
        samples: the data to score.
        out_dir: the folder; predictions that it already has under the same settings are reused.
        protocols: names; none: :func:`default_protocol`.
        data: the name of the data set in the report.
        max_points: score at most this many readings per image, drawn at random; None: all.
        seed: of that draw.
        view: `whole` photos, or the training camera's `crop` at their centre and the native
            pixels inside it (for NYU rows 5..355, columns 2..478 of the frame at 0.75).
        boundaries: also measure depth edges, from maps of the `dense` mode alone, or of the
            `sparse` mode too, which queries every pixel.
        constant: the constant baseline; None: the training median that the model or the folder
            stores, else the median of all scored truth.
        open_sample: as for :func:`score_all`.
        progress: called with (images done, images in all or None if unknown).

    Returns:
        The folder, and one report per protocol.

    Raises:
        ConfigError: as :func:`choose_protocols`.
        DataError: as :func:`predict_set` and :func:`score_all`.
        InputError: if `max_points` is less than 1, the predictor answers in another shape, its
            model has no training camera to crop to, or a protocol does not apply.
    """
    chosen = choose_protocols(samples, protocols)
    settings = EvaluationSettings.of(
        predictor,
        data=data,
        max_points=max_points,
        seed=seed,
        view=view,
        default_protocol=default_protocol(samples),
        max_depth_m=largest_depth_m(samples),
    )
    folder = predict_set(
        predictor, samples, out_dir, settings, progress, protocols=chosen, maps=boundaries
    )
    median_m = predictor.training_median_m
    if constant is None and median_m is not None:
        constant = ConstantDepth(float(median_m), "the median of the model's training data", True)
    if constant is not None:
        constant.write(folder.constant_path)
    names = [protocol.name for protocol in chosen]
    measure = boundaries is not None
    return folder, score_all(out_dir, names, boundaries=measure, open_sample=open_sample)


def choose_protocols(samples: object, names: Sequence[str]) -> tuple[Protocol, ...]:
    """The protocols of these names, or the data's default protocol if no names are given.

    Raises:
        ConfigError: if a protocol does not exist, or scores raw readings and a source is read
            with depth=filled.
    """
    protocols = protocols_named(names or [default_protocol(samples)])
    filled = [s.path for s in getattr(samples, "sources", ()) if s.options.depth == "filled"]
    for protocol in protocols:
        if filled and protocol.ground_truth == "raw":
            raise ConfigError(
                f"protocol {protocol.name} scores raw depth, but {filled[0]} is read with "
                "depth=filled; remove that option, or choose a protocol whose name "
                "begins with native"
            )
    return protocols


def largest_depth_m(samples: object) -> float:
    """The largest depth of the data that is scored: 10 m, unless its sources state another.

    Raises:
        ConfigError: if two sources state different ones.
    """
    sources = getattr(samples, "sources", ())
    stated = {source.options.max_depth_m or MAX_DEPTH_M for source in sources}
    if len(stated) > 1:
        caps = " and ".join(f"{cap_m:g}" for cap_m in sorted(stated))
        raise ConfigError(
            f"the sources have different largest depths, {caps} m; pass the same max_depth_m= for "
            "all of them, or evaluate them one by one"
        )
    return next(iter(stated), MAX_DEPTH_M)


def default_protocol(samples: object) -> str:
    """`bts` for NYU Depth V2's 480x640 frames with raw readings, which papers score; else `native`.

    Args:
        samples: the data; only `spd.data.sources.Samples` know their sources.
    """
    sources = getattr(samples, "sources", ())
    raw = [source.is_nyu and source.options.depth != "filled" for source in sources]
    if not raw or not all(raw) or not isinstance(samples, Sequence) or not len(samples):
        return "native"
    return "bts" if samples[0].depth_size == EIGEN_FRAME else "native"


def score(
    out_dir: str | os.PathLike[str], *, protocol: str | None = None, **options: Any
) -> EvaluationReport:
    """Score the predictions in a folder under one protocol; see :func:`score_all`."""
    return score_all(out_dir, [protocol] if protocol is not None else [], **options)[0]


def score_all(
    out_dir: str | os.PathLike[str],
    protocols: Sequence[str] = (),
    *,
    boundaries: bool | None = None,
    max_depth_m: float | None = None,
    open_sample: "Callable[[str], RGBDSample] | None" = None,
) -> tuple[EvaluationReport, ...]:
    """Score the predictions in a folder; writes `metrics.json` and `per_image.csv` there.

    Args:
        out_dir: a folder that :func:`predict_set` finished.
        protocols: names; none: the data's default. The picture shows the first.
        boundaries: whether to measure boundaries; None: if whole maps are stored.
        max_depth_m: score depth up to here; None: up to the depth that was predicted, which is
            10 m unless the data states another.
        open_sample: returns the sample of a name; with it the picture of the best, median and
            worst image is drawn; without it a picture of another protocol is removed.

    Raises:
        ConfigError: if a protocol does not exist.
        DataError: if the folder has no complete predictions, one of its files is damaged or
            missing, or every sample was skipped.
        InputError: if a protocol does not apply to the data or the model, or nothing was predicted
            as far as `max_depth_m`.
    """
    if not isinstance(out_dir, str | os.PathLike):
        raise DataError(f"a folder of predictions must be its path, got {shown(out_dir)}")
    folder = PredictionFolder(Path(out_dir))
    settings = EvaluationSettings.read(folder.settings_path)
    cap_m = settings.max_depth_m if max_depth_m is None else max_depth_m
    if not 0 < cap_m <= settings.max_depth_m:
        raise InputError(
            f"max_depth_m is {cap_m:g}, but {folder.path} has predictions up to "
            f"{settings.max_depth_m:g} m; expected at most that, or evaluate the data with "
            f"SOURCE,max_depth_m={cap_m:g} into another folder"
        )
    named = protocols_named(protocols or [settings.default_protocol])
    chosen = tuple(protocol.capped(cap_m) for protocol in named)
    for protocol in chosen:
        protocol.check_kind(settings.kind)
    if boundaries is None:
        boundaries = folder.has_maps()
    reports = _score(folder, settings, chosen, boundaries)
    if open_sample is not None or not is_drawn(folder, reports[0]):
        (folder.path / PICTURE).unlink(missing_ok=True)  # before new metrics stand beside it
    write_reports(reports, folder.path)
    if open_sample is not None:
        draw(reports[0], folder, open_sample)
    return reports


def _score(
    folder: PredictionFolder,
    settings: EvaluationSettings,
    protocols: Sequence[Protocol],
    boundaries: bool,
) -> tuple[EvaluationReport, ...]:
    """Read every image once and score it under every protocol."""
    names, unpredicted = folder.images()
    constants = {p: _constant(folder, p, names, unpredicted) for p in protocols}
    scores: dict[Protocol, list[ImageScore]] = {protocol: [] for protocol in protocols}
    skipped = {protocol: dict(unpredicted) for protocol in protocols}
    seen = np.zeros(2)
    for name in names:
        stored = _read(folder, name, protocols, boundaries)
        seen += stored.predictions.readings_seen, stored.predictions.readings
        for protocol in protocols:
            result = score_image(stored, protocol, constants[protocol], settings.kind)
            if isinstance(result, str):
                skipped[protocol][name] = result
            else:
                scores[protocol].append(result)
    for protocol in protocols:
        if not scores[protocol]:
            raise _nothing_scored(folder, skipped[protocol])
    return tuple(
        EvaluationReport.of(
            settings,
            protocol,
            constants[protocol],
            scores[protocol],
            share_seen=float(seen[0] / seen[1]),
            skipped=skipped[protocol],
        )
        for protocol in protocols
    )


def _constant(
    folder: PredictionFolder, protocol: Protocol, names: Sequence[str], skipped: Mapping[str, str]
) -> ConstantDepth:
    """The constant baseline; reads all truth if no training median is stored."""
    known = ConstantDepth.read(folder.constant_path)
    known = known or median_of_scored_truth(_truths(folder, protocol, names))
    if known is None:
        raise _nothing_scored(folder, skipped)
    return known


def _truths(
    folder: PredictionFolder, protocol: Protocol, names: Sequence[str]
) -> Iterator[npt.NDArray[np.floating[Any]]]:
    for name in names:
        predictions = ImagePredictions.read(folder.image_path(name), name)
        protocol.check_frame(name, predictions.depth_size, predictions.seen)
        yield truth_scored(predictions, protocol)


def _read(
    folder: PredictionFolder, name: str, protocols: Sequence[Protocol], maps: bool
) -> StoredImage:
    predictions = ImagePredictions.read(folder.image_path(name), name)
    for protocol in protocols:  # before the files below: they would not help a frame that is wrong
        protocol.check_frame(name, predictions.depth_size, predictions.seen)
    mirrored = any(protocol.flip for protocol in protocols)
    mirrored_path, maps_path = folder.mirrored_path(name), folder.maps_path(name)
    if mirrored and not mirrored_path.is_file():
        raise DataError(
            f"{folder.path} has no predictions for the mirrored photo {name!r}; run the evaluation "
            "again with this protocol to add them"
        )
    return StoredImage(
        predictions,
        MirroredPredictions.read(mirrored_path, len(predictions.truth_m)) if mirrored else None,
        ImageMaps.read(maps_path) if maps and maps_path.is_file() else None,
    )


def _nothing_scored(folder: PredictionFolder, skipped: Mapping[str, str]) -> DataError:
    reasons = ", ".join(sorted(set(skipped.values()))) or OUTSIDE
    return DataError(
        f"no image in {folder.path} could be scored (skipped: {reasons}); scoring needs samples "
        "with intrinsics and valid depth"
    )
