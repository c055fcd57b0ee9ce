"""Reading HDF5 files, with one-line errors that name the file."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spd.errors import DataError, SPDError, reason_of

if TYPE_CHECKING:
    import h5py


@contextlib.contextmanager
def open_hdf5(file: Path | io.BytesIO, name: str) -> Iterator["h5py.File"]:
    """Open a file, or its bytes, for reading; errors inside the block count as the file's.

    Raises:
        DataError: if it is not an HDF5 file, truncated or damaged; the message names it `name`.
    """
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            yield opened
    except SPDError:
        raise
    except Exception as error:  # a damaged file raises many types
        raise DataError(
            f"{name} is damaged, truncated or not an HDF5 file ({reason_of(error)})"
        ) from None


def dataset(file: "h5py.File", key: str, name: str) -> "h5py.Dataset":
    """Data set of that key.

    Raises:
        DataError: if it does not exist, with the keys of the file.
    """
    import h5py

    found = file.get(key)
    if not isinstance(found, h5py.Dataset):
        keys = ", ".join(sorted(file)) or "nothing"
        raise DataError(f"{name} has no dataset {key!r}; it contains {keys}")
    return found


def keys_of(file: Path) -> set[str]:
    """Keys at the root of an HDF5 file; empty for any other file."""
    try:
        with open_hdf5(file, str(file)) as opened:
            return set(opened)
    except DataError:
        return set()
