"""Accuracy and encoding time of the shipped model in cheaper precisions and at smaller sizes."""

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
from spd.files import file_sha256
from spd.runtimes.engines import open_engine
from spd.runtimes.folder import ExportFolder

SHARES = (1.0, 0.75, 0.5)
"""Sizes of the photos, as shares of the model's own pixels per radian."""


def export_shipped(folder: Path, calibration: CalibrationFrames | None = None) -> ExportFolder:
    """Export the shipped model for any size; with `calibration` also an int8 encoder."""
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
    """Score every runtime and precision, with photos at the model's own size and smaller ones.

    Args:
        folder: folder for the export.
        data: sources of frames; half of the drawn ones calibrate int8, the others are scored.
        images: number of frames to calibrate on, and to score.
        threads: threads of every runtime.
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
