"""The tables of an evaluation, or of several side by side, from their stored numbers."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from spd.evaluation.metrics.accuracy import METRIC_NAMES
from spd.evaluation.near_edges import FLOORS, FLOORS_AT_BOUNDARIES
from spd.report.parts import Cell, Column, Row, Table
from spd.report.results import Results
from spd.report.tally import BAND_M, Tally

MODES = {"sparse": "points asked (sparse)", "dense": "fast map (dense)"}
_HEADINGS = {
    "abs_rel": "AbsRel", "sq_rel": "SqRel", "rmse": "RMSE", "rmse_log": "RMSE log",
    "log10": "log10", "silog": "SILog", "delta1": "δ₁", "delta2": "δ₂", "delta3": "δ₃",
}  # fmt: skip
_UNITS = {"sq_rel": "m", "rmse": "m"}

Numbers = Mapping[str, Any]
FloorBands = list[tuple[float | None, float | None]]
"""AbsRel and delta1 of a floor, band by band."""


def numbers_table(several: Sequence[Results], protocol: str) -> Table:
    """Every model's modes beside the floors, under one protocol.

    Of one evaluation a metric is a row, which a narrow screen has room for; of several a model is.
    """
    found = [(results, results.by_protocol[protocol]) for results in several]
    first = found[0][1]
    models = [
        (f"{results.label}, {mode}" if len(several) > 1 else mode, numbers[mode])
        for results, numbers in found
        for mode in MODES
    ]
    floors = _floors(found)
    best = _best([numbers for _, numbers in models]) if len(several) > 1 else {}
    silog = first.get("protocol_settings", {}).get("silog", "bts")
    names = [name for name in METRIC_NAMES if name in first["sparse"]]
    grid = [
        [_cell(numbers.get(key), best=key in best and numbers.get(key) == best[key])
         for key in names] for _, numbers in models
    ] + [[_cell(floor.get(key), quiet=True) for key in names] for _, floor in floors]  # fmt: skip
    caption = (
        f"Protocol {protocol}: {first['count']:,} {plural(first['count'], 'image')}, "
        f"{first['points']:,} readings."
    )
    heads = [name for name, _ in (*models, *floors)]
    words = [_HEADINGS.get(key, key) for key in names]
    hints = [_hint(key, silog) for key in names]
    if len(several) > 1:
        columns = tuple(Column(word, hint) for word, hint in zip(words, hints, strict=True))
        rows = [Row(head, tuple(cells)) for head, cells in zip(heads, grid, strict=True)]
        return Table(caption, "", columns, tuple(rows), name=f"numbers-{protocol}")
    rows = [
        Row(word, (Cell(hint, quiet=True), *(cells[n] for cells in grid)))
        for n, (word, hint) in enumerate(zip(words, hints, strict=True))
    ]
    columns = (Column("better"), *(_floor_column(head) for head in heads))
    return Table(caption, "metric", columns, tuple(rows), name=f"numbers-{protocol}")


def _floors(found: Sequence[tuple[Results, Numbers]]) -> list[tuple[str, Numbers]]:
    """The floors, each once; one that is another in another evaluation says whose it is."""
    rows: list[tuple[str, Numbers]] = []
    for results, numbers in found:
        for floor in floors_of(numbers).values():
            if floor in [known for _, known in rows]:
                continue
            taken = f"floor: {floor['name']}" in [name for name, _ in rows]
            whose = f" of {results.label}" if taken else ""
            rows.append((f"floor{whose}: {floor['name']}", floor))
    return rows


def _floor_column(head: str) -> Column:
    """`floor: constant (test truth)` in two lines."""
    name, _, more = head.removeprefix("floor: ").partition(" (")
    return Column(name, more.rstrip(")") or ("floor" if head.startswith("floor") else ""))


def floors_of(numbers: Numbers) -> Mapping[str, Numbers]:
    """What knowing nothing of the photos gets, by name; empty where it was not scored."""
    return numbers.get("floors") or {}


def edges_table(several: Sequence[Results]) -> Table:
    """AbsRel and the share within 1.25 by distance to the nearest true edge, floors beside."""
    columns = [Column("readings")]
    for results in several:
        of = f"{results.label} " if len(several) > 1 else ""
        columns += [
            Column(f"{of}AbsRel", "sparse"), Column(f"{of}AbsRel", "dense"),
            Column(f"{of}δ₁", "sparse"), Column(f"{of}δ₁", "dense"),
        ]  # fmt: skip
    floors = _band_floors(several)
    for name, _ in floors:
        columns += [Column("AbsRel", f"floor{name}"), Column("δ₁", f"floor{name}")]
    rows = []
    for number, band in enumerate(several[0].metrics["near_edges"]):
        cells = [Cell(f"{band['pixels']:,}", float(band["pixels"]))]
        for results in several:
            of_band = results.metrics["near_edges"][number]
            cells += [
                _cell(of_band.get(f"{mode}_{key}"))
                for key in ("abs_rel", "delta1")
                for mode in MODES
            ]
        cells += [_cell(value, quiet=True) for _, values in floors for value in values[number]]
        rows.append(Row(band["band"], tuple(cells)))
    caption = (
        "By distance to the nearest true depth edge, where neighbouring readings differ by more "
        "than 10 %."
    )
    return Table(caption, "distance", tuple(columns), tuple(rows), name="edges")


def _band_floors(several: Sequence[Results]) -> list[tuple[str, FloorBands]]:
    """Each floor's bands once, by whose they are and its name; none where they were not scored."""
    found: list[tuple[str, str, FloorBands]] = []
    for results in several:
        bands = results.metrics["near_edges"]
        for key in FLOORS:
            values = [(band.get(f"{key}_abs_rel"), band.get(f"{key}_delta1")) for band in bands]
            name = floors_of(results.metrics).get(key, {}).get("name", key.replace("_", " "))
            known = [of for _, other, of in found if other == name]
            if values not in known and any(error is not None for error, _ in values):
                found.append((f" of {results.label}" if known else "", name, values))
    return [(f"{whose}: {name}", values) for whose, name, values in found]


