"""What a batch is asked: photos of folders and globs, and rows of tables, as one table of rows."""

import dataclasses
import functools
import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spd.batch.cells import Errors, numbers, point_lists, storable, texts
from spd.errors import DataError
from spd.runtimes.folder import file_sha256

TABLES = (".parquet", ".csv")
PHOTOS = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pgm"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Endings that a folder is searched for; a glob or a table may name any file."""

ANSWERS = ("input_row", "image", "u", "v", "depth_m", "range_m", "error", "map_path")
"""The columns of every part, before those that the input brings along."""
_OWN = ("image", "u", "v", "points")  # of a table; what they say is in the answers already


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a user names."""

    inputs: tuple[str, ...]
    """Folders, globs, photos, and tables ending in .parquet or .csv."""
    points: tuple[tuple[float, float], ...] = ()
    """Asked of every photo, where a table has no points of its own."""
    grid: tuple[int, int] | None = None
    """(columns, rows) of points in the middle of equal fields of every photo, instead."""
    root: Path | None = None
    """What paths in tables are relative to; by default the table's own folder."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One point of one photo each; arrays and table are in the order of the input."""

    path: Any
    """Where the photo is, absolute: an array of pyarrow, in bytes of `path_bytes`."""
    points: np.ndarray
    """`[N, 2]`; under a grid the fractions of the photo's width and height."""
    focal_px: np.ndarray
    """Of the photo; NaN where not given."""
    errors: Errors
    """Of rows that are wrong whatever the photo says."""
    table: Any
    """Of pyarrow: `input_row`, `image`, and the columns that are passed through. `image` is text,
    so a name that is not UTF-8 has escapes in it and opens nothing; `path` does."""

    def __len__(self) -> int:
        return len(self.points)


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """One input that was named."""

    table: Path | None
    photos: tuple[str, ...]


def path_bytes(path: str) -> bytes:
    """A path as bytes, which unlike text of pyarrow hold any name that a file can have."""
    return path.encode("utf-8", "surrogatepass")


def path_text(path: bytes) -> str:
    """The path that `path_bytes` took."""
    return path.decode("utf-8", "surrogatepass")


def read_rows(asked: Asked, out: Path | None = None) -> tuple[Rows, str]:
    """All rows of all inputs, and a digest of what was read.

    Args:
        asked: what a user names.
        out: the folder of the batch. Files below it are its maps and parts, which are there when
            it goes on and were not when it began, so no input names them.

    Raises:
        DataError: if an input is not there, cannot be read, or has no points, or columns of two
            tables do not go together.
    """
    found = [part for name in asked.inputs for part in _find(name, out)]
    digest = hashlib.sha256(repr((asked.points, asked.grid)).encode())
    parts: list[Rows] = []
    first_row = 0
    for one in found:
        table, folder, name = _read(one, asked.root)
        content = file_sha256(one.table) if one.table else "\n".join(one.photos)
        digest.update(f"{folder} {content}\n".encode(errors="surrogateescape"))
        parts.append(_rows_of(table, one.photos, folder, name, asked, first_row))
        first_row += table.num_rows
    if not any(len(part) for part in parts):
        raise DataError(f"{', '.join(asked.inputs)}: no rows to answer")
    return parts[0] if len(parts) == 1 else _joined(parts), digest.hexdigest()


def _find(name: str, out: Path | None) -> list[_Found]:
    """Tables one by one, and photos that stand together as one."""
    path = Path(name)
    if path.is_dir():
        found = (str(p) for p in path.rglob("*") if p.suffix.lower() in PHOTOS)
        photos = sorted(_not_below(out, found))
        if not photos:
            raise DataError(f"{path} holds no photos ({', '.join(PHOTOS)}); name tables one by one")
        return [_Found(None, tuple(photos))]
    names = [name] if path.exists() else sorted(glob.glob(name, recursive=True))
    if not names:
        raise DataError(f"no file, folder or glob matches {name}")
    names = _not_below(out, names)
    tables = [_Found(Path(n), ()) for n in names if n.lower().endswith(TABLES)]
    photos = [n for n in names if not n.lower().endswith(TABLES) and not Path(n).is_dir()]
    return [*tables, *([_Found(None, tuple(photos))] if photos else [])]


def _not_below(out: Path | None, names: Iterable[str]) -> list[str]:
    """The names of files that lie elsewhere than in a batch's own folder or below it."""
    if out is None:
        return list(names)
    own = os.path.realpath(out)

    @functools.cache  # folders are few, photos many
    def is_own(folder: str) -> bool:
        return Path(os.path.realpath(folder)).is_relative_to(own)

    return [name for name in names if not is_own(os.path.dirname(name))]


