"""What an evaluation found: per image, on average, as files and as a table."""

import collections
import csv
import dataclasses
import io
import json
import textwrap
from pathlib import Path
from typing import Any

from spd.evaluation.near_edges import BandMeans, ModeScores, format_bands
from spd.evaluation.settings import EvaluationSettings
from spd.files import write_text
from spd.metrics.accuracy import METRIC_NAMES, DepthMetrics

_UNITS = {"sq_rel": "m", "rmse": "m", "silog": "x100"}
_BETTER = {"delta1": "higher", "delta2": "higher", "delta3": "higher"}


@dataclasses.dataclass(frozen=True, slots=True)
class ModeGap:
    """How far the dense mode's answers lie from the sparse mode's, both clamped as scored."""

    mean_m: float
    """Mean of |sparse - dense|, in metres."""
    median_m: float
    """Median of it."""
    max_m: float
    """Largest of it."""
    mean_rel: float
    """Mean of |sparse - dense| / sparse."""
    median_rel: float
    """Median of it."""
    max_rel: float
    """Largest of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class ImageScore:
    """The numbers of one image."""

    name: str
    """The sample's name."""
    points: int
    """Pixels scored."""
    sparse: DepthMetrics
    """Asked point by point."""
    dense: DepthMetrics
    """Read off the dense map."""
    near_edges: tuple[ModeScores, ...]
    """Both modes by distance to the nearest true edge, nearest first."""
    gap: ModeGap
    """Between the two."""
    dense_is_exact: bool
    """Whether no point was rounded to a pixel to read the dense map."""
    non_finite: int
    """Predictions of either mode that were NaN or infinite and were scored as 1e-3 or 10 m."""

    def to_row(self) -> dict[str, Any]:
        """One row of `per_image.csv`."""
        row: dict[str, Any] = {"name": self.name, "points": self.points}
        for mode, numbers in (("sparse", self.sparse), ("dense", self.dense), ("gap", self.gap)):
            row |= {f"{mode}_{key}": value for key, value in dataclasses.asdict(numbers).items()}
        return row | {"dense_is_exact": self.dense_is_exact, "non_finite": self.non_finite}


@dataclasses.dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The numbers of a data set."""

    settings: EvaluationSettings
    """What decided the predictions, the protocol included."""
    images: tuple[ImageScore, ...]
    """Per image, in the data set's order."""
    sparse: DepthMetrics
    """Asked point by point: mean over images."""
    dense: DepthMetrics
    """Read off the dense map: mean over images."""
    near_edges: tuple[BandMeans, ...]
    """Both modes by distance to the nearest true edge, nearest first."""
    gap: ModeGap
    """Means over images of means and medians; the largest of the largest."""
    skipped: dict[str, str]
    """Names of the samples that were not scored, each with the reason."""

    @property
    def count(self) -> int:
        """Images scored."""
        return len(self.images)

    @property
    def points(self) -> int:
        """Pixels scored."""
        return sum(image.points for image in self.images)

    def ranked(self) -> tuple[ImageScore, ...]:
        """The images from best to worst by the sparse mode's AbsRel."""
        return tuple(sorted(self.images, key=lambda image: (image.sparse.abs_rel, image.name)))

    def to_dict(self) -> dict[str, Any]:
        """As written to `metrics.json`: plain data without the per-image rows."""
        return {
            "protocol": self.settings.protocol,
            "view": self.settings.view,
            "count": self.count,
            "points": self.points,
            "sparse": self.sparse.to_dict(),
            "dense": self.dense.to_dict(),
            "near_edges": [band.to_dict() for band in self.near_edges],
            "gap": dataclasses.asdict(self.gap),
            "dense_read_at_nearest_pixel": sum(not image.dense_is_exact for image in self.images),
            "non_finite_predictions": sum(image.non_finite for image in self.images),
            "skipped": self.skipped,
            "settings": dataclasses.asdict(self.settings),
        }

    def write(self, folder: Path) -> None:
        """Write `metrics.json` and `per_image.csv`."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        write_text(folder / "metrics.json", text + "\n")
        rows = [image.to_row() for image in self.images]
        table = io.StringIO()
        writer = csv.DictWriter(table, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(folder / "per_image.csv", table.getvalue())


def format_report(report: EvaluationReport) -> str:
    """The report for a terminal, 80 columns wide: protocol, both modes' numbers, their gap."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("metric", "unit", "better"):
        table.add_column(heading)
    for heading in ("sparse", "dense"):
        table.add_column(heading, justify="right")
    for name in METRIC_NAMES:
        values = (getattr(report.sparse, name), getattr(report.dense, name))
        words = (name, _UNITS.get(name, ""), _BETTER.get(name, "lower"))
        table.add_row(*words, *(f"{value:.4f}" for value in values))
    text = io.StringIO()
    console = Console(file=text, width=80, color_system=None, highlight=False, emoji=False)
    console.print(table)
    lines = [line.rstrip() for line in textwrap.dedent(text.getvalue()).strip("\n").splitlines()]
    bands = format_bands(report.near_edges)
    parts = [_above(report), lines, *([bands] if bands else []), _below(report)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _above(report: EvaluationReport) -> list[str]:
    settings = report.settings
    lines = [
        f"protocol: {settings.protocol}",
        f"model: {settings.model}, data: {settings.data}",
        f"images: {report.count}, pixels scored: {report.points:,}",
    ]
    if settings.max_points is not None:
        lines.append(
            f"pixels: at most {settings.max_points:,} an image, drawn with seed {settings.seed}"
        )
    return lines


def _below(report: EvaluationReport) -> list[str]:
    gap = report.gap
    lines = [
        "sparse: every scored pixel asked; dense: read off the fast map",
        f"gap between the two: mean {gap.mean_m:.4f} m ({gap.mean_rel:.2%}), median "
        f"{gap.median_m:.4f} m ({gap.median_rel:.2%}), max {gap.max_m:.4f} m ({gap.max_rel:.2%})",
    ]
    nearest = sum(not image.dense_is_exact for image in report.images)
    if nearest:
        lines.append(f"images whose depth has another resolution, read at nearest pixel: {nearest}")
    non_finite = sum(image.non_finite for image in report.images)
    if non_finite:
        lines.append(f"predictions not finite, scored as 1e-3 or 10 m: {non_finite:,}")
    reasons = collections.Counter(report.skipped.values())
    lines += [f"skipped: {reason}: {count}" for reason, count in sorted(reasons.items())]
    return lines
