"""The tables of a report, from the stored metrics of one evaluation or several."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from spd.errors import counted
from spd.evaluation.metrics.accuracy import METRIC_NAMES
from spd.evaluation.near_edges import BASELINES, BASELINES_AT_BOUNDARIES
from spd.report.page_parts import PageTable, TableCell
from spd.report.stored_evaluation import StoredEvaluation
from spd.report.tally import Tally

MODES = {"sparse": "point queries (sparse)", "dense": "fast map (dense)"}
_HEADINGS = {
    "abs_rel": "AbsRel", "sq_rel": "SqRel", "rmse": "RMSE", "rmse_log": "RMSE log",
    "log10": "log10", "silog": "SILog", "delta1": "δ₁", "delta2": "δ₂", "delta3": "δ₃",
}  # fmt: skip
_UNITS = {"sq_rel": "m", "rmse": "m"}
_BOUNDARY_WORDS = {
    "si ": "Depth Pro, ", "r1 ": "MoGe, radius 1: ", "r2 ": "MoGe, radius 2: ",
    "r3 ": "MoGe, radius 3: ", "dbe tum ": "edge distance (iBims-1): ",
    "dbe sharpnet ": "edge distance (SharpNet): ",
}  # fmt: skip

Numbers = Mapping[str, Any]
BandValues = list[tuple[float | None, float | None]]
"""AbsRel and delta1 of a baseline, band by band."""


def numbers_table(several: Sequence[StoredEvaluation], protocol: str) -> PageTable:
    """The metrics of every model and mode beside the baselines, under one protocol.

    One evaluation has a row per metric, which suits a narrow screen; several have one per model.
    """
    found = [(evaluation, evaluation.by_protocol[protocol]) for evaluation in several]
    first = found[0][1]
    models = [
        (f"{evaluation.label}, {mode}" if len(several) > 1 else mode, numbers[mode])
        for evaluation, numbers in found
        for mode in MODES
    ]
    baselines = _baselines(found)
    best = _best([numbers for _, numbers in models]) if len(several) > 1 else {}
    names = [name for name in METRIC_NAMES if name in first["sparse"]]
    grid = [
        [_cell(v := numbers.get(key), best=key in best and v == best[key]) for key in names]
        for _, numbers in models
    ]
    grid += [[_cell(numbers.get(key), quiet=True) for key in names] for _, numbers in baselines]
    caption = (
        f"Protocol {protocol}: {counted(first['count'], 'image')}, {first['points']:,} pixels."
    )
    heads = [name for name, _ in (*models, *baselines)]
    words = [_HEADINGS.get(key, key) for key in names]
    silog = first.get("protocol_settings", {}).get("silog", "bts")
    hints = [_hint(key, silog) for key in names]
    if len(several) > 1:
        columns = list(zip(words, hints, strict=True))
        rows = list(zip(heads, grid, strict=True))
        return PageTable(caption, "", columns, rows, name=f"numbers-{protocol}")
    rows = [
        (word, [TableCell(hint, quiet=True), *(cells[n] for cells in grid)])
        for n, (word, hint) in enumerate(zip(words, hints, strict=True))
    ]
    columns = [("better", ""), *(_baseline_column(head) for head in heads)]
    return PageTable(caption, "metric", columns, rows, name=f"numbers-{protocol}")


def _baselines(found: Sequence[tuple[StoredEvaluation, Numbers]]) -> list[tuple[str, Numbers]]:
    """Each baseline once; one that differs between evaluations names its evaluation."""
    rows: list[tuple[str, Numbers]] = []
    for evaluation, numbers in found:
        for baseline in baselines_of(numbers).values():
            if baseline in [known for _, known in rows]:
                continue
            taken = f"baseline: {baseline['name']}" in [name for name, _ in rows]
            whose = f" of {evaluation.label}" if taken else ""
            rows.append((f"baseline{whose}: {baseline['name']}", baseline))
    return rows


def _baseline_column(head: str) -> tuple[str, str]:
    """`baseline: constant (test truth)` in two lines."""
    name, _, more = head.removeprefix("baseline: ").partition(" (")
    return (name, more.rstrip(")") or ("baseline" if head != name else ""))


def baselines_of(numbers: Numbers) -> Mapping[str, Numbers]:
    """The metrics of the baselines by name; empty if they were not scored."""
    return numbers.get("floors") or {}


def edges_table(several: Sequence[StoredEvaluation]) -> PageTable:
    """AbsRel and delta1 by distance to the nearest true edge, beside the baselines."""
    columns = [("pixels", "")]
    for evaluation in several:
        of = f"{evaluation.label} " if len(several) > 1 else ""
        columns += [(f"{of}{word}", mode) for word in ("AbsRel", "δ₁") for mode in MODES]
    baselines = _band_baselines(several)
    for name, _ in baselines:
        columns += [(word, f"baseline{name}") for word in ("AbsRel", "δ₁")]
    rows = []
    for number, band in enumerate(several[0].metrics["near_edges"]):
        cells = [_count(band["pixels"])]
        for evaluation in several:
            own = evaluation.metrics["near_edges"][number]
            keys = [f"{mode}_{key}" for key in ("abs_rel", "delta1") for mode in MODES]
            cells += [_cell(own.get(key)) for key in keys]
        cells += [_cell(value, quiet=True) for _, values in baselines for value in values[number]]
        rows.append((band["band"], cells))
    caption = (
        "Errors by distance to the nearest true depth edge, where neighbouring pixels differ by "
        "more than 10 %."
    )
    return PageTable(caption, "distance", columns, rows, name="edges")


def _band_baselines(several: Sequence[StoredEvaluation]) -> list[tuple[str, BandValues]]:
    """Each baseline's bands once, under its name; empty if they were not scored."""
    found: list[tuple[str, str, BandValues]] = []
    for evaluation in several:
        bands = evaluation.metrics["near_edges"]
        for key in BASELINES:
            values = [(band.get(f"{key}_abs_rel"), band.get(f"{key}_delta1")) for band in bands]
            baseline = baselines_of(evaluation.metrics).get(key, {})
            name = baseline.get("name", key.replace("_", " "))
            known = [other for _, other_name, other in found if other_name == name]
            if values not in known and any(error is not None for error, _ in values):
                found.append((f" of {evaluation.label}" if known else "", name, values))
    return [(f"{whose}: {name}", values) for whose, name, values in found]


