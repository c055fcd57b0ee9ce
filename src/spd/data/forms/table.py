"""A table of your own: a CSV file that names an image and a depth map in every row."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from spd.data.depth_units import Unit
from spd.data.forms.file_pairs import FilePair, PairedFiles
from spd.data.forms.stated import canonical_split, has_focal, stated_camera
from spd.data.forms.timestamps import FURTHEST_STATED_US, timestamp_us
from spd.data.source import Frame, missing_files
from spd.data.source_name import SourceOptions
from spd.errors import DataError

REQUIRED = ("image", "depth")
HEADER_BYTES = 4096


class Table(PairedFiles):
    """Rows of a CSV file: `image`, `depth` and, where wanted, more columns.

    `split`, `scene`, `name`, `unit`, and the camera as `fx`, `fy`, `cx`, `cy` or as `focal_px`;
    other columns are ignored. Paths start from the table's folder, or from `root=`.

    Raises:
        DataError: at once, if the table is malformed, naming the row, or files are missing.
    """

    form: ClassVar[str] = "table"
    extra_options = ("root",)

    def __init__(
        self, path: str | Path, split: str | None = None, options: SourceOptions | None = None
    ) -> None:
        super().__init__(path, split, options)
        root = self.path.parent if self.options.root is None else Path(self.options.root)
        rows = _read_rows(self.path)
        pairs = [_pair(cells, root, self.options, where) for where, cells in rows]
        self._keep(pairs)
        _refuse_repeated_names(self.pairs, self.path)
        _check_files(self.pairs, self.path)

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """The first line of the file names the columns."""
        if not path.is_file():
            return None
        with path.open("rb") as file:
            line = file.read(HEADER_BYTES).partition(b"\n")[0]
        try:
            header = _header(next(csv.reader([line.decode("utf-8-sig")]), []))
        except (UnicodeDecodeError, csv.Error):
            return None
        return "its header names image and depth" if set(REQUIRED) <= set(header) else None


def _header(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def _read_rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Every row by column, behind the words that messages call it by."""
    try:
        # utf-8-sig: Excel puts a mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, line) for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8 that can be read ({error})") from None
    header = _header(lines[0][1]) if lines else []
    for column in REQUIRED:
        if header.count(column) != 1:
            given = ", ".join(header) or "nothing"
            raise DataError(f"{path}: the header must name {column} once, it names {given}")
    rows = []
    for number, line in lines[1:]:
        where = f"{path}: row {number}"
        if len(line) > len(header):
            raise DataError(
                f"{where} has {len(line)} values, the header {len(header)}; "
                "put values that hold a comma in quotes"
            )
        rows.append((where, dict(zip(header, (cell.strip() for cell in line), strict=False))))
    return rows


def _pair(cells: Mapping[str, str], root: Path, options: SourceOptions, where: str) -> FilePair:
    image, depth = (_required(cells, column, where) for column in REQUIRED)
    _refuse_other_time(image, depth, where)
    stated = stated_camera(cells, where)
    frame = Frame(
        name=cells.get("name") or image,
        split=canonical_split(cells.get("split") or None),
        scene=cells.get("scene") or None,
        has_focal=has_focal(stated, options),
    )
    unit = _unit(cells.get("unit", ""), where)
    unit = unit if options.unit is None else options.unit
    return FilePair(frame, root / image, root / depth, unit, stated)


def _required(cells: Mapping[str, str], column: str, where: str) -> str:
    value = cells.get(column)
    if not value:
        raise DataError(f"{where} names no {column}")
    return value


def _unit(text: str, where: str) -> Unit | None:
    if text == "millimetre":
        return "millimetre"
    if text == "metre":
        return "metre"
    try:
        per_metre = float(text) if text else None
    except ValueError:
        per_metre = math.nan
    if per_metre is not None and not 0 < per_metre < math.inf:
        raise DataError(
            f"{where}: unit is {text!r}, expected millimetre, metre or a number of units per metre"
        )
    return per_metre


def _refuse_other_time(image: str, depth: str, where: str) -> None:
    times = [timestamp_us(Path(name).stem) for name in (image, depth)]
    if times[0] is not None and times[1] is not None:
        gap_us = abs(times[0] - times[1])
        if gap_us > FURTHEST_STATED_US:
            raise DataError(
                f"{where} pairs {image} with {depth}, taken {gap_us / 1e6:g} s apart; "
                f"expected at most {FURTHEST_STATED_US / 1e6:g} s"
            )


def _refuse_repeated_names(pairs: Sequence[FilePair], path: Path) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.frame.name in seen:
            raise DataError(f"{path} names {pair.frame.name} twice; give each row its own name")
        seen.add(pair.frame.name)


def _check_files(pairs: Sequence[FilePair], path: Path) -> None:
    named = [file for pair in pairs for file in (pair.image, pair.depth)]
    missing = [str(file) for file in named if not file.is_file()]
    if missing:
        raise missing_files(path, missing)
