"""What a cheaper precision costs in accuracy, on a trained model and real answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spd.benchmark.graphs import runtimes_here
from spd.checkpoint import load_checkpoint
from spd.checkpoint_folder import SHIPPED, WEIGHTS, find_checkpoint
from spd.data.sources import open_samples
from spd.export.int8 import Calibration, score_engine
from spd.export.onnx_folder import write_export
from spd.runtimes.engines import open_engine
from spd.runtimes.folder import ExportFolder, file_sha256


def export_shipped(folder: Path, calibration: Calibration | None = None) -> ExportFolder:
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


def precisions(folder: Path, data: Sequence[str], images: int, threads: int) -> dict[str, Any]:
    """AbsRel of the shipped model in every runtime and precision, and its encoder's seconds.

    Args:
        folder: where it is exported to.
        data: sources of frames; half of those drawn choose the ranges of int8, the rest score.
        images: how many of each.
        threads: to compute with.
    """
    calibration = Calibration.draw(open_samples(data, metric_only=True), images)
    exported = export_shipped(folder, calibration)
    rows = []
    for runtime in runtimes_here()[0]:
        if runtime.name == "torch":
            continue
        engine = open_engine(exported, runtime.name, runtime.precision, threads)
        abs_rel, seconds = score_engine(exported, engine, calibration.score)
        rows.append(
            {
                "runtime": runtime.name,
                "precision": runtime.precision,
                "abs_rel": abs_rel,
                "encode_s": seconds,
            }
        )
    return {"data": list(data), "frames": len(calibration.score), "rows": rows}
