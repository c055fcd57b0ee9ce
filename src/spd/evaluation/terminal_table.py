"""A report for a terminal, 80 columns wide: the protocol, metrics beside baselines, notes."""

import collections
import io
import textwrap

from spd.evaluation.baselines import IMAGE_MEDIAN_ORIGIN
from spd.evaluation.boundaries import format_boundaries
from spd.evaluation.evaluation_report import EvaluationReport
from spd.evaluation.metrics.accuracy import METRIC_NAMES
from spd.evaluation.mode_agreement import agreement
from spd.evaluation.near_edges import BASELINES_AT_BOUNDARIES, format_bands

_WIDTH = 80
_BETTER = {"delta1": "higher", "delta2": "higher", "delta3": "higher"}


def format_report(report: EvaluationReport) -> str:
    """The report of one protocol."""
    parts = [_above(report), _numbers(report), format_bands(report.near_edges)]
    if report.boundaries is not None:
        parts.append([*format_boundaries(report.boundaries), *_wrapped(BASELINES_AT_BOUNDARIES)])
    parts.append(_below(report))
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _numbers(report: EvaluationReport) -> list[str]:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("metric", "unit", "better"):
        table.add_column(heading)
    baselines = report.baselines
    constant = baselines.constant_depth.heading.replace(" (", "\n(")
    for heading in ("sparse", "dense", constant, "image\nmedian"):
        table.add_column(heading, justify="right")
    units = {"sq_rel": "m", "rmse": "m"}
    units |= {"silog": "x100"} if report.protocol.silog == "bts" else {}
    columns = (report.sparse, report.dense, baselines.constant, baselines.image_median)
    for name in METRIC_NAMES:
        words = (name, units.get(name, ""), _BETTER.get(name, "lower"))
        table.add_row(*words, *(f"{getattr(column, name):.4f}" for column in columns))
    text = io.StringIO()
    console = Console(file=text, width=_WIDTH, color_system=None, highlight=False, emoji=False)
    console.print(table)
    return [line.rstrip() for line in textwrap.dedent(text.getvalue()).strip("\n").splitlines()]


def _above(report: EvaluationReport) -> list[str]:
    settings = report.settings
    lines = _wrapped(f"protocol {report.words}")
    lines += [
        f"model: {settings.model}, data: {settings.data}",
        f"images: {report.count}, pixels scored: {report.points:,}",
    ]
    if settings.kind != "metric":
        lines.append(f"the model predicts {settings.kind.replace('-', ' ')}, which has no scale")
    if settings.view == "crop":
        lines.append(f"the crop contains {report.share_seen:.1%} of the frames' valid pixels")
    if settings.max_points is not None:
        lines.append(
            f"pixels: at most {settings.max_points:,} per image, drawn with random seed "
            f"{settings.seed}"
        )
    return lines


def _below(report: EvaluationReport) -> list[str]:
    gap, constant = report.gap, report.baselines.constant_depth
    lines = [
        "sparse: point queries at every scored pixel; dense: read from the fast map",
        *_wrapped(f"constant: {constant.metres:.3f} m everywhere, {constant.origin}"),
        f"image median: {IMAGE_MEDIAN_ORIGIN}",
        *_wrapped(
            f"gap between sparse and dense: mean {gap.mean_m:.4f} m ({gap.mean_rel:.2%}), median "
            f"{gap.median_m:.4f} m ({gap.median_rel:.2%}), max {gap.max_m:.4f} m "
            f"({gap.max_rel:.2%}){agreement(report.settings.config, report.protocol.alignment)}"
        ),
    ]
    if report.read_at_nearest:
        lines.append(
            "images with depth at a different resolution (dense map: nearest pixel): "
            f"{report.read_at_nearest}"
        )
    far = f"{report.protocol.max_m:g} m"
    if report.non_finite:
        lines.append(f"non-finite predictions, scored as 1e-3 or {far}: {report.non_finite:,}")
    if report.not_positive:
        inverse = report.protocol.alignment == "least squares in inverse depth"
        words = (
            f"predictions with zero or negative fitted inverse depth, scored as {far}"
            if inverse
            else "zero or negative predictions, scored as 1e-3 m"
        )
        lines.append(f"{words}: {report.not_positive:,}")
    reasons = collections.Counter(report.skipped.values())
    return lines + [f"skipped: {reason}: {count}" for reason, count in sorted(reasons.items())]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
