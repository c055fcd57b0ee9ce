"""Writing files and folders so that they appear whole or not at all."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spd.errors import DataError

UNFINISHED = ".writing-"
LOCK = "lock"
"""File of an output folder that the process which writes into it holds."""
TEXT_BYTES = 16 * 2**20
"""Size in bytes of the largest file that `read_text` and `read_json` read."""
_MOST_NESTED = 100
LISTED_BYTES = 2**30
"""Size in bytes of the largest list of frames or images."""


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path for a file or folder; it replaces `path` on success.

    It has the same name, as some writers depend on the suffix. After an error `path` is unchanged
    and nothing else is left.

    Raises:
        DataError: if the folder cannot be created or written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=target.parent))
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"cannot write {target}: {reason.lower()}; choose a different path"
        ) from None
    try:
        yield folder / target.name
        os.replace(folder / target.name, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write {target}: {reason.lower()}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_writable(path: str | os.PathLike[str], suffix: str = "") -> None:
    """Refuse an output file before the work that leads to it.

    Raises:
        DataError: if it is a folder, does not end in `suffix`, or cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(f"{target} is a folder; give the path of a file")
    if not target.name.lower().endswith(suffix):
        raise DataError(f"{target} must end in {suffix}")
    _check_place(target, target.absolute().parent)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Refuse an output folder before the work that fills it.

    Raises:
        DataError: if it is not a folder, or cannot be written.
    """
    _check_place(Path(path), Path(path).absolute())


def is_taken(folder: Path) -> bool:
    """Whether a path has other content than a run leaves that is killed at its very start."""
    if not folder.is_dir():
        return folder.exists()
    return any(p.name != LOCK and not p.name.startswith(UNFINISHED) for p in folder.iterdir())


def _check_place(target: Path, folder: Path) -> None:
    """Refuse a folder if it, or else its nearest existing parent, cannot be written."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise DataError(f"cannot write {target}: {nearest} is not a writable folder")


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file atomically, and flush it to the disk before it gets its name."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half written or half removed in a folder."""
    for path in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder; an interruption leaves it whole or gone."""
    gone = folder.with_name(f"{UNFINISHED}{folder.name}")
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: str | os.PathLike[str], most_bytes: int = TEXT_BYTES) -> str:
    """Text of a small file that anybody may have written.

    Raises:
        OSError: if it cannot be read, or is a folder, a pipe or a device.
        ValueError: if it is not UTF-8, or larger than `most_bytes`.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would wait, a device never end
        raise OSError(f"{os.fspath(path)} is not a file")
    with open(path, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"larger than {most_bytes} bytes")
    return content.decode("utf-8")


def read_json(path: str | os.PathLike[str], most_bytes: int = TEXT_BYTES) -> Any:
    """Parse a small JSON file that anybody may have written.

    Raises:
        OSError: as `read_text`.
        ValueError: as `read_text`; if it is not JSON, is nested too deeply, or contains a number of
            thousands of digits.
    """
    try:
        data = json.loads(read_text(path, most_bytes))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level = [data]
    for _ in range(_MOST_NESTED):  # whoever walks or prints the data may recurse
        level = [child for node in level for child in _children(node)]
        if not level:
            return data
    raise ValueError("nested too deeply")


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()
