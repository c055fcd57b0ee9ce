"""Read the inputs of a batch, photos and tables, into one table of rows."""

import dataclasses
import functools
import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from spd.batch.cells import RowErrors, numbers, point_lists, texts
from spd.batch.columns import Column, concatenate, take, text_column
from spd.batch.folders import PHOTOS, photos_below
from spd.batch.table_files import read_csv, read_parquet, renamed
from spd.errors import DataError, shortened
from spd.files import file_sha256, missing_advice, storable

TABLES = (".parquet", ".csv", ".tsv")
ANSWERS = ("input_row", "image", "u", "v", "depth_m", "range_m", "error", "map_path")
"""Columns of every part, before those copied from the input."""
_REPEATED = ("image", "u", "v", "points")  # columns of the input that the answers repeat
_NO_INPUTS = (".xlsx", ".xls", ".ods", ".json", ".jsonl", ".txt")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchInput:
    """Photos and tables, and the points to query where a table has none."""

    inputs: tuple[str, ...]
    """Folders, globs, photos, and tables ending in .parquet or .csv."""
    points: tuple[tuple[float, float], ...] = ()
    """Points (u, v) for every photo without points of its own."""
    grid: tuple[int, int] | None = None
    """(columns, rows) of equal cells whose centres are queried instead of `points`."""
    root: Path | None = None
    """Folder that paths in tables are relative to; by default the table's own folder."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of one photo and one point each; arrays and table are in the order of the input."""

    path: np.ndarray
    """Absolute path of the photo, `[N]` of `str`."""
    points: np.ndarray
    """`[N, 2]` in pixels; for a grid in fractions of the photo's width and height."""
    focal_px: np.ndarray
    """`[N]` focal length of the photo in pixels; NaN where not given."""
    errors: RowErrors
    """Errors of rows, found before any photo is opened."""
    columns: dict[str, Column]
    """`input_row`, `image`, and the columns copied from the input. `image` is text, where a name
    that is not UTF-8 has escapes; only `path` opens the file."""
    notes: tuple[str, ...] = ()
    """Warnings about skipped files and folders."""

    def __len__(self) -> int:
        return len(self.points)


_CAMERA_COLUMNS = {"fov", "fov_deg", "hfov", "fx", "fy", "focal", "focal_length", "focal_mm"}
_CAMERA_COLUMNS |= {"focal_length_px", "intrinsics", "camera_matrix"}
_Source = Path | tuple[str, ...]  # a table, or photos


def points_sha256(batch_input: BatchInput) -> str:
    """Digest of `points` and `grid`, which apply to every photo without points of its own."""
    return hashlib.sha256(repr((batch_input.points, batch_input.grid)).encode()).hexdigest()


def read_rows(batch_input: BatchInput, out: Path | None = None) -> tuple[Rows, str]:
    """All rows of all inputs, and a digest of the tables' content.

    Files below the batch's folder `out` are its own maps and parts, and not inputs.

    Raises:
        DataError: if an input is missing, cannot be read or has no points, or two tables have
            columns of different types.
    """
    notes: list[str] = []
    sources = [source for name in batch_input.inputs for source in _find(name, out, notes)]
    digest = hashlib.sha256()
    parts: list[Rows] = []
    first_row = 0
    for source in sources:
        table, folder, name = _read(source, batch_input)
        photos = () if isinstance(source, Path) else source
        if isinstance(source, Path):
            content = f"{folder} {file_sha256(source)}\n"
            digest.update(content.encode(errors="surrogateescape"))
        notes += _unused_camera(table, name)
        parts.append(_rows_of(table, photos, folder, name, batch_input, first_row))
        first_row += len(table["image"])
    if not any(len(part) for part in parts):
        raise DataError(f"{', '.join(batch_input.inputs)}: no rows to process")
    rows = parts[0] if len(parts) == 1 else _joined(parts)
    own = set(rows.path.tolist()) - set(_not_below(out, set(rows.path.tolist())))
    if own:
        raise DataError(
            f"{storable(min(own))} is in the output folder {out}, where it could be overwritten; "
            "choose a different --out"
        )
    return dataclasses.replace(rows, notes=tuple(notes)), digest.hexdigest()


def _unused_camera(table: dict[str, Column], name: str) -> list[str]:
    """A note about columns of a camera in another form than `focal_px`."""
    unused = [column for column in table if column.strip().lower() in _CAMERA_COLUMNS]
    if not unused or "focal_px" in table:
        return []
    return [
        f"{name}: not used, only copied: {', '.join(unused)}; a batch takes the camera from a "
        "column focal_px (focal length in pixels of the photo) or from EXIF"
    ]


def _find(name: str, out: Path | None, notes: list[str]) -> list[_Source]:
    """The sources with this name: each table alone, and all photos together.

    Notes about files that were left out go into `notes`.
    """
    path = Path(name)
    if path.is_dir():
        found, about = photos_below(path, out)
        notes += about
        photos = _not_below(out, found)
        if not photos:
            raise DataError(
                f"{path} contains no photos ({', '.join(PHOTOS)}); pass tables by file name"
            )
        return [tuple(photos)]
    names = [name] if path.exists() else sorted(glob.glob(name, recursive=True))
    if not names:
        raise DataError(f"no file, folder or glob matches {name}; {missing_advice(name)}")
    if path.exists() and path.suffix.lower() in _NO_INPUTS:
        raise DataError(f"{name} is not a photo; save a table as one of {', '.join(TABLES)}")
    names = _not_below(out, names)
    tables = [Path(n) for n in names if n.lower().endswith(TABLES)]
    photos = [n for n in names if not n.lower().endswith(TABLES) and not Path(n).is_dir()]
    return [*tables, *([tuple(photos)] if photos else [])]


