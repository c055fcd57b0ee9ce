"""Points, boxes and grids from the command line or a file."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spd.cli.options import read_size
from spd.errors import InputError, PointError, reason_of, shortened
from spd.files import parse_json, read_stream
from spd.pixels import Size, inside_image, outside_error, point_of
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
    """Read points from a CSV (with or without a header u,v), a JSON list or a Parquet table.

    The path may be a pipe, such as `/dev/stdin` or a shell's `<(...)`.

    Raises:
        InputError: if the file is missing or of another format.
        PointError: naming the first line, counted from 1, that is not a point.
    """
    try:
        data = read_stream(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"points file not found: {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {reason_of(error)}") from None
    if data[:4] == b"PAR1":
        return _from_parquet(path, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file; expected CSV, JSON or Parquet") from None
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
    reader = csv.reader(io.StringIO(text, newline=""))
    columns: tuple[int, int] | None = None
    points = []
    for row in _rows(reader, path):
        if not any(cell.strip() for cell in row):
            continue
        if columns is None:
            names = [cell.strip().lower() for cell in row]
            if "u" in names and "v" in names:
                columns = (names.index("u"), names.index("v"))
                continue
            columns = (0, 1)
        place = f"{path}, line {reader.line_num}"
        try:
            points.append(PhotoPoint(float(row[columns[0]]), float(row[columns[1]]), place))
        except (IndexError, ValueError):
            given = shortened(repr(",".join(row)))
            raise PointError(
                f"{place} is {given}; expected u,v (a header must also name u and v)"
            ) from None
    return points


def _rows(reader: Any, path: Path) -> Iterator[list[str]]:
    """Rows of a CSV reader.

    Raises:
        PointError: naming the line that is not CSV.
    """
    try:
        yield from reader
    except csv.Error as error:
        raise PointError(
            f"{path}, line {reader.line_num}: {reason_of(error)}; expected u,v"
        ) from None


def _from_parquet(path: Path, data: bytes) -> list[PhotoPoint]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(data))
        names = table.schema_arrow.names
        if names.count("u") == names.count("v") == 1:
            columns = table.read(["u", "v"])  # which checks that both are equally long
            u_cells, v_cells = (columns[axis].to_pylist() for axis in ("u", "v"))
    except MemoryError:
        raise
    except Exception:  # a damaged file raises many types
        raise InputError(f"{path} is damaged or not a Parquet file") from None
    if not names.count("u") == names.count("v") == 1:
        raise PointError(
            f"{path} has columns {shortened(repr(names))}; expected columns u and v, one of each"
        )
    points = []
    for row, (u, v) in enumerate(zip(u_cells, v_cells, strict=True)):
        try:
            points.append(PhotoPoint(*point_of([u, v]), f"{path}, row {row}"))
        except (TypeError, ValueError, OverflowError):
            given = f"u is {shortened(repr(u))} and v is {shortened(repr(v))}"
            raise PointError(f"{path}, row {row}: {given}; expected numbers") from None
    return points
