"""Parquet tables on this machine, or data sets of the Hugging Face hub.

The `datasets` library reads them from its own Arrow copy on disk, in any order.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from spd.data.formats.general import GeneralSource, canonical_split
from spd.data.formats.parquet_parts import Part, columns_of, files_by_split, open_parts
from spd.data.formats.parquet_rows import (
    METADATA_COLUMNS,
    RowMetadata,
    describe_row_depth,
    pixel_columns,
    row_depth,
    row_image,
    row_metadata,
    row_orientation,
)
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split


class ParquetTables(GeneralSource):
    """Rows of parquet files, or of a data set of the hub (`hf://datasets/NAME[@REVISION]`).

    Columns `image` (or `rgb`) and `depth_map` (or `depth`) hold the bytes of files or nested
    numbers. `split`, `scene`, `name` (`filename`, `id`) and a camera are optional. Without a
    column `split` the file name gives it: `train-00000-of-00002.parquet`, `train.parquet`, or
    `train/0000.parquet`. `val` also selects `validation`.

    Raises:
        DataError: at once, if files, columns or the split are missing, or the library fails.
    """

    format: ClassVar[str] = "parquet"

    def _open(self) -> None:
        self.parts = open_parts(self.address, self.split)
        self.places: list[tuple[int, int]] = []
        self.metadata: list[RowMetadata] = []
        self.frames = list(self._find_frames())
        if not self.frames:
            raise no_such_split(self.address, self.split, [part.split for part in self.parts])

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """Parquet files, the first of them with columns of images and of depth."""
        files = [file for part in files_by_split(path).values() for file in part]
        if not files:
            return None
        columns = pixel_columns(columns_of(files[0]))
        return None if columns is None else f"has columns {' and '.join(columns)}"

    @property
    def stored(self) -> str:
        """Type and unit of the first row's depth."""
        part, row = self._row(0)
        return describe_row_depth(row, part.depth, self.options.unit, self._where(0))

    def files_of(self, number: int) -> tuple[Path, ...]:
        """Local files of a frame's split."""
        return self.parts[self.places[number][0]].files

    def settings_of(self, number: int) -> str:
        """Row of a frame and its camera."""
        return f"{self.places[number][1]} {self.metadata[number].camera!r}"

    def read(self, number: int) -> RGBDSample:
        """Read a sample from the library's copy on disk."""
        part, row = self._row(number)
        image = row_image(row, part.image, self._where(number))
        depth_m = row_depth(row, part.depth, self.options.unit, self._where(number))
        camera = self.metadata[number].camera
        orientation = row_orientation(row, part.image, self._where(number))
        return self.make_sample(image, depth_m, camera, self.frames[number].name, orientation)

    def _row(self, number: int) -> tuple[Part, Any]:
        place, row = self.places[number]
        return self.parts[place], self.parts[place].rows[row]

    def _where(self, number: int) -> str:
        return f"{self.address}: {self.frames[number].name}"

    def _find_frames(self) -> Iterator[Frame]:
        """Frames of the split; fills `places` and `metadata`."""
        wanted = canonical_split(self.split)
        taken: Counter[str] = Counter()
        for place, part in enumerate(self.parts):
            columns = [name for name in METADATA_COLUMNS if name in part.rows.column_names]
            table = part.rows.select_columns(columns)[:] if columns and len(part.rows) else None
            cells = [{}] * len(part.rows) if table is None else table.to_pylist()
            for row, values in enumerate(cells):
                metadata = row_metadata(values, f"{self.address}: row {row}")
                split = metadata.split or part.split
                if wanted is not None and split != wanted:
                    continue
                self.places.append((place, row))
                self.metadata.append(metadata)
                name = metadata.name or f"{row:06d}"
                name = name if split is None else f"{split}/{name}"
                taken[name] += 1
                unique = name if taken[name] == 1 else f"{name}#{taken[name]}"
                yield Frame(
                    unique, split, metadata.scene, has_focal=self.has_focal(metadata.camera)
                )
