"""The experiment's results as a Markdown page: tables, then which claims hold."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from research.experiment.names import (
    EDGELESS,
    FOUND_EDGES,
    MEASURES,
    VARIANTS,
    busy_words,
    decimals,
    verdict_words,
)
from research.experiment.summary import Comparison, Summary
from spd.evaluation.metrics.edges import BANDS_PX, band_name
from spd.evaluation.near_edges import BASELINES_AT_BOUNDARIES
from spd.outputs.tables import markdown_table

BANDS = tuple(band_name(limits) for limits in BANDS_PX)
BAND_NUMBERS = [f"{kind} {band}" for kind in ("AbsRel", "delta1") for band in BANDS]
EDGE_NUMBERS = ("AbsRel 0-1 px", "AbsRel 1-2 px", "si_f1", "r1_f1")
OTHERS = ("v15.1", "bilinear", "one stage", "v15.2 dense, a tenth")
_BASELINES_NOTE = f"{BASELINES_AT_BOUNDARIES.capitalize()}."


def results_text(summary: Summary) -> str:
    """All results as one page."""
    sections = [
        _set_up(summary),
        _training(summary),
        _accuracy(summary),
        _edges(summary),
        _boundaries(summary),
        *(_extra(summary, place) for place in range(len(summary.extra))),
        _joint(summary),
        _latency(summary),
        _attention(summary),
        _conclusions(summary),
        _comparisons(summary),
    ]
    return "\n\n".join(block for section in sections for block in section) + "\n"


def _set_up(summary: Summary) -> Iterator[str]:
    """Every setting, the data, the baselines and the machine, in one table."""
    rows = {key.replace("_", " "): value for key, value in summary.config.items()}
    rows["data"] = summary.extra
    for baseline in summary.baselines["held_out"].values():
        metres = f"{baseline['metres']:.3f} m everywhere" if "metres" in baseline else None
        known = [text for text in (metres, baseline.get("origin")) if text]
        rows[f"baseline: {baseline['name']}"] = known
    rows |= summary.latency["machine"]
    yield "### Set-up"
    yield markdown_table(
        ["", ""],
        [
            (key, "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
            for key, value in rows.items()
            if value not in (None, "none", (), [])
        ],
    )


def _training(summary: Summary) -> Iterator[str]:
    yield "### What was trained"
    yield markdown_table(
        ["", "", "parameters", "steps", "seconds a seed"],
        [
            [
                name,
                next(variant.about for variant in VARIANTS.values() if variant.name == name),
                f"{found['parameters']:,.0f}",
                f"{found['steps']:,.0f}",
                f"{found['seconds']:.0f}",
            ]
            for name, found in summary.training.items()
        ],
    )


def _accuracy(summary: Summary) -> Iterator[str]:
    columns = ["AbsRel", "RMSE (m)", "delta1", "AbsRel dense", "gap, mean (m)", "gap, mean (share)"]
    columns += [
        f"{name} extra_{place}"
        for place in range(len(summary.extra))
        for name in ("AbsRel", "delta1")
    ]
    yield "### Held-out rooms"
    yield markdown_table(["", *columns], [*_rows(summary, columns), *_baselines(summary, columns)])


def _baselines(summary: Summary, columns: Sequence[str]) -> list[list[str]]:
    """Both baselines in those columns that a baseline has, for rooms and further data."""
    rows = []
    for key, baseline in summary.baselines["held_out"].items():
        known = _baseline_numbers(baseline, "")
        for place in range(len(summary.extra)):
            known |= _baseline_numbers(summary.baselines[f"extra_{place}"][key], f" extra_{place}")
        cells = [f"{known[c]:.4f}" if c in known else "" for c in columns]
        rows.append([f"baseline: {baseline['name']}", *cells])
    return rows


def _baseline_numbers(baseline: Mapping[str, Any], ending: str) -> dict[str, float]:
    numbers = {
        "AbsRel": baseline["abs_rel"],
        "RMSE (m)": baseline["rmse"],
        "delta1": baseline["delta1"],
    }
    numbers |= baseline.get("bands", {})
    return {name + ending: value for name, value in numbers.items()}


def _edges(summary: Summary) -> Iterator[str]:
    rows = [*_rows(summary, BAND_NUMBERS), *_baseline_rows(summary, "held_out")]
    yield "### By distance to the nearest true edge"
    yield markdown_table(["", *BAND_NUMBERS], rows)


def _boundaries(summary: Summary) -> Iterator[str]:
    columns = [c for c in _all_numbers(summary) if c.startswith(MEASURES) and "extra_" not in c]
    yield "### Boundaries of whole maps"
    yield markdown_table(["", *columns], [*_rows(summary, columns), *_edgeless(summary, columns)])
    yield _BASELINES_NOTE


def _edgeless(summary: Summary, columns: Sequence[str]) -> list[list[str]]:
    """Both baselines at boundaries: maps of one depth."""
    cells = [EDGELESS[c.startswith(FOUND_EDGES)] if c.startswith(MEASURES) else "" for c in columns]
    baselines = summary.baselines["held_out"].values()
    return [[f"baseline: {baseline['name']}", *cells] for baseline in baselines]


def _extra(summary: Summary, place: int) -> Iterator[str]:
    """Further data, such as real frames, as far as it was scored: edges, gap and boundaries.

    The names of its numbers end in `extra_0` and so on; the table leaves the ending out.
    """
    ending, data = f" extra_{place}", summary.extra[place]
    known = [c.removesuffix(ending) for c in _all_numbers(summary) if c.endswith(ending)]
    if set(BAND_NUMBERS) & set(known):
        yield "### Real frames, by distance to the edge"
        yield f"Of `{data}`; a hole has no edge."
        rows = [*_rows(summary, BAND_NUMBERS, ending), *_baseline_rows(summary, ending.strip())]
        yield markdown_table(["", *BAND_NUMBERS], rows)
    columns = [c for c in known if c.startswith(("gap", *MEASURES))]
    if columns:
        measured = any(c.startswith(MEASURES) for c in columns)
        note = f" Boundaries are of frames as large as their photo. {_BASELINES_NOTE}"
        baselines = _edgeless(summary, columns) if measured else []
        yield "### Real frames, gap of the modes and boundaries"
        yield f"Of `{data}`.{note if measured else ''}"
        yield markdown_table(["", *columns], [*_rows(summary, columns, ending), *baselines])


def _joint(summary: Summary) -> Iterator[str]:
    """The models whose trunk was trained too; nothing if there are none."""
    if not summary.joint:
        return
    columns = ["AbsRel", "RMSE (m)", "delta1", "AbsRel dense", *BAND_NUMBERS[: len(BANDS)]]
    columns += [f"AbsRel extra_{place}" for place in range(len(summary.extra))]
    rows = _rows(dataclasses.replace(summary, numbers=summary.joint), columns)
    config = summary.config
    yield "### Trained jointly"
    yield (
        f"Trunk and local path for {config['joint_steps']:,} more steps from the heads of "
        f"{config['joint_seeds']} seeds, at the rates of `rooms_shipped`; on held-out rooms."
    )
    yield markdown_table(["", *columns], [*rows, *_baselines(summary, columns)])
    yield "\n".join(
        f"- **{c.ours} against {c.other}**: {_interval(c)}."
        for c in summary.joint_comparisons
        if c.number in ("AbsRel", *EDGE_NUMBERS[:2])
    )


def _latency(summary: Summary) -> Iterator[str]:
    found = summary.latency["milliseconds"]
    kinds = list(next(iter(found.values())))
    rows = [[name, *(f"{times[kind]:.2f}" for kind in kinds)] for name, times in found.items()]
    machine = summary.latency["machine"]
    yield "### Milliseconds after `encode`"
    yield (
        f"Medians on {machine['processor']}, {machine['torch_threads']} thread(s), "
        f"torch {machine['torch']}, float32."
    )
    if (caution := busy_words(machine)) is not None:
        yield caution
    yield markdown_table(["", *kinds], rows)


def _attention(summary: Summary) -> Iterator[str]:
    rows = []
    for stage in (1, 2):
        for band in BANDS:
            here = [r for r in summary.attention if r["stage"] == stage and r["band"] == band]
            if here:
                rows.append([str(stage), band, *_attention_cells(here)])
    yield "### Attention mass on the query's own surface"
    yield (
        "The rooms know the surface under every point. Attention above uniform weights means that "
        "queries prefer tokens of their own surface."
    )
    head = ["stage", "distance to the edge", "uniform weights", "attention", "difference"]
    yield markdown_table([*head, "attention, head by head"], rows)


def _attention_cells(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    means = [row["mass"] for row in rows if row["head"] is None]
    heads = sorted({row["head"] for row in rows if row["head"] is not None})
    by_head = [np.mean([row["mass"] for row in rows if row["head"] == head]) for head in heads]
    spread = np.std(means, ddof=1) if len(means) > 1 else 0.0
    uniform, mean = rows[0]["uniform"], np.mean(means)
    return [
        f"{uniform:.3f}",
        f"{mean:.3f} ± {spread:.3f}",
        f"{round(mean - uniform, 3) + 0.0:+.3f}",  # no minus before zero
        ", ".join(f"{value:.3f}" for value in by_head),
    ]


def _conclusions(summary: Summary) -> Iterator[str]:
    lines = []
    for other in OTHERS:
        found = [c for name in EDGE_NUMBERS if (c := summary.compared(name, other)) is not None]
        overall = summary.compared("AbsRel", other)
        if overall is None:
            continue
        edges = "; ".join(_verdict(summary, c) for c in found)
        lines.append(
            f"- **{overall.ours} against {other}.** Overall: {_verdict(summary, overall)}. "
            f"At edges: {edges}."
        )
    yield "### What holds"
    yield (
        "A variant is ahead or behind in a number where the 95 % interval of the difference of the "
        f"means over {summary.config['seeds']} seeds (Welch) excludes zero; otherwise it is "
        "undecided. The seeds are of the heads: there is one trunk and one set of rooms, so the "
        "interval does not cover another trunk. Many numbers are compared, so about one in twenty "
        "is decided by chance."
    )
    yield "\n".join(lines)


def _comparisons(summary: Summary) -> Iterator[str]:
    """Every number of every pair, with its interval and verdict."""
    if not summary.comparisons:
        return
    yield "### Every comparison"
    yield markdown_table(
        ["", "number", "difference", "95 % interval", "verdict"],
        [
            [
                f"{c.ours} against {c.other}",
                c.number,
                f"{c.difference:+.{decimals(c.number)}f}",
                f"{c.low:+.{decimals(c.number)}f} to {c.high:+.{decimals(c.number)}f}",
                _verdict_words(summary, c),
            ]
            for c in summary.comparisons
        ],
    )


def _verdict(summary: Summary, comparison: Comparison) -> str:
    verdict = _verdict_words(summary, comparison)
    if verdict != comparison.verdict:
        return f"{comparison.number}: {verdict}"
    return _interval(comparison)


def _verdict_words(summary: Summary, c: Comparison) -> str:
    mean = summary.numbers[c.ours][c.number].mean
    return verdict_words(c.number, c.verdict, (c.low, c.high), mean)


def _interval(c: Comparison) -> str:
    digits = decimals(c.number)
    difference, low, high = (f"{value:+.{digits}f}" for value in (c.difference, c.low, c.high))
    return f"{c.number} {difference} ({low} to {high}): {c.verdict}"


def _all_numbers(summary: Summary) -> list[str]:
    return list(dict.fromkeys(name for found in summary.numbers.values() for name in found))


def _rows(summary: Summary, columns: Sequence[str], ending: str = "") -> list[list[str]]:
    """One row per variant; `ending` is that of the data set's numbers."""
    names = [column + ending for column in columns]
    return [
        [variant, *(found[n].text(decimals(n)) if n in found else "" for n in names)]
        for variant, found in summary.numbers.items()
    ]


def _baseline_rows(summary: Summary, data: str) -> list[list[str]]:
    """Both baselines near edges; none where they were not scored there."""
    return [
        [
            f"baseline: {baseline['name']}",
            *(f"{bands[name]:.4f}" if name in bands else "" for name in BAND_NUMBERS),
        ]
        for baseline in summary.baselines.get(data, {}).values()
        if (bands := baseline.get("bands"))
    ]
