"""Named arrays in one `.npz` file, written whole or not at all."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spd.errors import DataError
from spd.evaluation.settings import written_by
from spd.files import atomic_path

_MOST_BYTES = 4 * 2**30


def write_arrays(path: Path, values: Mapping[str, Any]) -> None:
    """Write arrays by name, with the fastest compression: depth hardly shrinks further."""
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, value in values.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(value), allow_pickle=False)


def read_arrays(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """All arrays of a file, which must include `keys`.

    Raises:
        DataError: if the file is missing, damaged, or lacks one of them.
    """
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            _check_size(path, stored.zip)
            missing = [key for key in keys if key not in stored.files]
            values = {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        raise DataError(f"{path} is missing; run the evaluation again to recreate it") from None
    except DataError:
        raise
    except Exception:  # a damaged archive raises many types, and so does a damaged header in it
        raise DataError(f"{path} is damaged; delete it and evaluate again") from None
    if missing:
        raise DataError(
            f"{path} lacks {missing[0]}: a different version wrote it"
            f"{written_by(path.parents[1] / 'settings.json')}; evaluate into a different folder"
        )
    return values


def _check_size(path: Path, archive: zipfile.ZipFile | None) -> None:
    """Refuse a file that unpacks to more than the predictions of one image can take."""
    unpacked = sum(entry.file_size for entry in archive.infolist()) if archive else 0
    if unpacked > _MOST_BYTES:
        raise DataError(
            f"{path} unpacks to {unpacked} bytes, expected at most {_MOST_BYTES}; delete it and "
            "evaluate again"
        )