def boundaries_table(several: Sequence[Results]) -> Table | None:
    """Boundary measures from whole maps; None where none of the evaluations has them."""
    found = [(r, r.metrics["boundaries"]) for r in several if r.metrics.get("boundaries")]
    if not found:
        return None
    columns, sides = [Column("images", "with such edges"), Column("better")], []
    for results, boundaries in found:
        for mode in MODES:
            if boundaries.get(mode) is not None:
                columns.append(Column(results.label, mode) if len(several) > 1 else Column(mode))
                sides.append(boundaries[mode])
    first = found[0][1]
    rows = tuple(
        Row(
            boundary_words(key),
            (
                Cell(f"{first['counts'][key]:,}", float(first["counts"][key])),
                Cell("lower" if key.endswith("_px") else "higher"),
                *(_cell(side.get(key)) for side in sides),
            ),
        )
        for key in first["dense"]
    )
    caption = (
        f"Measures of depth boundaries, from whole maps of {', '.join(first['sizes'])}. Of the "
        f"floors: {FLOORS_AT_BOUNDARIES}."
    )
    return Table(caption, "", tuple(columns), rows, name="boundaries")


def distance_table(several: Sequence[Results], tallies: Sequence[Tally]) -> Table:
    """The figures behind the chart of errors by true depth."""
    columns = [Column("readings")]
    for results in several:
        of = f"{results.label} " if len(several) > 1 else ""
        columns += [Column(f"{of}AbsRel", mode) for mode in MODES]
        columns += [Column(f"{of}bias", "sparse, + is too far"), Column(f"{of}δ₁", "sparse")]
    rows = []
    for band in tallies[0].readings.nonzero()[0].tolist():
        count = int(tallies[0].readings[band])
        cells = [Cell(f"{count:,}", float(count))]
        for counted in tallies:
            cells += [_cell(getattr(counted, mode).error[band] / count) for mode in MODES]
            bias = counted.sparse.bias[band] / count
            cells += [Cell(f"{bias:+.4f}", float(bias)), _cell(counted.sparse.near[band] / count)]
        rows.append(Row(f"{band * BAND_M:g}–{(band + 1) * BAND_M:g} m", tuple(cells)))
    caption = "By true depth; every reading counts the same here, whichever image it is of."
    return Table(caption, "true depth", tuple(columns), tuple(rows), name="distance")


