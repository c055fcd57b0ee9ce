"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spd.errors import DataError

UNFINISHED = ".writing-"


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path` to write a file or a directory at; it becomes `path` on success.

    The name keeps its ending, for writers that go by it. On an error nothing is left behind and
    whatever stood at `path` still does.

    Raises:
        DataError: if the folder cannot be made or written to.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=target.parent))
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write {target}: {reason.lower()}; choose another place") from None
    try:
        yield folder / target.name
        os.replace(folder / target.name, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write {target}: {reason.lower()}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_writable(path: str | os.PathLike[str], suffix: str = "") -> None:
    """Refuse a place that a later write would fail at, before the work that leads to it.

    Raises:
        DataError: if it is a folder, has another ending than `suffix`, or cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(f"{target} is a folder; name a file in it")
    if not target.name.lower().endswith(suffix):
        raise DataError(f"{target} must end in {suffix}")
    _check_place(target, target.absolute().parent)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Refuse a folder that could not be made or filled, before the work that fills it.

    Raises:
        DataError: if something else has its name, or it cannot be written.
    """
    _check_place(Path(path), Path(path).absolute())


def _check_place(target: Path, folder: Path) -> None:
    """Whether the nearest of a folder and those above it that is there can be written to."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise DataError(f"cannot write {target}: {nearest} is not a folder that can be written")


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file atomically, and onto the disk before it takes its name."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half written or half removed directly in a folder."""
    for path in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that it is whole or gone, even if that is interrupted."""
    gone = folder.with_name(f"{UNFINISHED}{folder.name}")
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
