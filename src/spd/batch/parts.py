"""Parts: parquet files that are whole or not there, each with the answers to known rows."""

from pathlib import Path
from typing import Any

import numpy as np

from spd.batch.asking import Answer
from spd.batch.grouping import Plan
from spd.batch.inputs import Rows
from spd.errors import BatchError
from spd.files import write_bytes


def part_path(folder: Path, part: int) -> Path:
    """Where a part is."""
    return folder / f"part-{part:06d}.parquet"


def columns_of(rows: Rows, *, maps: bool) -> dict[str, str]:
    """The columns of every part with their types."""
    import pyarrow as pa

    nothing = np.zeros(0, dtype=np.float32)
    texts = pa.array([], pa.string())
    table = _table(
        rows.table.slice(0, 0),
        np.zeros((0, 2)),
        nothing,
        nothing,
        texts,
        texts if maps else None,
    )
    return {field.name: str(field.type) for field in table.schema}


def write_part(folder: Path, part: int, plan: Plan, rows: Rows, answers: list[Answer]) -> int:
    """Write what a part's tasks came to; returns how many of its rows have an error.

    Args:
        folder: of the batch.
        part: its number.
        plan: what rows it has.
        rows: of the input.
        answers: of all its tasks, in their order.
    """
    import pyarrow as pa
    from pyarrow import parquet

    own = plan.rows_of(part)
    points = np.concatenate([answer.points for answer in answers])
    depth_m = np.concatenate([answer.depth_m for answer in answers])
    range_m = np.concatenate([answer.range_m for answer in answers])
    errors = [error for answer in answers for error in answer.errors]
    for place, row in enumerate(own.tolist()):
        if row in rows.errors:
            errors[place] = rows.errors[row]
            depth_m[place] = range_m[place] = np.nan
    names = plan.maps_of(part)
    maps = None
    if names is not None:
        there = {name for name in set(names) if (folder / name).exists()}
        maps = pa.array([name if name in there else None for name in names], pa.string())
    table = _table(
        _taken(rows.table, own), points, depth_m, range_m, pa.array(errors, pa.string()), maps
    )
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    write_bytes(part_path(folder, part), sink.getvalue().to_pybytes())
    return len(errors) - errors.count(None)


def _taken(table: Any, rows: np.ndarray) -> Any:
    """Those rows of a table; most tables are in order already, and then nothing is copied."""
    import pyarrow as pa

    if rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return table.slice(int(rows[0]), len(rows))
    return table.take(pa.array(rows))


def _table(
    brought: Any,
    points: np.ndarray,
    depth_m: np.ndarray,
    range_m: np.ndarray,
    errors: Any,
    maps: Any,
) -> Any:
    import pyarrow as pa

    columns = {name: brought[name] for name in ("input_row", "image")}
    columns |= {"u": pa.array(points[:, 0]), "v": pa.array(points[:, 1])}
    columns |= {"depth_m": pa.array(depth_m), "range_m": pa.array(range_m), "error": errors}
    if maps is not None:
        columns["map_path"] = maps
    columns |= {name: brought[name] for name in brought.column_names[2:]}
    return pa.table(columns).combine_chunks()


def parts_there(folder: Path, plan: Plan) -> list[int]:
    """The parts that are written.

    Raises:
        BatchError: naming one that is damaged.
    """
    from pyarrow import ArrowException, parquet

    there = []
    for part in range(plan.parts):
        path = part_path(folder, part)
        if not path.exists():
            continue
        try:
            rows = parquet.read_metadata(path).num_rows
        except (ArrowException, OSError):
            rows = -1
        if rows != len(plan.rows_of(part)):
            raise BatchError(f"{path} is damaged; remove it, and it is made again")
        there.append(part)
    return there


def count_errors(folder: Path, parts: int) -> dict[str, int]:
    """How many rows of all parts have each error."""
    from pyarrow import compute, parquet

    counts: dict[str, int] = {}
    for part in range(parts):
        column = parquet.read_table(part_path(folder, part), columns=["error"])["error"]
        for found in compute.value_counts(column.drop_null()).to_pylist():
            counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]
    return counts
