"""The experiment's results as a page of Markdown: tables, then what they say in plain words."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from spd.evaluation.near_edges import FLOORS_AT_BOUNDARIES
from spd.experiment.names import (
    EDGELESS,
    FOUND_EDGES,
    MEASURES,
    VARIANTS,
    busy_words,
    decimals,
    verdict_words,
)
from spd.experiment.summary import Comparison, Summary

ABOUT = {str(name): variant.about for name, variant in VARIANTS.items()}

BANDS = ("0-1 px", "1-2 px", "2-4 px", "4-8 px", ">8 px")
BAND_NUMBERS = [f"{kind} {band}" for kind in ("AbsRel", "delta1") for band in BANDS]
EDGE_NUMBERS = ("AbsRel 0-1 px", "AbsRel 1-2 px", "si_f1", "r1_f1")
OTHERS = ("v15.1", "bilinear", "one stage", "v15.2 dense, a tenth")
_FLOORS_SAID = f"Of the floors: {FLOORS_AT_BOUNDARIES}."


def results_text(summary: Summary) -> str:
    """Everything, as one page."""
    parts = [
        _training(summary),
        _accuracy(summary),
        _edges(summary),
        _boundaries(summary),
        *(_extra(summary, place) for place in range(len(summary.extra))),
        _joint(summary),
        _latency(summary),
        _attention(summary),
        _conclusions(summary),
    ]
    return "\n".join(line for part in parts if part for line in [*part, ""])


def _training(summary: Summary) -> list[str]:
    rows = [
        [
            name,
            ABOUT[name],
            f"{t['parameters']:,.0f}",
            f"{t['steps']:,.0f}",
            f"{t['seconds']:.0f}",
        ]
        for name, t in summary.training.items()
    ]
    return [
        "### What was trained",
        "",
        *_table(["", "", "parameters", "steps", "seconds a seed"], rows),
    ]


def _accuracy(summary: Summary) -> list[str]:
    columns = ["AbsRel", "RMSE (m)", "delta1", "AbsRel dense", "gap, mean (m)", "gap, mean (share)"]
    columns += [
        f"{name} extra_{place}"
        for place in range(len(summary.extra))
        for name in ("AbsRel", "delta1")
    ]
    rows = [*_rows(summary, columns), *_floors(summary, columns)]
    return ["### Held-out rooms", "", *_table(["", *columns], rows)]


def _floors(summary: Summary, columns: Sequence[str]) -> list[list[str]]:
    """Both floors in those columns that a floor has, of rooms and of further data."""
    rows = []
    for key, floor in summary.floors["held_out"].items():
        known = _of_floor(floor, "")
        for place in range(len(summary.extra)):
            known |= _of_floor(summary.floors[f"extra_{place}"][key], f" extra_{place}")
        cells = [f"{known[c]:.4f}" if c in known else "" for c in columns]
        rows.append([f"floor: {floor['name']}", *cells])
    return rows


def _of_floor(floor: Mapping[str, Any], ending: str) -> dict[str, float]:
    numbers = {"AbsRel": floor["abs_rel"], "RMSE (m)": floor["rmse"], "delta1": floor["delta1"]}
    numbers |= floor.get("bands", {})
    return {name + ending: value for name, value in numbers.items()}


def _edges(summary: Summary) -> list[str]:
    rows = [*_rows(summary, BAND_NUMBERS), *_floor_rows(summary, "held_out")]
    return ["### By distance to the nearest true edge", "", *_table(["", *BAND_NUMBERS], rows)]


def _boundaries(summary: Summary) -> list[str]:
    columns = [c for c in _all_numbers(summary) if c.startswith(MEASURES) and "extra_" not in c]
    return [
        "### Boundaries of whole maps",
        "",
        *_table(["", *columns], [*_rows(summary, columns), *_edgeless(summary, columns)]),
        "",
        _FLOORS_SAID,
    ]


def _edgeless(summary: Summary, columns: Sequence[str]) -> list[list[str]]:
    """Both floors at boundaries: maps of one depth."""
    cells = [EDGELESS[c.startswith(FOUND_EDGES)] if c.startswith(MEASURES) else "" for c in columns]
    floors = summary.floors["held_out"].values()
    return [[f"floor: {floor['name']}", *cells] for floor in floors]


def _extra(summary: Summary, place: int) -> list[str]:
    """Further data, such as real frames, as far as it was scored: edges, then gap and boundaries.

    Its numbers end in `extra_0` and so on; here the heading says whose they are.
    """
    ending, data = f" extra_{place}", summary.extra[place]
    known = [c.removesuffix(ending) for c in _all_numbers(summary) if c.endswith(ending)]
    lines = []
    if set(BAND_NUMBERS) & set(known):
        rows = [*_rows(summary, BAND_NUMBERS, ending), *_floor_rows(summary, ending.strip())]
        lines += [
            "### Real frames, by distance to the edge",
            "",
            f"Of `{data}`; a hole has no edge.",
            "",
            *_table(["", *BAND_NUMBERS], rows),
            "",
        ]
    columns = [c for c in known if c.startswith(("gap", *MEASURES))]
    if columns:
        measured = any(c.startswith(MEASURES) for c in columns)
        said = f" Boundaries are of frames as large as their photo. {_FLOORS_SAID}"
        lines += [
            "### Real frames, gap of the modes and boundaries",
            "",
            f"Of `{data}`.{said if measured else ''}",
            "",
            *_table(
                ["", *columns],
                [
                    *_rows(summary, columns, ending),
                    *(_edgeless(summary, columns) if measured else ()),
                ],
            ),
            "",
        ]
    return lines[:-1]


def _joint(summary: Summary) -> list[str]:
    """The models whose trunk was trained on too; nothing where none was."""
    if not summary.joint:
        return []
    columns = ["AbsRel", "RMSE (m)", "delta1", "AbsRel dense", *BAND_NUMBERS[: len(BANDS)]]
    columns += [f"AbsRel extra_{place}" for place in range(len(summary.extra))]
    rows = _rows(dataclasses.replace(summary, numbers=summary.joint), columns)
    config = summary.config
    return [
        "### Trained jointly",
        "",
        f"Trunk and local path for {config['joint_steps']:,} more steps from the heads of "
        f"{config['joint_seeds']} seeds, at the rates of `rooms_shipped`; on held-out rooms.",
        "",
        *_table(["", *columns], [*rows, *_floors(summary, columns)]),
        "",
        *(
            f"- **{c.ours} against {c.other}**: {_interval(c)}."
            for c in summary.joint_comparisons
            if c.number in ("AbsRel", *EDGE_NUMBERS[:2])
        ),
    ]


def _latency(summary: Summary) -> list[str]:
    found = summary.latency["milliseconds"]
    kinds = list(next(iter(found.values())))
    rows = [[name, *(f"{times[kind]:.2f}" for kind in kinds)] for name, times in found.items()]
    machine = summary.latency["machine"]
    where = (
        f"{machine['processor']}, {machine['torch_threads']} thread(s), torch {machine['torch']}"
    )
    caution = busy_words(machine)
    return [
        "### Milliseconds after `encode`",
        "",
        f"Medians on {where}, float32.",
        *([] if caution is None else ["", caution]),
        "",
        *_table(["", *kinds], rows),
    ]


def _attention(summary: Summary) -> list[str]:
    rows = []
    for stage in (1, 2):
        for band in BANDS:
            here = [r for r in summary.attention if r["stage"] == stage and r["band"] == band]
            if not here:
                continue
            mean = [r["mass"] for r in here if r["head"] is None]
            heads = sorted({r["head"] for r in here if r["head"] is not None})
            by_head = [np.mean([r["mass"] for r in here if r["head"] == head]) for head in heads]
            spread = np.std(mean, ddof=1) if len(mean) > 1 else 0.0
            rows.append(
                [
                    str(stage),
                    band,
                    f"{here[0]['uniform']:.3f}",
                    f"{np.mean(mean):.3f} ± {spread:.3f}",
                    ", ".join(f"{value:.3f}" for value in by_head),
                ]
            )
    heading = [
        "stage",
        "distance to the edge",
        "uniform weights",
        "attention",
        "attention, head by head",
    ]
    return ["### Attention mass on the query's own surface", "", *_table(heading, rows)]


def _conclusions(summary: Summary) -> list[str]:
    lines = ["### What holds", ""]
    for other in OTHERS:
        found = [c for name in EDGE_NUMBERS if (c := summary.compared(name, other)) is not None]
        overall = summary.compared("AbsRel", other)
        if overall is None:
            continue
        edges = "; ".join(_said(summary, c) for c in found)
        overall_said = _said(summary, overall)
        lines.append(
            f"- **{overall.ours} against {other}.** Overall: {overall_said}. At edges: {edges}."
        )
    return lines


def _said(summary: Summary, comparison: Comparison) -> str:
    c = comparison
    mean = summary.numbers[c.ours][c.number].mean
    verdict = verdict_words(c.number, c.verdict, (c.low, c.high), mean)
    if verdict != c.verdict:
        return f"{c.number}: {verdict}"
    return _interval(c)


def _interval(c: Comparison) -> str:
    digits = decimals(c.number)
    difference, low, high = (f"{value:+.{digits}f}" for value in (c.difference, c.low, c.high))
    return f"{c.number} {difference} ({low} to {high}): {c.verdict}"


def _all_numbers(summary: Summary) -> list[str]:
    return list(dict.fromkeys(name for found in summary.numbers.values() for name in found))


def _rows(summary: Summary, columns: Sequence[str], of: str = "") -> list[list[str]]:
    """A row a variant; `of` is how the names of the data set's numbers end."""
    return [
        [name, *(found[c + of].text(decimals(c)) if c + of in found else "" for c in columns)]
        for name, found in summary.numbers.items()
    ]


def _floor_rows(summary: Summary, data: str) -> list[list[str]]:
    """Both floors near edges; none where they were not scored there."""
    floors = [floor for floor in summary.floors.get(data, {}).values() if floor.get("bands")]
    return [
        [
            f"floor: {floor['name']}",
            *(f"{floor['bands'][c]:.4f}" if c in floor["bands"] else "" for c in BAND_NUMBERS),
        ]
        for floor in floors
    ]


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(heading) + " |", "|" + "---|" * len(heading)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
