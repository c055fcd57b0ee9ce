"""Read table cells as numbers and points; a wrong cell is an error of its row alone."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from spd.batch.columns import Column, as_list, type_name
from spd.errors import DataError
from spd.files import number_of, parse_json
from spd.pixels import point_of

RowErrors = dict[int, str]
"""Error of a row, by the row's number."""


def numbers(column: Column, name: str, errors: RowErrors, table: str) -> np.ndarray:
    """A column as float64; NaN where a cell is empty, NaN and an error where it is not a number.

    The column holds numbers or text. Errors of rows go into `errors`.

    Raises:
        DataError: if the column holds neither numbers nor text.
    """
    if _is_text(column):
        return _parsed(as_list(column), name, errors)
    import pyarrow as pa

    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (is_number or pa.types.is_null(kind)):
        raise DataError(f"{table}: column {name} is of type {kind}, expected numbers")
    values: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
    return np.array(values, dtype=np.float64)


def _is_text(column: Column) -> bool:
    return type_name(column) in ("string", "large_string")


def _parsed(cells: list[str | None], name: str, errors: RowErrors) -> np.ndarray:
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell is None or not cell.strip():
            continue
        try:
            values[row] = number_of(cell)
        except ValueError:
            errors.setdefault(row, f"{name} is {cell[:40]!r}, expected a number")
    return values


def texts(column: Column, name: str, table: str) -> list[str]:
    """A column of text; "" where a cell is empty.

    Raises:
        DataError: if it holds something else, or text that is not UTF-8.
    """
    if type_name(column).startswith("dictionary"):
        column = column.cast(column.type.value_type)
    if not (_is_text(column) or type_name(column) == "null"):
        raise DataError(
            f"{table}: column {name} is of type {type_name(column)}, expected text with image paths"
        )
    try:
        return [cell or "" for cell in as_list(column)]
    except UnicodeDecodeError:
        raise DataError(f"{table}: column {name} is not valid UTF-8") from None


def point_lists(column: Column, errors: RowErrors) -> tuple[np.ndarray, np.ndarray]:
    """All points of a column of lists, or of JSON lists as text.

    A row without a readable point gets one NaN point and an error, so that the row is not lost.
    Errors go into `errors`, by the number of the returned point.

    Returns:
        Points `[K, 2]`, and the table row of each `[K]`.
    """
    points: list[tuple[float, float]] = []
    rows: list[int] = []
    for row, cell in enumerate(as_list(column)):
        try:
            found = list(_points_of(cell))
            reason = "the list of points is empty"
        except (TypeError, ValueError, KeyError, OverflowError):
            found, reason = [], f"points is {str(cell)[:40]!r}, expected [[u, v], ...]"
        if not found:
            errors[len(points)] = reason
            found = [(math.nan, math.nan)]
        points += found
        rows += [row] * len(found)
    return np.array(points, dtype=np.float64).reshape(-1, 2), np.array(rows, dtype=np.int64)


def _points_of(cell: Any) -> Iterable[tuple[float, float]]:
    listed = parse_json(cell) if isinstance(cell, str) else cell
    if not isinstance(listed, list | type(None)):
        raise ValueError("not a list")
    for point in listed or []:
        yield point_of(point)
