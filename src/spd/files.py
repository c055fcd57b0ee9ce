"""Writing files and folders so that they appear whole or not at all."""

import atexit
import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spd.errors import DataError, InputError, reason_of, shown
from spd.processes import unfinished

UNFINISHED = ".writing-"
LOCK = "lock"
"""File of an output folder that the process which writes into it holds."""
TEXT_BYTES = 16 * 2**20
"""Size in bytes of the largest file that `read_text` and `read_json` read."""
LISTED_BYTES = 2**30
"""Size in bytes of the largest JSON file with a list of frames or images."""
_MOST_NESTED = 100


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path for a file or folder; it replaces `path` on success.

    It has the same name, as some writers depend on the suffix. After an error `path` is unchanged
    and nothing else is left. An existing file keeps its mode and owner; a symbolic link stays, and
    what it points to is replaced. The finished file is copied into a device or a pipe, and into a
    file that cannot be moved, such as one mounted into a container.

    Raises:
        DataError: if the folder cannot be created or written, or the file is read-only.
        InputError: if the path is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"the path of an output must be text, got {shown(path)}")
    given = Path(path)
    try:
        special = is_special(given)
        target = given if special else real_path(given)
        if not special:
            target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=None if special else target.parent))
    except OSError as error:
        raise DataError(
            f"cannot write {given}: {reason_of(error)}; choose a different path"
        ) from None
    unfinished.add(str(folder))
    try:
        temporary = folder / (given.name or target.name)
        yield temporary
        if special:
            _copy_into(temporary, target)
        else:
            _keep_mode(temporary, target)
            _replace(temporary, target)
    except OSError as error:
        raise DataError(f"cannot write {given}: {reason_of(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.discard(str(folder))


def real_path(path: str | os.PathLike[str]) -> Path:
    """Absolute path with all symbolic links resolved; the file need not exist.

    Raises:
        DataError: if the path is relative and the current folder was removed.
    """
    with contextlib.suppress(FileNotFoundError):  # of the current folder
        if os.path.isabs(path) or os.getcwd() != _stand_in:
            return Path(os.path.realpath(path))
    raise DataError(
        f"{path} is relative, and the current folder no longer exists; pass an absolute path"
    )


_stand_in: str | None = None


def leave_removed_folder() -> bool:
    """Change to an empty folder if the current one was removed, because libraries need one.

    Relative outputs are refused then, and relative inputs are not found.

    Returns:
        Whether it was removed.
    """
    global _stand_in
    try:
        os.getcwd()
    except FileNotFoundError:
        sys.path[:] = [path for path in sys.path if path]  # "" is the removed folder
        _stand_in = os.path.realpath(tempfile.mkdtemp(prefix="spd-"))
        os.chdir(_stand_in)
        atexit.register(shutil.rmtree, _stand_in, ignore_errors=True)
    return os.getcwd() == _stand_in


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a device, a pipe, a socket or an open file such as /dev/stdout."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or _descriptor(path) is not None


def _descriptor(path: str | os.PathLike[str]) -> int | None:
    """Number of this process's open file that a path such as /dev/stdout or /dev/fd/3 names."""
    place = os.fspath(path)
    homes = {os.path.realpath(home) for home in ("/dev/fd", "/proc/self/fd")}
    for _ in range(40):  # as many links as Linux follows
        folder = os.path.realpath(os.path.dirname(place))
        name = os.path.basename(place)
        if folder in homes and name.isdecimal():
            return int(name)
        if not os.path.islink(place):
            return None
        place = os.path.join(folder, os.readlink(place))
    return None


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
    number = _descriptor(target)
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
    _refuse_read_only(target)
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


def _refuse_read_only(target: Path) -> None:
    """Refuse to replace a file without write permission, which the folder would allow."""
    if os.path.exists(target):
        has_bit = os.stat(target).st_mode & 0o222  # os.access lets root write everything
        if not (has_bit and os.access(target, os.W_OK)):
            raise DataError(f"cannot write {target}: it is read-only; choose a different path")


def check_writable(path: str | os.PathLike[str], suffix: str = "") -> None:
    """Refuse an output file before the work that leads to it.

    A device or a pipe needs no suffix.

    Raises:
        DataError: if it is a folder, a disk or a socket, does not end in `suffix`, or cannot be
            written.
    """
    target = Path(path)
    if os.path.isdir(target):
        raise DataError(f"{target} is a folder; give the path of a file")
    if is_special(target):
        mode, number = os.stat(target).st_mode, _descriptor(target)
        if number is not None:
            try:
                os.write(number, b"")
            except OSError:
                raise DataError(f"{target} is not open for writing; choose another path") from None
            return
        if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
            raise DataError(f"{target} is a disk or a socket; give the path of a file")
        _refuse_read_only(target)
        return
    if not target.name.lower().endswith(suffix):
        raise DataError(f"{target} must end in {suffix}")
    _refuse_read_only(target)
    try:
        os.stat(target)
    except OSError as error:  # its name may be too long, or its links lead in a circle
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"cannot write {target}: {reason}; choose a different path") from None
    _check_place(target, real_path(target).parent)