def _read(found: _Found, root: Path | None) -> tuple[Any, Path, str]:
    """The table, what its paths are relative to, and what to call it."""
    import pyarrow as pa

    if found.table is None:
        images = pa.array([storable(photo) for photo in found.photos], pa.string())
        return pa.table({"image": images}), Path.cwd(), "photos"
    table = _read_table(found.table)
    names = table.column_names
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{found.table} has two columns {name}; rename one")
        if name in ANSWERS and name not in _OWN:
            raise DataError(
                f"{found.table} has a column {name}, which the answers have too; rename or drop it"
            )
    if "image" not in names:
        raise DataError(f"{found.table} has no column image; its columns are {', '.join(names)}")
    return table, (root or found.table.parent).absolute(), str(found.table)


def _read_table(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if path.suffix.lower() == ".parquet":
            return parquet.ParquetFile(path).read().replace_schema_metadata(None)
        with csv.open_csv(path) as head:
            names = head.schema.names
        # As text, so that 007 stays 007: what is a number is read as one where it is asked for.
        return csv.read_csv(
            path,
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as a table: {reason}") from None
    except UnicodeEncodeError:
        raise DataError(
            f"{storable(str(path))} cannot be read as a table: its path is not UTF-8; rename it"
        ) from None


def _rows_of(
    table: Any, photos: Sequence[str], folder: Path, name: str, asked: Asked, first_row: int
) -> Rows:
    """The rows of one table, or of photos, which are named in the table as text can name them."""
    import pyarrow as pa

    errors: Errors = {}
    points, source = _points_of(table, name, asked, errors)
    images = texts(table["image"], "image", name)
    focal_px, focal_errors = np.full(len(images), np.nan), Errors()
    if "focal_px" in table.column_names:
        focal_px = numbers(table["focal_px"], "focal_px", focal_errors, name)
    before = {**focal_errors, **{n: "no image is named" for n, i in enumerate(images) if not i}}
    for row in np.flatnonzero(np.isin(source, list(before))):
        errors.setdefault(int(row), before[int(source[row])])
    paths = [path_bytes(os.path.join(folder, photo)) for photo in photos or images]
    path = pa.array(paths, pa.large_binary())
    columns = {
        "input_row": pa.array(source + first_row, pa.int64()),
        "image": pa.chunked_array([pa.array(images, pa.string())]),
    }
    dropped = _OWN if _listed(table) else _OWN[:3]
    for column in table.column_names:
        if column not in dropped:
            columns[column] = table[column]
    if len(source) != len(images) or asked.points or asked.grid:
        for column in list(columns)[1:]:
            columns[column] = columns[column].take(pa.array(source))
        path = path.take(pa.array(source))
    return Rows(path, points, focal_px[source], errors, pa.table(columns))


def _listed(table: Any) -> bool:
    """Whether a table's points are lists, one row a photo."""
    names = table.column_names
    return "points" in names and not ("u" in names and "v" in names)


def _points_of(
    table: Any, name: str, asked: Asked, errors: Errors
) -> tuple[np.ndarray, np.ndarray]:
    """The points, and which row of the table each is from."""
    names, every = table.column_names, np.arange(table.num_rows)
    given = bool(asked.points or asked.grid)
    own = _listed(table) or ("u" in names and "v" in names)
    if own and given:
        raise DataError(f"{name} has points of its own; leave --points and --grid out")
    if _listed(table):
        return point_lists(table["points"], errors)
    if own:
        u, v = (numbers(table[axis], axis, errors, name) for axis in ("u", "v"))
        return np.stack([u, v], axis=1), every
    if not given:
        raise DataError(
            f"{name}: no points; give columns u and v, a column points, --points 320,240 or "
            "--grid 8x6"
        )
    same = np.array(asked.points, dtype=np.float64) if asked.points else _fields(asked.grid)
    return np.tile(same, (len(every), 1)), np.repeat(every, len(same))


def _fields(grid: tuple[int, int] | None) -> np.ndarray:
    """The middles of a grid's fields as fractions of width and height, row by row."""
    columns, rows = grid or (1, 1)
    v, u = np.mgrid[:rows, :columns]
    return np.stack([(u.ravel() + 0.5) / columns, (v.ravel() + 0.5) / rows], axis=1)


def _joined(parts: Sequence[Rows]) -> Rows:
    import pyarrow as pa

    errors: Errors = {}
    before = 0
    for part in parts:
        errors |= {before + row: text for row, text in part.errors.items()}
        before += len(part)
    try:
        table = pa.concat_tables([part.table for part in parts], promote_options="default")
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise DataError(f"the tables' columns do not go together: {reason}") from None
    paths: list[Any] = [chunk for part in parts for chunk in _chunks(part.path)]
    return Rows(
        pa.chunked_array(paths, pa.large_binary()),
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.focal_px for part in parts]),
        errors,
        table,
    )


def _chunks(array: Any) -> list[Any]:
    return array.chunks if hasattr(array, "chunks") else [array]
