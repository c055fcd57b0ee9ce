"""Answers as rows: for the eye, CSV, JSON, parquet.

CSV and JSON have metres to a tenth of a millimetre; parquet has them as they were answered.
What is not known is an empty cell, JSON's null, or parquet's null.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from spd.files import atomic_path, write_text

Cell: TypeAlias = float | int | str | None
Row: TypeAlias = Mapping[str, Cell]

TABLE_FORMS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
"""By the ending of a file."""

_DECIMALS = 4  # of what CSV and JSON say


def table_text(rows: Sequence[Row]) -> str:
    """Columns for the eye, metres to the millimetre."""
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


def csv_text(rows: Sequence[Row]) -> str:
    """CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rounded(row) for row in rows)
    return text.getvalue().rstrip("\n")


def json_text(rows: Sequence[Row]) -> str:
    """A list of objects."""
    return json.dumps([_rounded(row) for row in rows], indent=1, allow_nan=False)


def write_table(rows: Sequence[Row], path: Path, form: str) -> None:
    """Write rows as `table`, `csv`, `json` or `parquet`."""
    if form == "parquet":
        _write_parquet(rows, path)
        return
    text = {"table": table_text, "csv": csv_text, "json": json_text}[form](rows)
    write_text(path, text + "\n")


def _write_parquet(rows: Sequence[Row], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [_known(row[name]) for row in rows] for name in rows[0]}
    types = {name: pa.float64() if _is_number(values) else None for name, values in columns.items()}
    arrays = {name: pa.array(values, type=types[name]) for name, values in columns.items()}
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(arrays), temporary)


def _is_number(values: Sequence[Cell]) -> bool:
    """Whether a column without a reading is still one of numbers."""
    return not any(isinstance(value, str | int) for value in values)


def _known(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounded(row: Row) -> dict[str, Cell]:
    known = {name: _known(value) for name, value in row.items()}
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) and _is_measured(name) else value
        for name, value in known.items()
    }


def _is_measured(name: str) -> bool:
    return name.endswith(("_m", "_share"))


def _shown(name: str, value: Cell) -> str:
    value = _known(value)
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.3f}" if _is_measured(name) else f"{value:g}"
