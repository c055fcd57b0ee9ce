"""Tables of counts, as Markdown text and as JSON data."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

Unit = Literal["parameters", "MACs", "queries", "percent", "times", "bytes"]
Number = int | float

RATIOS: dict[Unit, str] = {"percent": " %", "times": "x"}
"""Suffix of a ratio, by its unit."""
BOTH = ("as specified", "as implemented")
"""Columns of multiply-adds: the specification's algorithm and the code's."""


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
    times: int = 1
    """How often the sum of the table counts this row."""


@dataclasses.dataclass(slots=True)
class Table:
    """The figures of one section of the specification."""

    section: str
    """The section, as `docs/architecture.md` numbers it."""
    title: str
    unit: Unit = "MACs"
    """Unit of the rows that name no other."""
    columns: tuple[str, ...] = BOTH
    """Names of the values of every row."""
    rows: list[Row] = dataclasses.field(default_factory=list)

    def add(
        self, key: str, name: str, *values: Number | None, unit: Unit | None = None, times: int = 1
    ) -> None:
        """Append a row; one value alone holds for every column."""
        if len(values) == 1:
            values *= len(self.columns)
        self.rows.append(Row(name, unit or self.unit, values, f"{self.section}/{key}", times))

    def add_sums(self, key: str, name: str) -> None:
        """Append the sums of the columns."""
        self.add(key, name, *self.sums, times=0)

    @property
    def sums(self) -> tuple[int, ...]:
        """Sum of each column, over the rows in the table's own unit."""
        rows = [row for row in self.rows if row.unit == self.unit]
        columns = zip(*(row.values for row in rows), strict=True)
        times = [row.times for row in rows]
        return tuple(sum(n * int(v or 0) for n, v in zip(times, c, strict=True)) for c in columns)


def render(tables: Sequence[Table]) -> str:
    """Format tables as Markdown with aligned columns, which a terminal shows well too."""
    return "\n\n".join(map(_render_table, tables)) + "\n"


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
    if unit in RATIOS:
        return f"{value:.2f}{RATIOS[unit]}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def percent_change(new: float, old: float) -> float:
    """How much more (or, negative, less) `new` is than `old`, in percent."""
    return 100 * (new - old) / old


def _render_table(table: Table) -> str:
    lines = [["", *table.columns]]
    for row in table.rows:
        lines.append([row.name, *(format_value(value, row.unit) for value in row.values)])
    name_width, *widths = (max(map(len, column)) for column in zip(*lines, strict=True))
    rule = ["-" * name_width, *("-" * max(width - 1, 1) + ":" for width in widths)]
    cells = [
        [name.ljust(name_width), *map(str.rjust, values, widths)]
        for name, *values in (lines[0], rule, *lines[1:])
    ]
    text = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    return f"### {table.section}: {table.title}\n\n{text}"
