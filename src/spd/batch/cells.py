"""Cells of a table as numbers and points; what is none is an error of its row, not of the table."""

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from spd.errors import DataError

Errors = dict[int, str]
"""What is wrong with a row, by its number."""


def storable(text: str) -> str:
    r"""A text that a cell can hold: what of a file's name is not UTF-8 is written as an escape.

    Python reads such a byte as half a character, `\udce9` for 0xE9, which no column of text takes.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def numbers(column: Any, name: str, errors: Errors, table: str) -> np.ndarray:
    """A column as float64; NaN where a cell is empty, and with an error where it is no number.

    Args:
        column: of a pyarrow table, of numbers or of text.
        name: of the column.
        errors: gets the errors of rows.
        table: what to call the table.

    Raises:
        DataError: if the column holds neither numbers nor text.
    """
    import pyarrow as pa

    kind = column.type
    if _is_text(kind):
        return _parsed(column.to_pylist(), name, errors)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (is_number or pa.types.is_null(kind)):
        raise DataError(f"{table}: column {name} is of type {kind}, expected numbers")
    values: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
    return np.array(values, dtype=np.float64)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _parsed(cells: list[str | None], name: str, errors: Errors) -> np.ndarray:
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell is None or not cell.strip():
            continue
        try:
            values[row] = float(cell)
        except ValueError:
            errors.setdefault(row, f"{name} is {cell[:40]!r}, expected a number")
    return values


def texts(column: Any, name: str, table: str) -> list[str]:
    """A column of text; "" where a cell is empty.

    Raises:
        DataError: if it holds something else, or text that is not UTF-8.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (_is_text(column.type) or pa.types.is_null(column.type)):
        raise DataError(
            f"{table}: column {name} is of type {column.type}, expected paths of images"
        )
    try:
        return [cell or "" for cell in column.to_pylist()]
    except UnicodeDecodeError:
        raise DataError(f"{table}: column {name} is not UTF-8") from None


def point_lists(column: Any, errors: Errors) -> tuple[np.ndarray, np.ndarray]:
    """The points of a column of lists, or of JSON lists as text, below each other.

    A row without a point that can be read gets one that is not a number, and an error, so that it
    is not lost.

    Args:
        column: of a pyarrow table.
        errors: gets the errors, by the number of the point that is returned.

    Returns:
        Points `[K, 2]`, and the row of the table that each is from.
    """
    points: list[tuple[float, float]] = []
    rows: list[int] = []
    for row, cell in enumerate(column.to_pylist()):
        try:
            found = list(_points_of(cell))
            reason = "the list of points is empty"
        except (TypeError, ValueError, KeyError):
            found, reason = [], f"points are {str(cell)[:40]!r}, expected [[u, v], ...]"
        if not found:
            errors[len(points)] = reason
            found = [(math.nan, math.nan)]
        points += found
        rows += [row] * len(found)
    return np.array(points, dtype=np.float64).reshape(-1, 2), np.array(rows, dtype=np.int64)


def _points_of(cell: Any) -> Iterable[tuple[float, float]]:
    listed = json.loads(cell) if isinstance(cell, str) else cell
    if not isinstance(listed, list | type(None)):
        raise ValueError(cell)
    for point in listed or []:
        u, v = (point["u"], point["v"]) if isinstance(point, dict) else point
        yield float(u), float(v)
