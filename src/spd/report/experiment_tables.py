"""The tables of an experiment, from its stored numbers, and the words they use for them."""

from collections.abc import Mapping, Sequence

import numpy as np

from spd.evaluation.metrics.edges import BANDS_PX, band_name
from spd.experiment.names import (
    EDGELESS,
    FOUND_EDGES,
    HIGHER_IS_BETTER,
    MEASURES,
    VARIANTS,
    decimals,
)
from spd.report.experiment_results import Attention, Experiment, Pair, Spread
from spd.report.experiment_words import AT_EDGES, SIGNS, joined
from spd.report.parts import Cell, Column, Row, Table
from spd.report.tables import boundary_words, plural

BANDS = tuple(band_name(band) for band in BANDS_PX)
KEY_NUMBERS = ("AbsRel", AT_EDGES, f"AbsRel {BANDS[1]}", "si_f1", "r1_f1")
"""Those that the specification's claims are about."""
ABOUT = {str(name): variant.about for name, variant in VARIANTS.items()}
OF_DENSE_MAPS = tuple(str(name) for name, v in VARIANTS.items() if v.boundaries == "dense")
"""Variants whose boundaries are of the dense map, as asking every pixel would take too long."""
_ACCURACY = (
    "AbsRel", "RMSE (m)", "delta1", "AbsRel dense", "gap, mean (m)", "gap, mean (share)",
)  # fmt: skip
_OF_FLOOR = {"AbsRel": "abs_rel", "RMSE (m)": "rmse", "delta1": "delta1"}
_DISTANCES = ("dbe_",)
OF_EXTRA = " extra_"
"""How names of numbers end that are of further data, with its place behind."""


def number_words(number: str, extra: Sequence[str] = ()) -> str:
    """A number's name as a reader sees it; one of further data says of which."""
    name, _, place = number.partition(OF_EXTRA)
    words = boundary_words(name) if name.startswith(MEASURES) else name.replace("delta1", "δ₁")
    if not place:
        return words
    return f"{words} on {extra[int(place)] if int(place) < len(extra) else f'extra_{place}'}"


def better(number: str) -> str:
    """`↑` where more is better, `↓` where less is."""
    return "↑" if number.startswith(HIGHER_IS_BETTER) else "↓"


def training_table(found: Experiment) -> Table:
    """What each variant is and what it took."""
    columns = (Column("parameters"), Column("steps"), Column("seconds", "of a seed"))
    rows = tuple(
        Row(
            f"{name}: {ABOUT[name]}" if name in ABOUT else name,
            (
                Cell(f"{of['parameters']:,.0f}", of["parameters"]),
                Cell(f"{of['steps']:,.0f}", of["steps"]),
                Cell(f"{of['seconds']:,.1f}", of["seconds"]),
            ),
        )
        for name, of in found.training.items()
    )
    return Table("What was trained: the local path alone.", "", columns, rows, name="training")


def accuracy_table(found: Experiment) -> Table:
    """Accuracy on held-out rooms, beside the floors."""
    config = found.config
    numbers = [number for number in _ACCURACY if number in found.names()]
    caption = (
        f"On {config['held_out_rooms']:,} held-out rooms, {config['held_out_points']:,} readings "
        f"each, {spread_words(found)}. {_bold(found)}"
    )
    rows = (*_variant_rows(found, numbers), *_floor_rows(found, "held_out", numbers, _OF_FLOOR))
    return Table(caption, "local path", _columns(numbers), rows, name="accuracy")


def extra_tables(found: Experiment) -> list[Table]:
    """One for each further data set."""
    tables = []
    for place, data in enumerate(found.extra):
        key = f"extra_{place}"
        gap = [name for name in _ACCURACY if name.startswith("gap")]
        plain = ["AbsRel", "delta1", *(name for name in gap if f"{name} {key}" in found.names())]
        numbers = [f"{name} {key}" for name in plain]
        of_floor = {numbers[0]: "abs_rel", numbers[1]: "delta1"}
        rows = (*_variant_rows(found, numbers), *_floor_rows(found, key, numbers, of_floor))
        caption = f"On {data}, {spread_words(found)}. {_bold(found)}"
        name = key.replace("_", "-")
        tables.append(Table(caption, "local path", _columns(plain), rows, name=name))
    return tables


