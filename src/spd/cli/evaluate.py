"""What `spd evaluate` does."""

from collections.abc import Sequence
from pathlib import Path

from spd.cli.devices import choose_device
from spd.data.sources import open_samples
from spd.evaluate import evaluate, format_report
from spd.evaluation.settings import View
from spd.predictor import load


def evaluate_model(
    model: str,
    data: Sequence[str],
    out: Path,
    max_points: int | None,
    device: str | None,
    view: View = "whole",
) -> None:
    """Predict, score, and print the table."""
    samples = open_samples(data)
    predictor = load(model, device=choose_device(device))
    report = evaluate(
        predictor,
        samples,
        out,
        data=" ".join(data),
        max_points=max_points,
        view=view,
        open_sample=samples.named,
    )
    print(format_report(report))
    print(f"numbers, per-image table and pictures are in {out}")
