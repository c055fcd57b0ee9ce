"""Columns of a batch's tables: NumPy arrays, or pyarrow arrays where a Parquet file brought them.

A base installation has no pyarrow, so photos and CSV tables do without it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spd.errors import DataError

Column = Any
"""An array of numbers or of text (`text_column`), or a pyarrow ChunkedArray."""

_TEXT = np.dtypes.StringDType(na_object=None)
_NAMES = {"float32": "float", "float64": "double"}  # pyarrow's names of types


def text_column(texts: Sequence[str | None]) -> np.ndarray:
    """Text `[N]`, None where a cell is unknown; compact for millions of rows."""
    return np.array(texts, dtype=_TEXT)


def take(column: Column, rows: np.ndarray) -> Column:
    """The given rows of a column."""
    if isinstance(column, np.ndarray):
        return column[rows]
    import pyarrow as pa

    return column.take(pa.array(rows))


def type_name(column: Column) -> str:
    """Type of a column, under pyarrow's name."""
    if not isinstance(column, np.ndarray):
        return str(column.type)
    return "string" if column.dtype == _TEXT else _NAMES.get(str(column.dtype), str(column.dtype))


def as_list(column: Column) -> list[Any]:
    """A column as Python values."""
    return list(column.tolist() if isinstance(column, np.ndarray) else column.to_pylist())


def as_arrow(column: Column) -> Any:
    """A column as a pyarrow array."""
    import pyarrow as pa

    if not isinstance(column, np.ndarray):
        return column
    return pa.array(column.tolist(), pa.string()) if column.dtype == _TEXT else pa.array(column)


def concatenate(tables: Sequence[Mapping[str, Column]]) -> dict[str, Column]:
    """The rows of several tables with an `image`; a column that a table lacks is unknown there.

    Raises:
        DataError: if columns of the same name differ in type.
    """
    names = list(dict.fromkeys(name for table in tables for name in table))
    if all(isinstance(column, np.ndarray) for table in tables for column in table.values()):
        counts = [len(table["image"]) for table in tables]
        blanks = [dict.fromkeys(names, text_column([None] * count)) for count in counts]
        full = [{**blank, **table} for blank, table in zip(blanks, tables, strict=True)]
        return {name: np.concatenate([table[name] for table in full]) for name in names}
    import pyarrow as pa

    arrow = [pa.table({name: as_arrow(table[name]) for name in table}) for table in tables]
    try:
        joined = pa.concat_tables(arrow, promote_options="default")
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"columns of the same name differ in type between the tables: {reason}"
        ) from None
    return {name: joined[name] for name in joined.column_names}