def bands_table(found: Experiment, kind: str, place: int | None = None) -> Table:
    """AbsRel or delta1 by distance to the nearest true edge.

    Args:
        found: the experiment.
        kind: which.
        place: of the further data; None: the held-out rooms.
    """
    ending = "" if place is None else f"{OF_EXTRA}{place}"
    bands = [f"{kind} {band}" for band in BANDS]
    columns = tuple(Column(band, better(kind)) for band in BANDS)
    rows = (
        *_variant_rows(found, [f"{band}{ending}" for band in bands]),
        *_band_floor_rows(found, ending.strip() or "held_out", bands),
    )
    caption = (
        f"{number_words(kind)} by distance to the nearest true edge, {spread_words(found)}. "
        f"{_bold(found)}"
    )
    if place is not None:
        caption = f"Real frames, by distance to the edge: {found.extra[place]}. {caption}"
    name = f"edges-{kind.lower()}{ending.strip().replace('extra_', '-extra-')}"
    return Table(caption, "local path", columns, rows, name=name)


def extra_bands_tables(found: Experiment) -> list[Table]:
    """Further data by distance to its edges, as far as that was scored."""
    return [
        bands_table(found, kind, place)
        for place in range(len(found.extra))
        for kind in ("AbsRel", "delta1")
        if any(f"{kind} {band}{OF_EXTRA}{place}" in found.names() for band in BANDS)
    ]


def boundaries_tables(found: Experiment) -> list[Table]:
    """Boundary measures from whole maps: those that are shares, and those in pixels."""
    rooms = found.config["edge_rooms"]
    of = f"on whole maps of {rooms:,} held-out {plural(rooms, 'room')} of 320x240"
    tables = _measures_tables(found, of, "")
    for place, data in enumerate(found.extra):
        tables += _measures_tables(found, f"on whole maps of {data}", f"{OF_EXTRA}{place}")
    return tables


def _measures_tables(found: Experiment, of: str, ending: str) -> list[Table]:
    tables = []
    for name, what, prefixes in (
        ("boundaries", "Depth boundaries", FOUND_EDGES),
        ("distances", "Distances of depth edges in pixels", _DISTANCES),
    ):
        numbers = [
            number
            for number in found.names()
            if number.startswith(prefixes)
            and (number.endswith(ending) if ending else OF_EXTRA not in number)
        ]
        if numbers:
            columns = _columns([number.removesuffix(ending) for number in numbers])
            rows = (*_variant_rows(found, numbers), *_edgeless_rows(found, numbers))
            caption = f"{what} {of}, {spread_words(found)}. {_bold(found)}"
            table = name + ending.strip().replace("extra_", "-extra-")
            tables.append(Table(caption, "local path", columns, rows, name=table))
    return tables


def _edgeless_rows(found: Experiment, numbers: Sequence[str]) -> tuple[Row, ...]:
    """Both floors at boundaries: maps of one depth."""
    cells = tuple(Cell(EDGELESS[n.startswith(FOUND_EDGES)], quiet=True) for n in numbers)
    return tuple(
        Row(f"floor: {floor['name']}", cells) for floor in found.floors.get("held_out", ())
    )


def pair_table(found: Experiment, pair: Pair, numbers: Sequence[str], name: str) -> Table:
    """Two variants in some numbers: verdict, difference and its interval, means."""
    rows = []
    for number in numbers:
        compared = pair.of(number)
        if compared is None:
            continue
        means = [found.numbers[variant][number].mean for variant in (pair.ours, pair.other)]
        digits = decimals(number)
        interval = f"{compared.low:+.{digits}f} to {compared.high:+.{digits}f}"
        rows.append(
            Row(
                f"{number_words(number, found.extra)}\N{NO-BREAK SPACE}{better(number)}",
                (
                    Cell(SIGNS[compared.verdict]),
                    Cell(f"{compared.difference:+.{digits}f}", compared.difference),
                    Cell(interval),
                    *(Cell(f"{mean:.{digits}f}", mean) for mean in means),
                ),
            )
        )
    columns = (
        Column("verdict", f"on {pair.ours}"), Column("difference"),
        Column("95 % interval", "of the difference"),
        Column(pair.ours, "mean"), Column(pair.other, "mean"),
    )  # fmt: skip
    caption = f"{pair.ours} against {pair.other}."
    return Table(caption, "number", columns, tuple(rows), name=name)