def _not_below(out: Path | None, names: Iterable[str]) -> list[str]:
    """The names without files below the batch's own folder."""
    if out is None:
        return list(names)
    own = os.path.realpath(out)

    @functools.cache  # folders are few, photos many
    def is_own(folder: str) -> bool:
        return Path(os.path.realpath(folder)).is_relative_to(own)

    return [name for name in names if not is_own(os.path.dirname(name))]


def _read(source: _Source, given: BatchInput) -> tuple[dict[str, Column], Path, str]:
    """The columns, the folder that paths are relative to, and the table's name for messages."""
    if isinstance(source, tuple):
        images = text_column([storable(photo) for photo in source])
        return {"image": images}, Path.cwd(), "photos"
    is_parquet = source.suffix.lower() == ".parquet"
    table = read_parquet(source) if is_parquet else read_csv(source)
    table = renamed(source, table, has_points=bool(given.points or given.grid))
    for name in table:
        if name in ANSWERS and name not in _REPEATED:
            raise DataError(
                f"{source} has a column named {name}, which is also an output column; rename or "
                "remove it"
            )
    if "image" not in table:
        names = shortened(", ".join(table))
        raise DataError(
            f"{source} has no column named image; its columns are {names} (its first line must "
            "name the columns)"
        )
    return table, (given.root or source.parent).absolute(), str(source)


def _rows_of(
    table: dict[str, Column],
    photos: Sequence[str],
    folder: Path,
    name: str,
    given: BatchInput,
    first_row: int,
) -> Rows:
    """The rows of one table, or of `photos`, whose paths the table cannot always hold as text."""
    errors: RowErrors = {}
    points, table_rows = _points_of(table, name, given, errors)
    images = texts(table["image"], "image", name)
    focal_px, focal_errors = np.full(len(images), np.nan), RowErrors()
    if "focal_px" in table:
        focal_px = numbers(table["focal_px"], "focal_px", focal_errors, name)
    table_errors = {
        **focal_errors,
        **{n: "the image cell is empty" for n, i in enumerate(images) if not i},
    }
    for row in np.flatnonzero(np.isin(table_rows, list(table_errors))):
        errors.setdefault(int(row), table_errors[int(table_rows[row])])
    known: dict[str, str] = {}  # one text for each photo, in place of one for each row
    paths = (os.path.join(folder, photo) for photo in photos or images)
    path = np.array([known.setdefault(one, one) for one in paths], dtype=object)
    dropped = _REPEATED if _has_lists(table) else _REPEATED[:3]
    copied = {column: table[column] for column in table if column not in dropped}
    columns = {"image": text_column(images), **copied}
    if len(table_rows) != len(images) or given.points or given.grid:
        columns = {column: take(columns[column], table_rows) for column in columns}
        path = path[table_rows]
    columns = {"input_row": table_rows + first_row, **columns}
    return Rows(path, points, focal_px[table_rows], errors, columns)


def _has_lists(table: dict[str, Column]) -> bool:
    """Whether a table has one row for each photo with a list of points."""
    return "points" in table and not ("u" in table and "v" in table)


def _points_of(
    table: dict[str, Column], name: str, given: BatchInput, errors: RowErrors
) -> tuple[np.ndarray, np.ndarray]:
    """The points `[N, 2]`, and the table row of each `[N]`."""
    every = np.arange(len(table["image"]))
    has_columns = "u" in table and "v" in table
    if (has_columns or _has_lists(table)) and (given.points or given.grid):
        raise DataError(f"{name} has points of its own; omit --points and --grid")
    if _has_lists(table):
        return point_lists(table["points"], errors)
    if has_columns:
        u, v = (numbers(table[axis], axis, errors, name) for axis in ("u", "v"))
        return np.stack([u, v], axis=1), every
    if not (given.points or given.grid):
        raise DataError(
            f"{name} has no points; add columns u and v or a column named points, or pass "
            "--points 320,240 or --grid 8x6"
        )
    points = np.array(given.points, dtype=np.float64) if given.points else _centres(given.grid)
    return np.tile(points, (len(every), 1)), np.repeat(every, len(points))


def _centres(grid: tuple[int, int] | None) -> np.ndarray:
    """Centres of a grid's cells as fractions of width and height `[N, 2]`, row by row."""
    columns, rows = grid or (1, 1)
    v, u = np.mgrid[:rows, :columns]
    return np.stack([(u.ravel() + 0.5) / columns, (v.ravel() + 0.5) / rows], axis=1)


def _joined(parts: Sequence[Rows]) -> Rows:
    errors: RowErrors = {}
    before = 0
    for part in parts:
        errors |= {before + row: text for row, text in part.errors.items()}
        before += len(part)
    return Rows(
        np.concatenate([part.path for part in parts]),
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.focal_px for part in parts]),
        errors,
        concatenate([part.columns for part in parts]),
    )
