"""A report for a terminal, 80 columns wide: protocol, numbers beside their floors, the rest."""

import collections
import io
import textwrap

from spd.evaluation.boundaries import format_boundaries
from spd.evaluation.metrics.accuracy import METRIC_NAMES
from spd.evaluation.near_edges import FLOORS_AT_BOUNDARIES, format_bands
from spd.evaluation.report import EvaluationReport

_WIDTH = 80
_BETTER = {"delta1": "higher", "delta2": "higher", "delta3": "higher"}


def format_report(report: EvaluationReport) -> str:
    """The report of one protocol."""
    parts = [
        _above(report),
        _numbers(report),
        format_bands(report.near_edges),
        _boundaries(report),
        _below(report),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _numbers(report: EvaluationReport) -> list[str]:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("metric", "unit", "better"):
        table.add_column(heading)
    floors = (report.floors.said.heading.replace(" (", "\n("), "image\nmedian")
    for heading in ("sparse", "dense", *floors):
        table.add_column(heading, justify="right")
    units = {"sq_rel": "m", "rmse": "m"}
    units |= {"silog": "x100"} if report.protocol.silog == "bts" else {}
    columns = (report.sparse, report.dense, report.floors.constant, report.floors.image_median)
    for name in METRIC_NAMES:
        words = (name, units.get(name, ""), _BETTER.get(name, "lower"))
        table.add_row(*words, *(f"{getattr(column, name):.4f}" for column in columns))
    text = io.StringIO()
    console = Console(file=text, width=_WIDTH, color_system=None, highlight=False, emoji=False)
    console.print(table)
    return [line.rstrip() for line in textwrap.dedent(text.getvalue()).strip("\n").splitlines()]


def _boundaries(report: EvaluationReport) -> list[str]:
    if report.boundaries is None:
        return []
    return [*format_boundaries(report.boundaries), *_wrapped(FLOORS_AT_BOUNDARIES)]


def _above(report: EvaluationReport) -> list[str]:
    settings = report.settings
    lines = _wrapped(f"protocol {report.words}")
    lines += [
        f"model: {settings.model}, data: {settings.data}",
        f"images: {report.count}, pixels scored: {report.points:,}",
    ]
    if settings.kind != "metric":
        lines.append(f"the model answers {settings.kind.replace('-', ' ')}, without a scale")
    if settings.view == "crop":
        lines.append(f"the crop shows {report.share_seen:.1%} of the frames' readings")
    if settings.max_points is not None:
        lines.append(
            f"pixels: at most {settings.max_points:,} an image, drawn with seed {settings.seed}"
        )
    return lines


def _below(report: EvaluationReport) -> list[str]:
    gap, said = report.gap, report.floors.said
    lines = [
        "sparse: every scored pixel asked; dense: read off the fast map",
        *_wrapped(f"constant: {said.metres:.3f} m everywhere, {said.origin}"),
        "image median: each image's own true median, which no model is told",
        *_wrapped(
            f"gap of sparse and dense: mean {gap.mean_m:.4f} m ({gap.mean_rel:.2%}), median "
            f"{gap.median_m:.4f} m ({gap.median_rel:.2%}), max {gap.max_m:.4f} m "
            f"({gap.max_rel:.2%})"
        ),
    ]
    if report.read_at_nearest:
        lines.append(
            "images whose depth has another resolution, read at nearest pixel: "
            f"{report.read_at_nearest}"
        )
    if report.non_finite:
        lines.append(f"predictions not finite, scored as 1e-3 or 10 m: {report.non_finite:,}")
    if report.not_positive:
        inverse = report.protocol.alignment == "least squares in inverse depth"
        words = (
            "fitted inverse depth zero or negative, scored as 10 m"
            if inverse
            else "predictions zero or negative, scored as 1e-3 m"
        )
        lines.append(f"{words}: {report.not_positive:,}")
    reasons = collections.Counter(report.skipped.values())
    return lines + [f"skipped: {reason}: {count}" for reason, count in sorted(reasons.items())]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
