"""Formats of RGB-D data, recognised by content; one class each, listed in `FORMATS`."""

from pathlib import Path

from spd.data.formats.bts import BTS
from spd.data.formats.h5_frames import H5Frames
from spd.data.formats.image_folders import ImageDepthFolders
from spd.data.formats.labelled_mat import LabelledMat
from spd.data.formats.layout import unknown_advice
from spd.data.formats.parquet import ParquetTables
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.formats.table import CSVTable
from spd.data.source import Source
from spd.data.source_name import HUB, SourceName
from spd.errors import DataError

FORMATS: tuple[type[Source], ...] = (
    RGBDFolder,
    LabelledMat,
    BTS,
    H5Frames,
    ParquetTables,
    ImageDepthFolders,
    CSVTable,
)
"""All readers; the option `format=` takes their attribute `format`."""


def recognise(path: Path) -> dict[type[Source], str]:
    """Formats that a path may have, each with its evidence.

    Raises:
        DataError: if the path cannot be read.
    """
    try:
        found = {reader: reader.recognise(path) for reader in FORMATS}
        if not any(found.values()):
            found[ImageDepthFolders] = ImageDepthFolders.recognise_below(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot read {path}: {reason}") from None
    return {reader: evidence for reader, evidence in found.items() if evidence is not None}


def open_source(text: str) -> Source:
    """Open a source of any format, written as `PATH[:SPLIT][,key=value]...`.

    Raises:
        DataError: if the path does not exist, no format or more than one fits, or the reader
            refuses it.
    """
    name = SourceName.parse(text)
    # A string: Path would turn the two slashes of hf:// into one.
    return _reader(name)(name.path, name.split, name.options)


def _reader(name: SourceName) -> type[Source]:
    known = ", ".join(reader.format for reader in FORMATS)
    if name.options.format is not None:
        for reader in FORMATS:
            if reader.format == name.options.format:
                return reader
        raise DataError(f"unknown format {name.options.format!r}; supported formats are {known}")
    if name.path.startswith(HUB):
        return ParquetTables
    name.check_exists()
    path = Path(name.path)
    found = recognise(path)
    if len(found) == 1:
        return next(iter(found))
    if found:
        shown = "; ".join(f"{reader.format} ({why})" for reader, why in found.items())
        raise DataError(f"{path} matches several formats: {shown}; choose one with format=")
    raise DataError(
        f"{path} is not in a known format; supported formats are {known} (docs/formats.md)"
        f"{unknown_advice(path)}"
    )
