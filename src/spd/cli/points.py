"""Points, boxes and grids from the command line or a file."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spd.cli.options import read_size
from spd.errors import InputError, PointError, reason_of, shortened
from spd.files import (
    HEAD_BYTES,
    CsvReader,
    csv_encoding,
    missing_advice,
    number_of,
    parse_json,
    read_stream,
    trimmed,
)
from spd.pixels import Size, inside_image, outside_error, point_of
from spd.pixels.columns import POINT_COLUMNS, named, point_columns
from spd.scenes import Box

MOST_GRID_POINTS = 1_000_000
MOST_BYTES = 256 * 2**20
"""Maximum size in bytes of a file of points; a pipe is not read beyond it."""


@dataclasses.dataclass(frozen=True, slots=True)
class PhotoPoint:
    """One point of a photo."""

    u: float
    v: float
    place: str = ""
    """Origin, such as `points.csv, line 3`; empty for the command line."""


def parse_point(text: str) -> tuple[float, float]:
    """Point `(u, v)` from text `u,v`.

    Raises:
        PointError: if the text is not two numbers.
    """
    try:
        u, v = (float(part) for part in text.split(","))
    except ValueError:
        raise PointError(
            f"a point must be two numbers, u,v (for example 320,240); got {text!r}"
        ) from None
    return u, v


def parse_box(text: str) -> Box:
    """Box from text `x0,y0,x1,y1`.

    Raises:
        PointError: if the text is not four numbers, or they are not a box.
    """
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise PointError(
            f"a box must be x0,y0,x1,y1, four numbers (for example 100,50,220,310), got {text!r}"
        ) from None
    return Box(x0, y0, x1, y1)


def parse_grid(text: str) -> tuple[int, int]:
    """Columns and rows from text `COLUMNSxROWS`.

    Raises:
        InputError: if the text has another form, or the grid has more than a million points.
    """
    columns, rows = read_size(text, "--grid", "COLUMNSxROWS", "8x6")
    if columns * rows > MOST_GRID_POINTS:
        raise PointError(
            f"--grid {text} has more than {MOST_GRID_POINTS:,} points; for every pixel, use --map"
        )
    return columns, rows


def check_points(points: Sequence[PhotoPoint], size: Size) -> None:
    """Refuse points outside a photo of `size`.

    Raises:
        PointError: naming the first one and its origin.
    """
    uv = as_array(points)
    outside = np.flatnonzero(~inside_image(uv[:, 0], uv[:, 1], size))
    if len(outside):
        first = points[outside[0]]
        error = outside_error(int(outside[0]), first.u, first.v, size)
        raise PointError(f"{first.place}: {error}") if first.place else error


def as_array(points: Sequence[PhotoPoint]) -> Float[np.ndarray, "n 2"]:
    """Points as an array of `(u, v)`."""
    return np.array([(point.u, point.v) for point in points], dtype=np.float64).reshape(-1, 2)


def read_points(path: Path) -> list[PhotoPoint]:
    """Read points from a CSV, a JSON list or a Parquet table.

    A CSV without a header has two columns, u and v; with one, its names count (`point_columns`).
    The path may be `-`, standard input, or a pipe, such as a shell's `<(...)`.

    Raises:
        InputError: if the file is missing, without points or of another format.
        PointError: naming the first line, counted from 1, that is not a point.
    """
    try:
        data = read_stream(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"points file not found: {path}; {missing_advice(path)}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {reason_of(error)}") from None
    points = _from_parquet(path, data) if data[:4] == b"PAR1" else _from_text(path, data)
    if not points:
        raise PointError(f"{path} has no points; expected lines of u,v, such as 320,240")
    return points


def _from_text(path: Path, data: bytes) -> list[PhotoPoint]:
    try:
        text = data.decode(csv_encoding(data[:HEAD_BYTES]))
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file; expected CSV, JSON or Parquet") from None
    except ValueError as error:
        raise InputError(f"{path} cannot be read as points: {error}") from None
    return _from_json(path, text) if text.lstrip().startswith(("[", "{")) else _from_csv(path, text)


def _from_json(path: Path, text: str) -> list[PhotoPoint]:
    expected = "expected JSON such as [[320, 240], [100.5, 57]]"
    try:
        data = parse_json(text)
    except json.JSONDecodeError as error:
        raise PointError(f"{path}: line {error.lineno}: {error.msg.lower()}; {expected}") from None
    except ValueError as error:
        raise PointError(f"{path}: {error}; {expected}") from None
    items = data.get("points") if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise PointError(f"{path}: {expected}")
    points = []
    for number, item in enumerate(items, start=1):
        place = f"{path}, point {number} of {len(items)}"
        try:
            points.append(PhotoPoint(*point_of(item), place))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise PointError(f"{place} is {shortened(json.dumps(item))}; {expected}") from None
    return points


def _from_csv(path: Path, text: str) -> list[PhotoPoint]:
    try:
        reader = CsvReader(io.StringIO(text, newline=""), _names_points)
    except csv.Error as error:
        raise PointError(f"{path}, line 1: {reason_of(error)}; expected u,v") from None
    except PointError as error:
        raise PointError(f"{path} {error}") from None
    points = []
    try:
        for row in map(trimmed, reader):
            if row and not row[0].startswith("#"):
                points.append(_point_in(row, reader, f"{path}, line {reader.line_num}"))
    except csv.Error as error:
        place = f"{path}, line {reader.line_num}"
        raise PointError(f"{place}: {reason_of(error)}; expected u,v") from None
    return points


def _names_points(cells: Sequence[str]) -> bool:
    return point_columns(tuple(cells)) is not None


def _point_in(row: list[str], reader: CsvReader, place: str) -> PhotoPoint:
    """The point of a row.

    Raises:
        PointError: if it is none, or it is not certain which of its columns are u and v.
    """
    header = reader.header
    u, v = (header and point_columns(tuple(header))) or (0, 1)
    given = f"{place} is {shortened(repr(reader.separator.join(row)))}"
    try:
        point = PhotoPoint(
            number_of(row[u], reader.separator), number_of(row[v], reader.separator), place
        )
    except (IndexError, ValueError):
        raise PointError(
            f"{given}; expected u,v (a header must also name u and v, or x and y, or column and "
            "row)"
        ) from None
    if len(row) != 2 and header is None:
        raise PointError(
            f"{given}, {len(row)} columns without a header; expected u,v, or a first line that "
            "names the columns u and v"
        )
    if header is not None and len(row) > len(header):
        raise PointError(
            f"{given}, {len(row)} cells under the {len(header)} columns {named(header)}; expected "
            "one cell for each (write decimals with a point)"
        )
    return point


def _from_parquet(path: Path, data: bytes) -> list[PhotoPoint]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(data))
        names = table.schema_arrow.names
        found = point_columns(tuple(names))
        if found is not None:
            uv = [names[axis] for axis in found]
            columns = table.read(uv)  # which checks that both are equally long
            u_cells, v_cells = (columns[name].to_pylist() for name in uv)
    except MemoryError:
        raise
    except PointError as error:
        raise PointError(f"{path} {error}") from None
    except Exception:  # a damaged file raises many types
        raise InputError(f"{path} is damaged or not a Parquet file") from None
    if found is None:
        raise PointError(f"{path} has columns {named(names)}; expected {POINT_COLUMNS}")
    points = []
    for row, (u, v) in enumerate(zip(u_cells, v_cells, strict=True)):
        try:
            points.append(PhotoPoint(*point_of([u, v]), f"{path}, row {row}"))
        except (TypeError, ValueError, OverflowError):
            given = f"u is {shortened(repr(u))} and v is {shortened(repr(v))}"
            raise PointError(f"{path}, row {row}: {given}; expected numbers") from None
    return points