def latency_table(found: Experiment) -> Table:
    """Milliseconds of an answer once the photo is encoded."""
    kinds = list(dict.fromkeys(kind for of in found.milliseconds.values() for kind in of))
    rows = tuple(
        Row(name, tuple(Cell(f"{of[k]:.2f}", of[k]) if k in of else Cell("–") for k in kinds))
        for name, of in found.milliseconds.items()
    )
    columns = tuple(Column(kind, "whole map" if kind == "dense" else "points") for kind in kinds)
    processor = found.machine.get("processor", "an unknown machine")
    caption = f"Milliseconds after the photo is encoded, medians on {processor}, float32."
    return Table(caption, "local path", columns, rows, name="latency")


def attention_table(found: Experiment) -> Table:
    """Attention mass on the query's own surface beside what uniform weights give."""
    groups: dict[tuple[int, str], list[Attention]] = {}
    for one in found.attention:
        groups.setdefault((one.stage, one.band), []).append(one)
    rows = tuple(
        Row(f"stage {stage}, {band}", _attention_cells(of)) for (stage, band), of in groups.items()
    )
    columns = (
        Column("uniform weights"), Column("attention", "mean ± standard deviation"),
        Column("difference"), Column("attention", "head by head"),
    )  # fmt: skip
    caption = "Attention mass on the query's own surface, by distance to the nearest depth edge."
    return Table(caption, "", columns, rows, name="attention")


def _attention_cells(of: Sequence[Attention]) -> tuple[Cell, ...]:
    seeds = [one.mass for one in of if one.head is None]
    heads = sorted({one.head for one in of if one.head is not None})
    by_head = [np.mean([one.mass for one in of if one.head == head]) for head in heads]
    uniform = of[0].uniform
    spread = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else 0.0
    mean = float(np.mean(seeds)) if seeds else float(np.mean(by_head))
    return (
        Cell(f"{uniform:.3f}", uniform, quiet=True),
        Cell(f"{mean:.3f} ± {spread:.3f}", mean),
        Cell(f"{round(mean - uniform, 3) + 0.0:+.3f}", mean - uniform),  # no minus before zero
        Cell(", ".join(f"{value:.3f}" for value in by_head)),
    )


def spread_words(found: Experiment) -> str:
    """What stands in a cell."""
    return f"mean ± standard deviation over {found.config['seeds']} seeds"


def _bold(found: Experiment) -> str:
    """What a mark means, and that none means something too."""
    if not found.rivals:
        return "Nothing was compared, so none is marked."
    who = joined([found.subject, *(pair.other for pair in found.rivals)])
    return f"Bold: decided to be the best of {who}; where none is, it is open."


def _columns(numbers: Sequence[str]) -> tuple[Column, ...]:
    """A column each; of `MoGe, radius 1: F1` what comes first is the smaller line."""
    columns = []
    for number in numbers:
        words = number_words(number)
        mark = ": " if ": " in words else ", "
        of, _, measure = words.rpartition(mark) if number != words else ("", "", words)
        columns.append(Column(measure, f"{of} {better(number)}".lstrip()))
    return tuple(columns)


def _variant_rows(found: Experiment, numbers: Sequence[str]) -> tuple[Row, ...]:
    return tuple(
        Row(name, tuple(_cell(found, name, number) for number in numbers)) for name in found.numbers
    )


def _cell(found: Experiment, name: str, number: str) -> Cell:
    spread: Spread | None = found.numbers[name].get(number)
    if spread is None:
        return Cell("–")
    return Cell(spread.text(decimals(number)), spread.mean, best=found.decided_best(number) == name)


def _floor_rows(
    found: Experiment, data: str, numbers: Sequence[str], of_floor: Mapping[str, str]
) -> tuple[Row, ...]:
    """The floors in some numbers, by the names these have in a floor."""
    known = [
        (floor["name"], {n: float(floor[key]) for n, key in of_floor.items()})
        for floor in found.floors.get(data, ())
    ]
    return tuple(_floor_row(name, values, numbers) for name, values in known)


def _band_floor_rows(found: Experiment, data: str, numbers: Sequence[str]) -> tuple[Row, ...]:
    """The floors near edges; none where they were not scored there."""
    return tuple(
        _floor_row(floor["name"], floor["bands"], numbers)
        for floor in found.floors.get(data, ())
        if floor.get("bands")
    )


def _floor_row(name: str, values: Mapping[str, float], numbers: Sequence[str]) -> Row:
    cells = [
        Cell(f"{values[n]:.4f}", values[n], quiet=True) if n in values else Cell("–", quiet=True)
        for n in numbers
    ]
    return Row(f"floor: {name}", tuple(cells))
