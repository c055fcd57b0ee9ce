"""Points as they are typed, or kept in a file; each knows where it stood."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spd.errors import InputError, PointError
from spd.pixels import Size, inside_image, outside_error


@dataclasses.dataclass(frozen=True, slots=True)
class AskedPoint:
    """One point of a photo."""

    u: float
    v: float
    place: str = ""
    """Where it stood, such as `points.csv, line 3`; empty where it was typed."""


def parse_point(text: str) -> tuple[float, float]:
    """`u,v` as two numbers."""
    parts = text.split(",")
    try:
        u, v = (float(part) for part in parts)
    except ValueError:
        raise PointError(f"point {text!r} is not u,v with two numbers, such as 320,240") from None
    return u, v


def check_points(points: Sequence[AskedPoint], size: Size) -> None:
    """Refuse points outside a photo of `size`.

    Raises:
        PointError: naming the first, and where it stood.
    """
    asked = np.array([(point.u, point.v) for point in points], dtype=np.float64).reshape(-1, 2)
    bad = np.flatnonzero(~inside_image(asked[:, 0], asked[:, 1], size))
    if len(bad):
        first = points[bad[0]]
        said = outside_error(int(bad[0]), first.u, first.v, size)
        raise PointError(f"{first.place}: {said}") if first.place else said


def read_points(path: Path) -> list[AskedPoint]:
    """Points of a CSV with a header u,v (or without one), of a JSON list, or of a parquet table.

    Raises:
        InputError: if the file is missing or none of these.
        PointError: naming the first line that is no point, as an editor counts lines.
    """
    if not path.is_file():
        raise InputError(f"no points file {path}")
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        return _from_parquet(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; expected CSV, JSON or parquet") from None
    return _from_json(path, text) if text.lstrip().startswith(("[", "{")) else _from_csv(path, text)


def _from_json(path: Path, text: str) -> list[AskedPoint]:
    expected = "expected JSON such as [[320, 240], [100.5, 57]]"
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise PointError(f"{path}: line {error.lineno}: {error.msg.lower()}; {expected}") from None
    items = data.get("points") if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise PointError(f"{path}: {expected}")
    points = []
    for number, item in enumerate(items, start=1):
        place = f"{path}, point {number} of {len(items)}"
        try:
            u, v = (item["u"], item["v"]) if isinstance(item, dict) else item
            points.append(AskedPoint(float(u), float(v), place))
        except (KeyError, TypeError, ValueError):
            raise PointError(f"{place} is {json.dumps(item)}; {expected}") from None
    return points


def _from_csv(path: Path, text: str) -> list[AskedPoint]:
    reader = csv.reader(io.StringIO(text, newline=""))
    columns: tuple[int, int] | None = None
    points = []
    for row in reader:
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
            points.append(AskedPoint(float(row[columns[0]]), float(row[columns[1]]), place))
        except (IndexError, ValueError):
            raise PointError(
                f"{place} is {','.join(row)!r}, expected u,v (a header is u,v too)"
            ) from None
    return points


def _from_parquet(path: Path) -> list[AskedPoint]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        raise InputError(f"{path} is damaged or no parquet file") from None
    if not {"u", "v"} <= set(table.column_names):
        raise PointError(
            f"{path} has columns {', '.join(table.column_names)}; points are columns u and v"
        )
    pairs: Any = zip(table["u"].to_pylist(), table["v"].to_pylist(), strict=True)
    points = []
    for row, (u, v) in enumerate(pairs):
        try:
            points.append(AskedPoint(float(u), float(v), f"{path}, row {row}"))
        except (TypeError, ValueError):
            raise PointError(f"{path}, row {row}: u is {u!r} and v is {v!r}, no point") from None
    return points
