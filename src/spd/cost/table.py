"""The value that every cost function returns, as text and as JSON."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

Unit = Literal["parameters", "MACs", "queries", "percent", "times", "bytes"]
Number = int | float


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One figure: what the formulas give, and what the specification prints for it."""

    name: str
    """What is counted."""
    unit: Unit
    """Of the values."""
    values: tuple[Number | None, ...]
    """One exact value for each column of the table; None where the column has no such term."""
    key: str
    """Names the figure in `spd.cost.spec_values.PRINTED`, as section/figure."""
    printed: str | None = None
    """The specification's own figure, as it writes it; it belongs to the first column."""
    agrees: bool | None = None
    """Whether the first value rounds to `printed`; None where nothing is printed."""
    note: str = ""
    """Why the two differ, or what the figure includes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table of the specification, or one beside it."""

    title: str
    section: str
    """The section of the specification it recomputes."""
    columns: tuple[str, ...]
    """Names of the values in every row."""
    rows: tuple[Row, ...]


def render(tables: Sequence[Table]) -> str:
    """The tables as Markdown with aligned columns, readable as it is in a terminal."""
    return "\n\n".join(_render_table(table) for table in tables) + "\n"


def to_json(tables: Sequence[Table]) -> dict[str, Any]:
    """The tables as plain JSON data; values are keyed by their column."""
    return {"tables": [_table_data(table) for table in tables]}


def format_value(value: Number | None, unit: Unit) -> str:
    """One value as text: counts with thousands separators, ratios with their sign or factor."""
    if value is None:
        return ""
    if unit == "percent":
        return f"{value:.2f} %"
    if unit == "times":
        return f"{value:.2f}x"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _render_table(table: Table) -> str:
    has_printed = any(row.printed is not None for row in table.rows)
    lines = [["", *table.columns] + (["printed"] if has_printed else [])]
    notes: list[str] = []
    for row in table.rows:
        mark = ""
        if row.note:
            if row.note not in notes:
                notes.append(row.note)
            mark = f" [{notes.index(row.note) + 1}]"
        line = [row.name + mark, *(format_value(value, row.unit) for value in row.values)]
        if has_printed:
            line.append(f"{row.printed or ''}{' (differs)' if row.agrees is False else ''}")
        lines.append(line)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    text = [f"### {table.section}: {table.title}", ""]
    text += [_join(lines[0], widths), _rule(widths)]
    text += [_join(line, widths) for line in lines[1:]]
    if notes:
        text += ["", *(f"- [{n}] {note}" for n, note in enumerate(notes, start=1))]
    return "\n".join(text)


def _join(cells: list[str], widths: list[int]) -> str:
    """A line of the table: names to the left, numbers to the right."""
    padded = [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"


def _rule(widths: list[int]) -> str:
    """The line under the header, which also tells Markdown how to align."""
    cells = ["-" * widths[0], *("-" * max(width - 1, 1) + ":" for width in widths[1:])]
    return "| " + " | ".join(cells) + " |"


def _table_data(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "section": table.section,
        "columns": list(table.columns),
        "rows": [
            {
                "name": row.name,
                "key": row.key,
                "unit": row.unit,
                "values": dict(zip(table.columns, row.values, strict=True)),
                "printed": row.printed,
                "agrees": row.agrees,
                "note": row.note,
            }
            for row in table.rows
        ],
    }