def boundaries_table(several: Sequence[StoredEvaluation]) -> PageTable | None:
    """Boundary metrics from whole maps; None if no evaluation has them."""
    found = [(r, r.metrics["boundaries"]) for r in several if r.metrics.get("boundaries")]
    if not found:
        return None
    columns = [("images", "with edges of this kind"), ("better", "")]
    sides = []
    for evaluation, boundaries in found:
        for mode in MODES:
            if boundaries.get(mode) is not None:
                columns.append((evaluation.label, mode) if len(several) > 1 else (mode, ""))
                sides.append(boundaries[mode])
    first = found[0][1]
    rows = []
    for key in first["dense"]:
        better = TableCell("lower" if key.endswith("_px") else "higher")
        numbers = [_cell(side.get(key)) for side in sides]
        rows.append((_boundary_words(key), [_count(first["counts"][key]), better, *numbers]))
    caption = (
        f"Depth boundary metrics, computed on full {', '.join(first['sizes'])} maps. "
        f"The baselines are not listed: {BASELINES_AT_BOUNDARIES}."
    )
    return PageTable(caption, "", columns, rows, name="boundaries")


def distance_table(several: Sequence[StoredEvaluation], tallies: Sequence[Tally]) -> PageTable:
    """The numbers of the chart of errors by true depth."""
    columns = [("pixels", "")]
    for evaluation in several:
        of = f"{evaluation.label} " if len(several) > 1 else ""
        columns += [(f"{of}AbsRel", mode) for mode in MODES]
        columns += [(f"{of}bias", "sparse, + means too far")]
        columns += [(f"{of}δ₁", "sparse")]
    rows = []
    band_m = tallies[0].band_m
    for band in tallies[0].readings.nonzero()[0].tolist():
        count = int(tallies[0].readings[band])
        cells = [_count(count)]
        for tally in tallies:
            cells += [_cell(getattr(tally, mode).error[band] / count) for mode in MODES]
            bias = tally.sparse.bias[band] / count
            cells += [TableCell(f"{bias:+.4f}", float(bias))]
            cells += [_cell(tally.sparse.near[band] / count)]
        rows.append((f"{band * band_m:g}–{(band + 1) * band_m:g} m", cells))
    caption = "Errors by true depth; all pixels have the same weight."
    return PageTable(caption, "true depth", columns, rows, name="distance")


