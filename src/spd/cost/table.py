"""Rows and tables of counts, as Markdown text and as JSON data."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Literal

Unit = Literal["parameters", "MACs", "queries", "percent", "times", "bytes"]
Number = int | float


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    """Name for readers."""
    unit: Unit
    """Unit of the values."""
    values: tuple[Number | None, ...]
    """One exact value per column of the table; None if the column has no such term."""
    key: str
    """Name of the figure for programs: section/figure."""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """The figures of one section of the specification."""

    title: str
    section: str
    """The section, as `docs/architecture.md` numbers it."""
    columns: tuple[str, ...]
    """Names of the values of every row."""
    rows: tuple[Row, ...]


class Rows:
    """Collects the rows of one table; `unit` applies to rows that name no other."""

    def __init__(self, section: str, unit: Unit) -> None:
        self.section, self.unit = section, unit
        self.rows: list[Row] = []

    def add(self, key: str, name: str, *values: Number | None, unit: Unit | None = None) -> None:
        """Append a row."""
        self.rows.append(Row(name, unit or self.unit, values, f"{self.section}/{key}"))

    def table(self, title: str, columns: Iterable[str]) -> Table:
        """The finished table."""
        return Table(title, self.section, tuple(columns), tuple(self.rows))


def render(tables: Sequence[Table]) -> str:
    """Format tables as Markdown with aligned columns, which a terminal shows well too."""
    return "\n\n".join(_render_table(table) for table in tables) + "\n"


def to_json(tables: Sequence[Table]) -> dict[str, Any]:
    """Convert tables to plain JSON data; values are keyed by their column."""
    return {
        "tables": [
            {
                "title": table.title,
                "section": table.section,
                "columns": list(table.columns),
                "rows": [
                    {
                        "name": row.name,
                        "key": row.key,
                        "unit": row.unit,
                        "values": dict(zip(table.columns, row.values, strict=True)),
                    }
                    for row in table.rows
                ],
            }
            for table in tables
        ]
    }


def format_value(value: Number | None, unit: Unit) -> str:
    """Format a value: counts with thousands separators, ratios with % or x."""
    if value is None:
        return ""
    if unit == "percent":
        return f"{value:.2f} %"
    if unit == "times":
        return f"{value:.2f}x"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table of equal-length lines; the first column is text, the others are numbers."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * max(width - 1, 1) + ":" for width in widths[1:])]
    first, *others = (
        [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (first, rule, *others))


def _render_table(table: Table) -> str:
    lines = [["", *table.columns]]
    for row in table.rows:
        lines.append([row.name, *(format_value(value, row.unit) for value in row.values)])
    return f"### {table.section}: {table.title}\n\n{aligned(lines)}"