def refuse_existing(path: Path) -> None:
    """Refuse a file that exists and that the user did not name.

    Raises:
        DataError: if it exists.
    """
    if os.path.lexists(path):
        raise DataError(f"{path} already exists; pass --overwrite, or choose a different -o")


def check_folder(path: str | os.PathLike[str]) -> None:
    """Refuse an output folder before the work that fills it.

    Raises:
        DataError: if it is not a folder, or cannot be written.
    """
    _check_place(Path(path), real_path(path))


def make_folder(path: str | os.PathLike[str]) -> None:
    """Create a folder and its parents, also behind a symbolic link whose target is missing."""
    os.makedirs(os.path.realpath(path), exist_ok=True)


def is_taken(folder: Path) -> bool:
    """Whether a path has other content than a run leaves that is killed at its very start."""
    if not folder.is_dir():
        return folder.exists()
    return any(p.name != LOCK and not p.name.startswith(UNFINISHED) for p in folder.iterdir())


def _check_place(target: Path, folder: Path) -> None:
    """Refuse a folder if it, or else its nearest existing parent, cannot be written."""
    nearest = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise DataError(f"cannot write {target}: {nearest} is not a writable folder")


def storable(text: str) -> str:
    r"""A file name as text, for tables and pictures: a byte that is not UTF-8 becomes an escape.

    Python reads such a byte as a lone surrogate, `\udce9` for 0xE9, which most libraries refuse.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


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
    r"""Write a text file atomically, as UTF-8.

    A byte of a file name that is not UTF-8 becomes an escape, such as `\udcff`.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_text(path: str | os.PathLike[str], most_bytes: int = TEXT_BYTES) -> str:
    """Text of a small untrusted file.

    Raises:
        OSError: if it cannot be read, or is a folder, a pipe or a device.
        ValueError: if it is not UTF-8, or larger than `most_bytes`.
    """
    _refuse_special(path)
    return read_stream(path, most_bytes).decode("utf-8")


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits.

    Raises:
        OSError: if it cannot be read, or is a folder, a pipe or a device.
    """
    _refuse_special(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_special(path: str | os.PathLike[str]) -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe may wait forever
        raise OSError(f"{os.fspath(path)} is not a file")


def read_stream(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Content of a file, pipe or device.

    Raises:
        OSError: if it cannot be read, or is a folder.
        ValueError: if it is larger than `most_bytes`.
    """
    with open(path, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it is larger than {most_bytes / 2**20:g} MiB")
    return content


def read_json(path: str | os.PathLike[str], most_bytes: int = TEXT_BYTES) -> Any:
    """Parse a small untrusted JSON file.

    Raises:
        OSError: as `read_text`.
        ValueError: as `read_text`, or as `parse_json`.
    """
    return parse_json(read_text(path, most_bytes))


def parse_json(text: str) -> Any:
    """Parse untrusted JSON.

    Raises:
        json.JSONDecodeError: if it is not JSON.
        ValueError: if it is nested too deeply, or contains a number of thousands of digits.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("it contains a number of thousands of digits") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level = [data]
    for _ in range(_MOST_NESTED):  # code that walks or prints the data may recurse
        level = [child for node in level for child in _children(node)]
        if not level:
            return data
    raise ValueError("it is nested too deeply")


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()
