"""Write files and folders so that they appear whole or not at all."""

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from spd.errors import DataError, InputError, reason_of, shown
from spd.files.places import UNFINISHED, descriptor_of, is_special, real_path, refuse_read_only
from spd.processes import unfinished


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path for a file or folder; it replaces `path` on success.

    It has the same name, as some writers depend on the suffix. After an error `path` is unchanged
    and nothing else is left. An existing file keeps its mode and owner; a symbolic link stays, and
    what it points to is replaced. The finished file is copied into a device or a pipe, and into a
    file that cannot be moved, such as one mounted into a container.

    Raises:
        DataError: if the folder cannot be created or written, or the file is read-only.
        InputError: if the path is not text or a path object.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"the path of an output must be text, got {shown(path)}")
    given = Path(path)
    special = is_special(given)
    target = given if special else real_path(given)
    place = tempfile.gettempdir() if special else target.parent
    folder = Path(place, f"{UNFINISHED}{secrets.token_hex(8)}")
    unfinished.add(str(folder))  # before it exists, because a signal may come at any time
    try:
        os.makedirs(place, exist_ok=True)
        os.mkdir(folder, 0o700)
        temporary = folder / (given.name or target.name)
        yield temporary
        if special:
            _copy_into(temporary, target)
        else:
            _keep_mode(temporary, target)
            _replace(temporary, target)
    except OSError as error:
        advice = "" if os.path.exists(folder) else "; choose a different path"
        raise DataError(f"cannot write {given}: {reason_of(error)}{advice}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.discard(str(folder))


def _replace(source: Path, target: Path) -> None:
    """Move a file or folder over another, or copy it into a file that cannot be replaced."""
    try:
        os.replace(source, target)
    except OSError as error:
        # A mounted file is busy; in a sticky folder, only their owner replaces files.
        if error.errno not in (errno.EBUSY, errno.EPERM, errno.EACCES) or not target.is_file():
            raise
        _copy_into(source, target)


def _copy_into(source: Path, target: Path) -> None:
    """Write a file's content into a device or pipe, or at the position of an open file."""
    number = descriptor_of(target)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by the shell
            stream.flush()
    opened = _opened(target) if number is None else os.dup(number)
    with open(opened, "wb") as sink, source.open("rb") as file:
        shutil.copyfileobj(file, sink)


def _opened(target: Path) -> int:
    """Open what exists for writing; a pipe that nobody reads is waited for, and said."""
    if not stat.S_ISFIFO(os.stat(target).st_mode):
        return os.open(target, os.O_WRONLY | os.O_TRUNC)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        warnings.warn(f"waiting for a program that reads the pipe {target}", stacklevel=2)
        return os.open(target, os.O_WRONLY)
    os.set_blocking(handle, True)
    return handle


def _keep_mode(temporary: Path, target: Path) -> None:
    """Give a new file or folder the owner, mode and attributes of the one that it replaces."""
    try:
        before = os.stat(target)
    except FileNotFoundError:
        return
    refuse_read_only(target)
    for owner, group in ((-1, before.st_gid), (before.st_uid, -1)):
        with contextlib.suppress(OSError, AttributeError):  # only root may give a file away
            os.chown(temporary, owner, group)
    with contextlib.suppress(OSError):
        shutil.copystat(target, temporary)  # with access lists, of which the mode shows a part
    os.utime(temporary)
    after, mode = os.stat(temporary), stat.S_IMODE(before.st_mode)
    if (after.st_uid, after.st_gid) != (before.st_uid, before.st_gid):
        mode &= 0o777  # nobody else's program gets this user's rights
    if after.st_gid != before.st_gid:
        mode = mode & 0o707 | (mode & 0o7) << 3  # this group may do what everybody could
    os.chmod(temporary, mode)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file atomically, and flush it to the disk before it gets its name."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Write a text file atomically, as UTF-8.

    A byte of a file name that is not UTF-8 becomes an escape, such as `\udcff`.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half written or half removed in a folder."""
    for path in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder; an interruption leaves it whole or gone."""
    gone = folder.with_name(f"{UNFINISHED}{folder.name}")
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)
