"""Evaluation in two loops: predictions to disk, then scores from disk.

`predict_set` runs the network and writes its answers; `score` reads them and never needs the
network, so a new metric or protocol costs no new predictions. `evaluate` does both. Numbers are of
native ground-truth pixels: truth is never resized. What is cropped, aligned or averaged is said by
the protocol (`spd.evaluation.protocols`), whose settings stand above every table.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.extras import ImageMaps, MirroredPredictions
from spd.evaluation.floors import Constant, of_model, of_scored_truth
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.pictures import PICTURE, draw, shows
from spd.evaluation.predict import MapMode, Wanted, predict_set
from spd.evaluation.predictions import ImagePredictions
from spd.evaluation.protocols import (
    EIGEN_FRAME,
    PROTOCOL_NAMES,
    PROTOCOLS,
    Protocol,
    View,
    protocols_named,
)
from spd.evaluation.report import EvaluationReport, write_reports
from spd.evaluation.scoring import ImageScore, StoredImage, score_image, truth_scored
from spd.evaluation.settings import DepthPredictor, EvaluationSettings
from spd.evaluation.table import format_report

if TYPE_CHECKING:  # at run time this would import torch, which re-scoring has no use for
    from spd.data.sample import RGBDSample

__all__ = [
    "PICTURE",
    "PROTOCOLS",
    "PROTOCOL_NAMES",
    "EvaluationReport",
    "EvaluationSettings",
    "Protocol",
    "default_protocol",
    "evaluate",
    "format_report",
    "predict_set",
    "score",
    "score_all",
]


def evaluate(
    predictor: DepthPredictor,
    samples: "Iterable[RGBDSample]",
    out_dir: str | os.PathLike[str],
    *,
    data: str = "",
    max_points: int | None = None,
    seed: int = 0,
    view: View = "whole",
    protocol: str | None = None,
    boundaries: MapMode | None = None,
    constant: Constant | None = None,
    open_sample: "Callable[[str], RGBDSample] | None" = None,
    progress: bool | None = None,
) -> EvaluationReport:
    """Predict a data set and score it; both loops with their files in `out_dir`.

    For several protocols from one prediction pass see :func:`predict_set` and :func:`score_all`.

    Args:
        predictor: the model.
        samples: what to evaluate.
        out_dir: the folder; predictions of the same settings that are in it are kept.
        data: what the data set is called in the report.
        max_points: ask at most so many readings an image, drawn at random; None: all.
        seed: of that draw.
        view: `whole` photos, or the training camera's `crop` in their middle and the native
            pixels inside it (for NYU rows 5..355, columns 2..478 of the frame at 0.75).
        protocol: its name; None: :func:`default_protocol`.
        boundaries: measure boundaries too, from whole maps of the `dense` mode alone, or of the
            `sparse` mode as well, for which every pixel is asked.
        constant: what the constant floor says; None: what the model remembers of its training
            data, else what is kept in the folder, else the median of all scored truth.
        open_sample: as for :func:`score`.
        progress: draw a progress bar on stderr; None: if that is a terminal.

    Raises:
        ConfigError: if there is no such protocol.
        DataError: as :func:`predict_set` and :func:`score`.
        InputError: if `max_points` is less than 1, the predictor answers in another shape, its
            model has no training camera to crop to, or the protocol does not apply.
    """
    name = default_protocol(samples)
    settings = EvaluationSettings.of(
        predictor,
        data=data,
        max_points=max_points,
        seed=seed,
        view=view,
        default_protocol=name,
    )
    wanted = Wanted.by(protocols_named([protocol or name]), boundaries)
    folder = predict_set(predictor, samples, out_dir, settings, progress, wanted=wanted)
    said = constant or of_model(predictor)
    if said is not None:
        said.write(folder.floor_path)
    return score(
        out_dir,
        protocol=protocol,
        boundaries=boundaries is not None,
        open_sample=open_sample,
    )


def default_protocol(samples: object) -> str:
    """`bts` for NYU Depth V2's 480x640 frames with raw readings, which papers score; else `native`.

    Args:
        samples: the data; only `spd.data.sources.Samples` know where they are from.
    """
    sources = getattr(samples, "sources", ())
    raw = [source.is_nyu and source.options.depth != "filled" for source in sources]
    if not raw or not all(raw) or not isinstance(samples, Sequence) or not len(samples):
        return "native"
    return "bts" if samples[0].depth_size == EIGEN_FRAME else "native"


def score(
    out_dir: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    boundaries: bool | None = None,
    open_sample: "Callable[[str], RGBDSample] | None" = None,
) -> EvaluationReport:
    """Score the predictions in a folder; writes `metrics.json` and `per_image.csv` there.

    Args:
        out_dir: a folder that :func:`predict_set` finished.
        protocol: its name; None: the data's default.
        boundaries: whether to measure boundaries; None: if whole maps are kept.
        open_sample: gives the sample of a name; with it the picture of the best, median and
            worst image is drawn; without it one of another protocol is removed.

    Raises:
        ConfigError: if there is no such protocol.
        DataError: if the folder holds no complete predictions, a file of them is damaged, what
            the protocol needs is not there, or every sample was skipped.
        InputError: if the protocol does not apply to the data or the model.
    """
    names = [protocol] if protocol is not None else []
    return score_all(out_dir, names, boundaries=boundaries, open_sample=open_sample)[0]


def score_all(
    out_dir: str | os.PathLike[str],
    protocols: Sequence[str] = (),
    *,
    boundaries: bool | None = None,
    open_sample: "Callable[[str], RGBDSample] | None" = None,
) -> tuple[EvaluationReport, ...]:
    """As :func:`score`, for several protocols; files hold all, the picture is of the first."""
    folder = PredictionFolder(Path(out_dir))
    settings = EvaluationSettings.read(folder.settings_path)
    chosen = protocols_named(protocols or [settings.default_protocol])
    for protocol in chosen:
        protocol.check_kind(settings.kind)
    if boundaries is None:
        boundaries = (folder.path / "maps").is_dir()
    reports = _score(folder, settings, chosen, boundaries)
    if open_sample is not None or not shows(folder, reports[0]):
        (folder.path / PICTURE).unlink(missing_ok=True)  # before numbers stand beside it
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
    names, skipped = folder.images()
    constants = _constants(folder, protocols, names, skipped)
    scores: list[list[ImageScore]] = [[] for _ in protocols]
    left_out = [dict(skipped) for _ in protocols]
    seen = np.zeros(2)
    for name in names:
        stored = _read(folder, name, protocols, boundaries)
        seen += stored.predictions.readings_seen, stored.predictions.readings
        for protocol, constant, images, out in zip(
            protocols, constants, scores, left_out, strict=True
        ):
            found = score_image(stored, protocol, constant, settings.kind)
            if isinstance(found, str):
                out[name] = found
            else:
                images.append(found)
    for images, out in zip(scores, left_out, strict=True):
        if not images:
            raise _nothing(folder, out)
    return tuple(
        EvaluationReport.of(
            settings,
            protocol,
            constant,
            images,
            share_seen=float(seen[0] / seen[1]),
            skipped=out,
        )
        for protocol, constant, images, out in zip(
            protocols, constants, scores, left_out, strict=True
        )
    )


def _constants(
    folder: PredictionFolder,
    protocols: Sequence[Protocol],
    names: Sequence[str],
    skipped: Mapping[str, str],
) -> list[Constant]:
    """What the constant floor says under each protocol; reads all truth where it must."""
    known = Constant.read(folder.floor_path)
    if known is not None:
        return [known] * len(protocols)
    constants = []
    for protocol in protocols:
        found = of_scored_truth(_truths(folder, protocol, names))
        if found is None:
            raise _nothing(folder, skipped)
        constants.append(found)
    return constants


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
    for protocol in protocols:  # first: no further predictions would help a frame of another size
        protocol.check_frame(name, predictions.depth_size, predictions.seen)
    mirrored = any(protocol.flip for protocol in protocols)
    mirrored_path, maps_path = folder.mirrored_path(name), folder.maps_path(name)
    if mirrored and not mirrored_path.is_file():
        raise DataError(
            f"{folder.path} lacks predictions of the mirrored photo {name!r}; evaluate again with "
            "this protocol to add them"
        )
    return StoredImage(
        predictions,
        MirroredPredictions.read(mirrored_path, len(predictions.truth_m)) if mirrored else None,
        ImageMaps.read(maps_path) if maps and maps_path.is_file() else None,
    )


def _nothing(folder: PredictionFolder, skipped: Mapping[str, str]) -> DataError:
    reasons = (
        ", ".join(sorted(set(skipped.values()))) or "no valid reading that the protocol scores"
    )
    return DataError(
        f"no image in {folder.path} could be scored, skipped: {reasons}; metres need samples with "
        "intrinsics and valid depth"
    )
