"""Splits of parquet tables, opened by the `datasets` library from local files or the hub."""

import contextlib
import dataclasses
import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spd.data.formats.general import SPLITS, canonical_split
from spd.data.formats.parquet_rows import require_pixel_columns
from spd.data.source import no_such_split
from spd.data.source_name import HUB
from spd.errors import DataError, SPDError

MAGIC = b"PAR1"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One split of the files or of the hub's data set."""

    split: str | None
    rows: Any
    """A `datasets.Dataset`, each row of which is an Arrow table with one row."""
    image: str
    depth: str
    """Name of the depth column, as `image` is that of the image column."""
    files: tuple[Path, ...]
    """Local files of the part; none for a data set of the hub."""


def open_parts(address: str, split: str | None) -> list[Part]:
    """Open the parts of a file, a folder, or `hf://datasets/NAME[@REVISION]` that may hold a split.

    Raises:
        DataError: if files, columns or the split are missing, or the library fails.
    """
    import datasets

    parts = []
    with _library_errors(address), _without_progress_bars(address):
        calls = _hub_calls(address, split) if address.startswith(HUB) else _calls(address, split)
        for name, call in calls.items():
            files = tuple(map(Path, call.pop("local", ())))
            rows = datasets.load_dataset(**call).with_format("arrow")
            columns = require_pixel_columns(rows.column_names, address)
            parts.append(Part(canonical_split(name), rows, *columns, files))
    return parts


def _hub_calls(address: str, split: str | None) -> dict[str | None, dict[str, Any]]:
    """Arguments of `load_dataset` for each split of a data set of the hub."""
    import datasets

    repository, _, revision = address.removeprefix(HUB).partition("@")
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository) is None:
        raise DataError(
            f"{address} is not a valid dataset name; expected {HUB}OWNER/NAME or {HUB}NAME"
        )
    about = {"revision": revision} if revision else {}
    names = _wanted(datasets.get_dataset_split_names(repository, **about), split, address)
    return {name: {"path": repository, "split": name, **about} for name in names}


def _calls(address: str, split: str | None) -> dict[str | None, dict[str, Any]]:
    """Arguments of `load_dataset` for local files; it takes paths as patterns, hence the escape."""
    return {
        name: {
            "path": "parquet",
            "data_files": [glob.escape(str(file.resolve())) for file in files],
            "local": files,
            "split": "train",
        }
        for name, files in _local_files(address, split).items()
    }


def _local_files(address: str, split: str | None) -> dict[str | None, list[Path]]:
    """Files that may hold the split."""
    by_split = files_by_split(Path(address))
    if not by_split:
        raise DataError(f"{address} is neither a parquet file nor a folder of parquet files")
    columns = [columns_of(file) for files in by_split.values() for file in files]
    for names in columns:
        require_pixel_columns(names, address)
    if any("split" in names for names in columns) and canonical_split(split) not in {
        canonical_split(name) for name in by_split
    }:
        return by_split  # the split may stand in the column
    return {name: by_split[name] for name in _wanted(list(by_split), split, address)}


def _wanted(names: Sequence[str | None], split: str | None, address: str) -> Sequence[str | None]:
    """Names of the split, which may be written in two ways; all names for None."""
    if split is None:
        return names
    wanted = [name for name in names if canonical_split(name) == canonical_split(split)]
    if not wanted:
        raise no_such_split(address, split, names)
    return wanted


def files_by_split(path: Path) -> dict[str | None, list[Path]]:
    """Parquet files of a folder or one level below it, by the split in their names."""
    if path.is_file():
        with path.open("rb") as opened:
            return {_split_of(path.stem): [path]} if opened.read(len(MAGIC)) == MAGIC else {}
    by_split: dict[str | None, list[Path]] = {}
    for file in sorted(path.glob("*.parquet")) or sorted(path.glob("*/*.parquet")):
        if not file.name.startswith("."):
            split = _split_of(file.stem)
            if split is None and file.parent != path and file.parent.name in SPLITS:
                split = file.parent.name
            by_split.setdefault(split, []).append(file)
    return by_split


def _split_of(stem: str) -> str | None:
    numbered = re.fullmatch(r"(\w+)-\d{5}-of-\d{5}", stem)
    if numbered is not None:
        return numbered[1]
    first = re.split(r"[-_.]", stem)[0]
    return first if first in SPLITS else None


def columns_of(file: Path) -> list[str]:
    """Names of a file's columns.

    Raises:
        DataError: if the file is truncated or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowException, OSError):
        raise DataError(f"{file} is not a readable parquet file; is the file complete?") from None


@contextlib.contextmanager
def _library_errors(address: str) -> Iterator[None]:
    """Turn the library's errors into one line that names the source."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except SPDError:
        raise
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise DataError(f"{address} cannot be read by the datasets library: {reason}") from None


@contextlib.contextmanager
def _without_progress_bars(address: str) -> Iterator[None]:
    """Hide the library's progress bars for local files; a download shows them."""
    import datasets

    insisted = datasets.config.HF_DATASETS_DISABLE_PROGRESS_BARS is False  # by the user's setting
    if address.startswith(HUB) or insisted or datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
