"""Parts: Parquet files written atomically, each with the answers to a fixed set of rows."""

from pathlib import Path
from typing import Any

import numpy as np

from spd.batch.grouping import BatchPlan
from spd.batch.inputs import Rows
from spd.batch.tasks import TaskAnswer
from spd.errors import BatchError
from spd.files import write_bytes


def part_path(folder: Path, part: int) -> Path:
    """Path of a part."""
    return folder / f"part-{part:06d}.parquet"


def columns_of(rows: Rows, *, maps: bool) -> dict[str, str]:
    """Columns of every part with their types."""
    import pyarrow as pa

    metres, texts = np.zeros(0, dtype=np.float32), pa.array([], pa.string())
    input_columns, map_paths = rows.table.slice(0, 0), texts if maps else None
    table = _table(input_columns, np.zeros((0, 2)), [metres, metres], texts, map_paths)
    return {field.name: str(field.type) for field in table.schema}


def write_part(
    folder: Path, part: int, plan: BatchPlan, rows: Rows, answers: list[TaskAnswer]
) -> None:
    """Write a part from the answers to its tasks, which are in the tasks' order."""
    import pyarrow as pa
    from pyarrow import parquet

    input_rows = plan.rows_of(part)
    points = np.concatenate([answer.points for answer in answers])
    depth_m = np.concatenate([answer.depth_m for answer in answers])
    range_m = np.concatenate([answer.range_m for answer in answers])
    errors = [error for answer in answers for error in answer.errors]
    for place, row in enumerate(input_rows.tolist()):
        if row in rows.errors:
            errors[place] = rows.errors[row]
            depth_m[place] = range_m[place] = np.nan
    names = plan.maps_of(part)
    map_paths = None
    if names is not None:
        written = {name for name in set(names) if (folder / name).exists()}
        map_paths = pa.array([name if name in written else None for name in names], pa.string())
    input_columns = _take(rows.table, input_rows)
    error_column = pa.array(errors, pa.string())
    table = _table(input_columns, points, [depth_m, range_m], error_column, map_paths)
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    write_bytes(part_path(folder, part), sink.getvalue().to_pybytes())


def _take(table: Any, rows: np.ndarray) -> Any:
    """Rows of a table; nothing is copied where they are consecutive, as in most tables."""
    import pyarrow as pa

    if rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return table.slice(int(rows[0]), len(rows))
    return table.take(pa.array(rows))


def _table(
    input_columns: Any, points: np.ndarray, metres: list[np.ndarray], errors: Any, map_paths: Any
) -> Any:
    """The table of a part; `metres` are depth and range."""
    import pyarrow as pa

    columns = {name: input_columns[name] for name in ("input_row", "image")}
    columns |= {"u": pa.array(points[:, 0]), "v": pa.array(points[:, 1])}
    columns |= {"depth_m": pa.array(metres[0]), "range_m": pa.array(metres[1]), "error": errors}
    if map_paths is not None:
        columns["map_path"] = map_paths
    columns |= {name: input_columns[name] for name in input_columns.column_names[2:]}
    return pa.table(columns).combine_chunks()


def existing_parts(folder: Path, plan: BatchPlan) -> list[int]:
    """Numbers of the parts that are written already.

    Raises:
        BatchError: if a part is damaged.
    """
    from pyarrow import ArrowException, parquet

    found = []
    for part in range(plan.parts):
        path = part_path(folder, part)
        if not path.exists():
            continue
        try:
            rows = parquet.read_metadata(path).num_rows
        except (ArrowException, OSError):
            rows = -1
        if rows != len(plan.rows_of(part)):
            raise BatchError(f"{path} is damaged; delete it and run the command again")
        found.append(part)
    return found


def count_errors(folder: Path, parts: int) -> dict[str, int]:
    """Number of rows with each error, over all parts."""
    from pyarrow import compute, parquet

    counts: dict[str, int] = {}
    for part in range(parts):
        column = parquet.read_table(part_path(folder, part), columns=["error"])["error"]
        for found in compute.value_counts(column.drop_null()).to_pylist():
            counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]
    return counts
