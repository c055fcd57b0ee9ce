"""What a cheaper encoder costs in accuracy, on a trained model and real answers."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from research.performance.graphs import runtimes_here
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.folder import SHIPPED, WEIGHTS, find_checkpoint
from spd.data.sources import open_samples
from spd.export.int8 import CalibrationFrames
from spd.export.onnx_folder import write_export
from spd.export.scoring import score_engine
from spd.runtimes.engines import open_engine
from spd.runtimes.folder import ExportFolder, file_sha256

SHARES = (1.0, 0.75, 0.5)
"""Of the model's own pixels per radian that photos are shown at."""


def export_shipped(folder: Path, calibration: CalibrationFrames | None = None) -> ExportFolder:
    """The model of the package as graphs of any size; with photos also in 8 bits."""
    source = find_checkpoint(SHIPPED)
    model, about = load_checkpoint(source)
    return write_export(
        model,
        folder / "shipped",
        source=SHIPPED,
        weights_sha256=file_sha256(source / WEIGHTS),
        training_median_m=about.get("training_median_m"),
        calibration=calibration,
    )


def cheaper_encoders(
    folder: Path, data: Sequence[str], images: int, threads: int
) -> dict[str, Any]:
    """Accuracy of the shipped model and its encoder's seconds, for all that makes it cheaper.

    Every runtime and precision, each with photos at the model's own size and at smaller ones.

    Args:
        folder: where it is exported to.
        data: sources of frames; half of those drawn choose the ranges of int8, the rest score.
        images: how many of each.
        threads: to compute with.
    """
    calibration = CalibrationFrames.draw(open_samples(data, metric_only=True), images)
    exported = export_shipped(folder, calibration)
    rows = list[dict[str, Any]]()
    for runtime in runtimes_here()[0]:
        if runtime.name == "torch":
            continue
        engine = open_engine(exported, runtime.name, runtime.precision, threads)
        for share in SHARES:
            score = score_engine(exported, engine, calibration.score, share)
            which = {"runtime": runtime.name, "precision": runtime.precision, "share": share}
            rows.append(which | dataclasses.asdict(score))
    return {"data": list(data), "frames": len(calibration.score), "rows": rows}
