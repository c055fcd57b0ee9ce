"""HDF5 files, opened for one read each, with one-line errors that name them."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spd.errors import DataError

if TYPE_CHECKING:
    import h5py


@contextlib.contextmanager
def open_hdf5(file: Path | io.BytesIO, name: str) -> Iterator["h5py.File"]:
    """The file, open for reading; what fails while reading in it is the file's fault, too.

    Args:
        file: where it is, or its bytes.
        name: what messages call it.

    Raises:
        DataError: if it is no HDF5 file, truncated or damaged.
    """
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            yield opened
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{name} is damaged, truncated or no HDF5 file ({reason})") from None


def dataset(file: "h5py.File", key: str, name: str) -> "h5py.Dataset":
    """The data set of that key.

    Raises:
        DataError: if there is none, naming those there are.
    """
    import h5py

    found = file.get(key)
    if not isinstance(found, h5py.Dataset):
        there_are = ", ".join(sorted(file)) or "nothing"
        raise DataError(f"{name} has no data set {key!r}; it holds {there_are}")
    return found


def keys_of(file: Path) -> set[str]:
    """What an HDF5 file holds at its root; nothing if it is none."""
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            return set(opened)
    except (OSError, RuntimeError):
        return set()
