"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spd.errors import DataError


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
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
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


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
