"""A CSV file that names an image and a depth map in every row."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from spd.data.depth_units import Unit
from spd.data.formats.file_pairs import FilePair, FilePairSource
from spd.data.formats.general import GeneralSource, camera_columns, canonical_split
from spd.data.formats.timestamps import FURTHEST_STATED_US, timestamp_us
from spd.data.source import Frame, refuse_missing_files
from spd.errors import DataError

REQUIRED = ("image", "depth")
HEADER_BYTES = 4096


class CSVTable(FilePairSource):
    """Rows of a CSV file: `image`, `depth` and optional further columns.

    The optional columns are `split`, `scene`, `name`, `unit`, and the camera as `fx`, `fy`, `cx`,
    `cy` or as `focal_px`; others are ignored. Paths are relative to the table's folder or `root=`.

    Raises:
        DataError: at once, if the table is malformed, naming the row, or files are missing.
    """

    format: ClassVar[str] = "table"
    allowed_options = (*GeneralSource.allowed_options, "root")

    def _open(self) -> None:
        root = self.path.parent if self.options.root is None else Path(self.options.root)
        self._set_pairs([self._pair(cells, root, where) for where, cells in _read_rows(self.path)])
        for name, count in Counter(frame.name for frame in self.frames).items():
            if count > 1:
                raise DataError(
                    f"{self.path} uses the name {name} twice; give each row a unique name"
                )
        files = (file for pair in self.pairs for file in (pair.image, pair.depth))
        refuse_missing_files(self.path, files)

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """Column names in the first line of the file."""
        if not path.is_file():
            return None
        with path.open("rb") as file:
            line = file.read(HEADER_BYTES).partition(b"\n")[0]
        try:
            header = _header(next(csv.reader([line.decode("utf-8-sig")]), []))
        except (UnicodeDecodeError, csv.Error):
            return None
        return "its header has image and depth" if set(REQUIRED) <= set(header) else None

    def _pair(self, cells: Mapping[str, str], root: Path, where: str) -> FilePair:
        for column in REQUIRED:
            if not cells.get(column):
                raise DataError(f"{where} has no {column}")
        image, depth = cells["image"], cells["depth"]
        _refuse_other_time(image, depth, where)
        camera = camera_columns(cells, where)
        frame = Frame(
            name=cells.get("name") or image,
            split=canonical_split(cells.get("split") or None),
            scene=cells.get("scene") or None,
            has_focal=self.has_focal(camera),
        )
        unit = _unit(cells.get("unit", ""), where)
        unit = unit if self.options.unit is None else self.options.unit
        return FilePair(frame, root / image, root / depth, unit, camera)


def _header(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def _read_rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Name of every row in messages, and its cells by column."""
    try:
        # utf-8-sig: Excel writes a byte order mark before the first column name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, line) for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a readable UTF-8 CSV file ({error})") from None
    header = _header(lines[0][1]) if lines else []
    for column in REQUIRED:
        if header.count(column) != 1:
            given = ", ".join(header) or "nothing"
            raise DataError(
                f"{path}: the header must contain {column} exactly once, but it contains {given}"
            )
    rows = []
    for number, line in lines[1:]:
        where = f"{path}: row {number}"
        if len(line) > len(header):
            raise DataError(
                f"{where} has {len(line)} values, but the header has {len(header)}; "
                "quote values that contain a comma"
            )
        rows.append((where, dict(zip(header, (cell.strip() for cell in line), strict=False))))
    return rows


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
            f"{where}: unit is {text!r}; expected millimetre, metre or a number of units per metre"
        )
    return per_metre


def _refuse_other_time(image: str, depth: str, where: str) -> None:
    times = [timestamp_us(Path(name).stem) for name in (image, depth)]
    if times[0] is not None and times[1] is not None:
        gap_us = abs(times[0] - times[1])
        if gap_us > FURTHEST_STATED_US:
            raise DataError(
                f"{where} pairs {image} with {depth}, but they were taken {gap_us / 1e6:g} s "
                f"apart; expected at most {FURTHEST_STATED_US / 1e6:g} s"
            )
