"""Parquet tables, as the hub of the `datasets` library keeps them; on this machine or there.

The library does the reading: from its own Arrow copy on disk, in any order, for training; or as a
stream, without a copy, for looking, checking and converting.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from spd.data.forms.parquet_parts import (
    Part,
    columns_of,
    files_by_split,
    naming_the_source,
    open_parts,
)
from spd.data.forms.parquet_rows import (
    FACT_COLUMNS,
    RowFacts,
    describe_row_depth,
    pixel_columns,
    row_depth,
    row_facts,
    row_image,
)
from spd.data.forms.stated import (
    StatedSource,
    canonical_split,
    check_options,
    has_focal,
    make_sample,
)
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split
from spd.data.source_name import SourceName, SourceOptions


class ParquetTables(StatedSource):
    """The rows of parquet files, or of a data set of the hub (`hf://datasets/NAME[@REVISION]`).

    Columns `image` (or `rgb`) and `depth_map` (or `depth`) hold the bytes of files or nested
    numbers; `split`, `scene`, `name` (`filename`, `id`) and a camera are used where they are
    there. Without a column of that name the split is the file's: `train-00000-of-00002.parquet`,
    `train.parquet`, or `train/0000.parquet`. `validation` is asked for as `val` too.

    Raises:
        DataError: at once, if files, columns or the split lack, or the library refuses.
    """

    form: ClassVar[str] = "parquet"

    def __init__(
        self, path: str | Path, split: str | None = None, options: SourceOptions | None = None
    ) -> None:
        super().__init__(path, split, options)
        self.address = str(path)
        self.parts = open_parts(self.address, split, streaming=False)
        self.places: list[tuple[int, int]] = []
        self.facts: list[RowFacts] = []
        self.frames = list(self._find_frames())
        if not self.frames:
            raise no_such_split(self.address, split, [part.split for part in self.parts])

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """Parquet files lie there, and the first has columns of images and of depth."""
        files = [file for part in files_by_split(path).values() for file in part]
        if not files:
            return None
        columns = pixel_columns(columns_of(files[0]))
        return None if columns is None else f"its columns name {' and '.join(columns)}"

    @property
    def stored(self) -> str:
        """As the first row stores it."""
        part, row = self._row(0)
        return describe_row_depth(row, part.depth, self.options.unit, self._called(0))

    def read(self, number: int) -> RGBDSample:
        """The sample of that number, from the library's copy on disk."""
        part, row = self._row(number)
        name = self.frames[number].name
        return _sample(part, row, self.facts[number], self.options, name, self.address)

    def _row(self, number: int) -> tuple[Part, Any]:
        place, row = self.places[number]
        return self.parts[place], self.parts[place].rows[row]

    def _called(self, number: int) -> str:
        return f"{self.address}: {self.frames[number].name}"

    def _find_frames(self) -> Iterator[Frame]:
        names = _Names(self.split)
        for place, part in enumerate(self.parts):
            columns = [name for name in FACT_COLUMNS if name in part.rows.column_names]
            table = part.rows.select_columns(columns)[:] if columns and len(part.rows) else None
            cells = [{}] * len(part.rows) if table is None else table.to_pylist()
            for row, values in enumerate(cells):
                facts = row_facts(values, f"{self.address}: row {row}")
                name = names.name(part, facts, row)
                if name is not None:
                    self.places.append((place, row))
                    self.facts.append(facts)
                    known = has_focal(facts.stated, self.options)
                    split = facts.split or part.split
                    yield Frame(name, split, facts.scene, has_focal=known)


def stream(text: str) -> Iterator[RGBDSample]:
    """The samples of a parquet source one after the other, without a copy of it on disk.

    The same samples, names and order as the source's own.

    Args:
        text: `PATH[:SPLIT][,key=value]...` as everywhere; files, or `hf://datasets/NAME`.

    Raises:
        DataError: as :class:`ParquetTables` does; what is wrong in a row, when it is reached.
    """
    source = SourceName.parse(text)
    check_options(ParquetTables.form, source.options)
    parts = open_parts(source.path, source.split, streaming=True)
    return _stream(parts, source)


def _stream(parts: Sequence[Part], source: SourceName) -> Iterator[RGBDSample]:
    names = _Names(source.split)
    found = False
    for part in parts:
        with naming_the_source(source.path):
            for number, row in enumerate(part.rows):
                columns = [name for name in FACT_COLUMNS if name in row.column_names]
                cells = row.select(columns).to_pylist()[0] if columns else {}
                facts = row_facts(cells, f"{source.path}: row {number}")
                name = names.name(part, facts, number)
                if name is not None:
                    found = True
                    yield _sample(part, row, facts, source.options, name, source.path)
    if not found:
        raise no_such_split(source.path, source.split, [part.split for part in parts])


def _sample(
    part: Part, row: Any, facts: RowFacts, options: SourceOptions, name: str, address: str
) -> RGBDSample:
    called = f"{address}: {name}"
    image = row_image(row, part.image, called)
    depth_m = row_depth(row, part.depth, options.unit, called)
    return make_sample(image, depth_m, facts.stated, options, name)


class _Names:
    """Names of rows, unique and the same whether streamed or read at random."""

    def __init__(self, split: str | None) -> None:
        self.split = canonical_split(split)
        self.taken: Counter[str] = Counter()

    def name(self, part: Part, facts: RowFacts, row: int) -> str | None:
        """The name of a row; None if it is not of the split."""
        split = facts.split or part.split
        if self.split is not None and split != self.split:
            return None
        own = facts.name or f"{row:06d}"
        name = own if split is None else f"{split}/{own}"
        self.taken[name] += 1
        return name if self.taken[name] == 1 else f"{name}#{self.taken[name]}"