def images_table(several: Sequence[Results]) -> Table:
    """Every image, worst first."""
    of_one = (
        ("sparse_abs_rel", Column("AbsRel", "sparse")),
        ("dense_abs_rel", Column("AbsRel", "dense")),
        ("sparse_rmse", Column("RMSE", "sparse, m")),
        ("sparse_silog", Column("SILog", "sparse")),
        ("sparse_delta1", Column("δ₁", "sparse")),
        ("image_median_abs_rel", Column("AbsRel", "floor: image median")),
        ("gap_mean_m", Column("gap", "sparse − dense, m")),
    )
    readings = several[0].per_image("points")
    columns, values = [Column("readings")], []
    for results in several:
        for key, column in of_one if len(several) == 1 else of_one[:2]:
            of = results.per_image(key)
            if of:
                heading = column.heading if len(several) == 1 else f"{results.label} AbsRel"
                columns.append(Column(heading, column.hint))
                values.append(of)
    abs_rel = several[0].per_image("sparse_abs_rel")
    rows = tuple(
        Row(
            name,
            (
                Cell(f"{int(readings[name]):,}", readings[name]) if name in readings else Cell("–"),
                *(_cell(of.get(name)) for of in values),
            ),
        )
        for name in sorted(abs_rel, key=lambda name: (-abs_rel[name], name))
    )
    whose = f" of {several[0].label}" if len(several) > 1 else ""
    caption = f"All {len(rows):,} images, worst sparse AbsRel{whose} first; headings sort."
    return Table(caption, "image", tuple(columns), rows, sortable=True, name="images")


def skipped_table(protocol: str, skipped: Mapping[str, str]) -> Table:
    """The images that a protocol left out, each with the reason."""
    count = f"{len(skipped):,} {plural(len(skipped), 'image')}"
    rows = tuple(Row(name, (Cell(reason),)) for name, reason in sorted(skipped.items()))
    caption = f"{count} not scored under protocol {protocol}."
    return Table(caption, "image", (Column("reason"),), rows, name=f"skipped-{protocol}")


def skipped_words(protocol: str, skipped: Mapping[str, str]) -> str:
    """How many images a protocol left out for which reason, in a sentence."""
    reasons = sorted(collections.Counter(skipped.values()).items())
    said = ", ".join(f"{count:,} with {reason}" for reason, count in reasons)
    return f"Not scored under protocol {protocol}: {said}. They are in none of its numbers."


def plural(count: int, word: str) -> str:
    """The word with an s, but for one."""
    return word if count == 1 else f"{word}s"


def _cell(value: float | None, *, best: bool = False, quiet: bool = False) -> Cell:
    if value is None:
        return Cell("–", quiet=quiet)
    return Cell(f"{value:.4f}", float(value), best, quiet)


def _best(models: Sequence[Numbers]) -> dict[str, float]:
    """The best value of each number among the models; floors do not compete."""
    return {
        key: (max if key.startswith("delta") else min)(numbers[key] for numbers in models)
        for key in METRIC_NAMES
        if all(key in numbers for numbers in models)
    }


def _hint(key: str, silog: str) -> str:
    better = "↑" if key.startswith("delta") else "↓"
    unit = _UNITS.get(key) or ("×100" if key == "silog" and silog == "bts" else "")
    return f"{better} {unit}".rstrip()


def boundary_words(key: str) -> str:
    """A boundary measure's name as a reader sees it."""
    words = key.removesuffix("_px").replace("_", " ")
    for short, full in (
        ("si ", "Depth Pro, "), ("r1 ", "MoGe, radius 1: "), ("r2 ", "MoGe, radius 2: "),
        ("r3 ", "MoGe, radius 3: "), ("dbe tum ", "distance of edges (iBims-1): "),
        ("dbe sharpnet ", "distance of edges (SharpNet): "),
    ):  # fmt: skip
        words = full + words.removeprefix(short) if words.startswith(short) else words
    words = words.replace("f1", "F1")
    return f"{words} (px)" if key.endswith("_px") else words
