"""Read a batch's tables, CSV or Parquet, and find its own columns by the names people give them."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from spd.batch.columns import Column, text_column
from spd.errors import DataError, PointError, shortened
from spd.files import HEAD_BYTES, CsvReader, csv_encoding, storable, trimmed
from spd.pixels.columns import holds_pixels, named, plain_name, point_columns

_NAMED = ("image", "points", "focal_px")  # beside u and v, which `point_columns` finds


def read_parquet(path: Path) -> dict[str, Column]:
    """Columns of a Parquet table.

    Raises:
        DataError: if it cannot be read, or two columns have one name.
    """
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path).read()
        _check_names(path, table.column_names)
        return {name: table[name] for name in table.column_names}
    except (DataError, MemoryError):
        raise
    except UnicodeEncodeError:
        raise _unreadable(path, "its path is not UTF-8; rename it") from None
    except Exception as error:  # a damaged file raises many types
        raise _unreadable(path, str(error)) from None


def read_csv(path: Path) -> dict[str, Column]:
    """Columns of text, so that 007 stays 007; the columns of numbers are parsed later.

    Raises:
        DataError: if it cannot be read, or two columns have one name.
    """
    csv.field_size_limit(sys.maxsize)  # a list of points is one cell
    try:
        with path.open("rb") as file:
            encoding = csv_encoding(file.read(HEAD_BYTES))
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from None
    try:
        with path.open(encoding=encoding, newline="") as file:
            reader = CsvReader(file, _names_images, strict=True)
            names = reader.header or next(iter(reader), [])
            _check_names(path, names)
            rows = [_cells_of(row, len(names), reader.line_num, path) for row in reader]
    except (csv.Error, UnicodeError, OSError) as error:
        raise _unreadable(path, str(error)) from None
    if not names:
        raise _unreadable(path, "it is empty")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    if reader.separator == ";":  # beside which decimal marks may be commas
        columns |= {
            name: [cell if "." in cell else cell.replace(",", ".", 1) for cell in cells]
            for name, cells in columns.items()
            if holds_pixels(name)
        }
    return {name: text_column(cells) for name, cells in columns.items()}


def _names_images(cells: Sequence[str]) -> bool:
    return "image" in map(plain_name, cells)


def _cells_of(row: list[str], count: int, line: int, path: Path) -> list[str]:
    """The cells of a row, without empty ones beyond the columns."""
    if len(row) == count:  # almost always
        return row
    if len(row) < count or trimmed(row[count:]):
        raise _unreadable(path, f"line {line} has {len(row)} cells, expected {count}")
    return row[:count]


def renamed(path: Path, table: dict[str, Column], *, has_points: bool) -> dict[str, Column]:
    """The table with its columns of our names under these: `Image` becomes `image`.

    Args:
        path: the table's file, for messages.
        table: columns by their names in the file.
        has_points: whether points are given beside the table; then x and y are not taken for them.

    Raises:
        DataError: if two columns have one of the names, or it is unclear which are u and v.
    """
    own: dict[str, str] = {}
    for name in table:
        plain = plain_name(name)
        if plain in own.values():
            raise DataError(
                f"{path} has two columns for {plain} among {named(list(table))}; rename one"
            )
        if plain in _NAMED:
            own[name] = plain
    try:
        found = point_columns(tuple(table), only_uv=has_points or "points" in own.values())
    except PointError as error:
        raise DataError(f"{path} {error}") from None
    if found is not None:
        names = list(table)
        own |= {names[found[0]]: "u", names[found[1]]: "v"}
    return {own.get(name, name): column for name, column in table.items()}


def _check_names(path: Path, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path} has two columns named {shortened(name)}; rename one")


def _unreadable(path: Path, reason: str) -> DataError:
    reason = shortened(" ".join(reason.split()))
    return DataError(f"{storable(str(path))} cannot be read as a table: {reason}")
