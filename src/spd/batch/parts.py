"""Parts: files with the answers to a fixed set of rows each."""

import collections
from pathlib import Path

import numpy as np

from spd.batch.columns import Column, take, text_column, type_name
from spd.batch.grouping import BatchPlan
from spd.batch.inputs import Rows
from spd.batch.part_files import TableForm, read_errors, table_bytes
from spd.batch.tasks import TaskAnswer


def part_path(folder: Path, part: int, form: TableForm) -> Path:
    """Path of a part."""
    return folder / f"part-{part:06d}.{form}"


def columns_of(rows: Rows, *, maps: bool) -> dict[str, str]:
    """Columns of every part with their types."""
    metres, texts = np.zeros(0, dtype=np.float32), text_column([])
    columns = _columns(
        rows.columns, np.zeros((0, 2)), [metres, metres], texts, texts if maps else None
    )
    return {name: type_name(column) for name, column in columns.items()}


def part_bytes(
    folder: Path, part: int, form: TableForm, plan: BatchPlan, rows: Rows, answers: list[TaskAnswer]
) -> bytes:
    """Content of a part from the answers to its tasks, which are in the tasks' order."""
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
        map_paths = text_column([name if name in written else None for name in names])
    columns = {name: take(column, input_rows) for name, column in rows.columns.items()}
    metres = [depth_m, range_m]
    table = _columns(columns, points, metres, text_column(errors), map_paths)
    return table_bytes(table, form)


def _columns(
    input_columns: dict[str, Column],
    points: np.ndarray,
    metres: list[np.ndarray],
    errors: np.ndarray,
    map_paths: np.ndarray | None,
) -> dict[str, Column]:
    """The columns of a part; `metres` are depth and range."""
    first = {name: input_columns[name] for name in ("input_row", "image")}
    answers = {"u": points[:, 0], "v": points[:, 1], "depth_m": metres[0], "range_m": metres[1]}
    maps = {} if map_paths is None else {"map_path": map_paths}
    copied = {name: column for name, column in input_columns.items() if name not in first}
    return {**first, **answers, "error": errors, **maps, **copied}


def count_errors(folder: Path, form: TableForm, parts: int) -> collections.Counter[str]:
    """Number of rows with each error, over all parts."""
    found = (read_errors(part_path(folder, part, form)) for part in range(parts))
    return sum(found, collections.Counter())