def images_table(several: Sequence[StoredEvaluation]) -> PageTable:
    """Every image, worst first."""
    metrics = (
        ("sparse_abs_rel", "AbsRel", "sparse"),
        ("dense_abs_rel", "AbsRel", "dense"),
        ("sparse_rmse", "RMSE", "sparse, m"),
        ("sparse_silog", "SILog", "sparse"),
        ("sparse_delta1", "δ₁", "sparse"),
        ("image_median_abs_rel", "AbsRel", "baseline: image median"),
        ("gap_mean_m", "gap", "sparse − dense, m"),
    )
    readings = several[0].per_image("points")
    columns, values = [("pixels", "")], []
    for evaluation in several:
        of = f"{evaluation.label} " if len(several) > 1 else ""
        for key, heading, hint in metrics[:2] if of else metrics:
            per_image = evaluation.per_image(key)
            if per_image:
                columns.append((f"{of}{heading}", hint))
                values.append(per_image)
    abs_rel = several[0].per_image("sparse_abs_rel")
    rows = []
    for name in sorted(abs_rel, key=lambda name: (-abs_rel[name], name)):
        count = _count(int(readings[name])) if name in readings else TableCell("–")
        rows.append((name, [count, *(_cell(per_image.get(name)) for per_image in values)]))
    whose = f" of {several[0].label}" if len(several) > 1 else ""
    caption = (
        f"All {len(rows):,} images, worst sparse AbsRel{whose} first; click a heading to sort."
    )
    return PageTable(caption, "image", columns, rows, sortable=True, name="images")


def skipped_table(protocol: str, skipped: Mapping[str, str]) -> PageTable:
    """The images that a protocol skipped, with the reasons."""
    count = counted(len(skipped), "image")
    rows = [(name, [TableCell(reason)]) for name, reason in sorted(skipped.items())]
    caption = f"{count} not scored under protocol {protocol}."
    columns = (("reason", ""),)
    return PageTable(caption, "image", columns, rows, name=f"skipped-{protocol}")


def skipped_words(protocol: str, skipped: Mapping[str, str]) -> str:
    """The number of images that a protocol skipped for each reason, in a sentence."""
    reasons = sorted(collections.Counter(skipped.values()).items())
    counts = ", ".join(f"{count:,} with {reason}" for reason, count in reasons)
    return f"Images not scored under protocol {protocol}: {counts}. The numbers exclude them."


def _count(number: int) -> TableCell:
    return TableCell(f"{number:,}", float(number))


def _cell(value: float | None, *, best: bool = False, quiet: bool = False) -> TableCell:
    if value is None:
        return TableCell("–", quiet=quiet)
    return TableCell(f"{value:.4f}", float(value), best, quiet)


def _best(models: Sequence[Numbers]) -> dict[str, float]:
    """The best value of each metric among the models, baselines excluded."""
    return {
        key: (max if key.startswith("delta") else min)(numbers[key] for numbers in models)
        for key in METRIC_NAMES
        if all(key in numbers for numbers in models)
    }


def _hint(key: str, silog: str) -> str:
    better = "↑" if key.startswith("delta") else "↓"
    unit = _UNITS.get(key) or ("×100" if key == "silog" and silog == "bts" else "")
    return f"{better} {unit}".rstrip()


def _boundary_words(key: str) -> str:
    """A boundary metric's name for readers."""
    words = key.removesuffix("_px").replace("_", " ")
    for short, full in _BOUNDARY_WORDS.items():
        words = full + words.removeprefix(short) if words.startswith(short) else words
    words = words.replace("f1", "F1")
    return f"{words} (px)" if key.endswith("_px") else words
