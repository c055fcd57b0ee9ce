"""The two formats of a part: Parquet, or CSV where pyarrow is not installed."""

import collections
import csv
import io
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spd.batch.columns import Column, as_arrow, as_list

TableForm = Literal["parquet", "csv"]


def table_bytes(columns: dict[str, Column], form: TableForm) -> bytes:
    """The content of a file with these columns."""
    return _as_csv(columns) if form == "csv" else _as_parquet(columns)


def _as_csv(columns: dict[str, Column]) -> bytes:
    """CSV with all digits; unknown values are empty cells, lists are JSON."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    listed = [[_cell(value) for value in _values(column)] for column in columns.values()]
    writer.writerows(zip(*listed, strict=True))
    return file.getvalue().encode()


def _values(column: Column) -> list[Any]:
    """Values that print as the shortest text that reads back as the same number."""
    is_float32 = str(getattr(column, "dtype", "")) == "float32"
    return [float(str(value)) for value in column] if is_float32 else as_list(column)


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value)
    return None if value != value else value  # NaN


def _as_parquet(columns: dict[str, Column]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({name: as_arrow(column) for name, column in columns.items()})
    sink = pa.BufferOutputStream()
    parquet.write_table(table.combine_chunks(), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_answers(path: Path) -> dict[str, Any]:
    """Columns `u`, `v` (float64), `depth_m`, `range_m` (float32) and `error` (list) of a file."""
    names = ("u", "v", "depth_m", "range_m", "error")
    if path.suffix == ".csv":
        rows = _read_csv(path)
        columns = {name: [row[name] or None for row in rows] for name in names}
    else:
        from pyarrow import parquet

        table = parquet.read_table(path, columns=list(names))
        columns = {name: table[name].to_pylist() for name in names}
    numbers = {
        name: np.array(columns[name], dtype=np.float32 if name.endswith("_m") else np.float64)
        for name in names[:-1]
    }
    return {**numbers, "error": columns["error"]}


def read_errors(path: Path) -> collections.Counter[str]:
    """Number of rows with each error."""
    if path.suffix == ".csv":
        errors = [row["error"] for row in _read_csv(path)]
    else:
        from pyarrow import parquet

        errors = parquet.read_table(path, columns=["error"])["error"].to_pylist()
    return collections.Counter(error for error in errors if error)


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
