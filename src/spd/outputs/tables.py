"""Answers as a table: aligned text, CSV, JSON or parquet.

CSV and JSON round metres to a tenth of a millimetre; parquet stores all digits. Unknown values are
empty cells in CSV and null in JSON and parquet.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from spd.files import atomic_path, storable, write_text

AnswerValue: TypeAlias = float | int | str | None
AnswerRow: TypeAlias = Mapping[str, AnswerValue]

TABLE_FORMS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
"""Table formats by file name ending."""

_DECIMALS = 4  # of metres in CSV and JSON


def table_text(rows: Sequence[AnswerRow]) -> str:
    """Aligned columns for reading, metres to the millimetre."""
    names = list(rows[0])
    texts = [[_shown(name, row[name]) for name in names] for row in rows]
    widths = [
        max(11, *(len(cell) for cell in column)) + 1 for column in zip(names, *texts, strict=True)
    ]
    lines = [
        "".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True))
        for line in (names, *texts)
    ]
    return "\n".join(lines)


def csv_text(rows: Sequence[AnswerRow]) -> str:
    """CSV with a header line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rounded(row) for row in rows)
    return text.getvalue().rstrip("\n")


def json_text(rows: Sequence[AnswerRow]) -> str:
    """A JSON list of objects."""
    return json.dumps([_rounded(row) for row in rows], indent=1, allow_nan=False)


TEXT_OF = {"table": table_text, "csv": csv_text, "json": json_text}
"""The function that makes the text of each format."""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells must not contain `|` or line breaks."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_table(rows: Sequence[AnswerRow], path: Path, form: str) -> None:
    """Write rows as `table`, `csv`, `json` or `parquet`."""
    if form == "parquet":
        _write_parquet(rows, path)
        return
    write_text(path, TEXT_OF[form](rows) + "\n")


def _write_parquet(rows: Sequence[AnswerRow], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [_known(row[name]) for row in rows] for name in rows[0]}
    types = {name: pa.float64() if _is_number(values) else None for name, values in columns.items()}
    arrays = {name: pa.array(values, type=types[name]) for name, values in columns.items()}
    # pyarrow refuses paths that are not UTF-8, so it receives an open file.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        pq.write_table(pa.table(arrays), file)


def _is_number(values: Sequence[AnswerValue]) -> bool:
    """Whether a column is numeric, even if all of its values are missing."""
    return not any(isinstance(value, str | int) for value in values)


def _known(value: AnswerValue) -> AnswerValue:
    """A value as a file can hold it: no NaN, and text in UTF-8."""
    if isinstance(value, str):
        return storable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounded(row: AnswerRow) -> dict[str, AnswerValue]:
    known = {name: _known(value) for name, value in row.items()}
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) and _is_measured(name) else value
        for name, value in known.items()
    }


def _is_measured(name: str) -> bool:
    return name.endswith(("_m", "_share"))


def _shown(name: str, value: AnswerValue) -> str:
    value = _known(value)
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.3f}" if _is_measured(name) else f"{value:g}"
