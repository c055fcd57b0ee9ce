"""Check output paths before the work that leads to them: links, devices, pipes, read-only files."""

import atexit
import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from spd.errors import DataError

UNFINISHED = ".writing-"
LOCK = "lock"
"""File of an output folder that the process which writes into it holds."""
_stand_in: str | None = None


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
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or descriptor_of(path) is not None


def descriptor_of(path: str | os.PathLike[str]) -> int | None:
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


def refuse_read_only(target: Path) -> None:
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
        mode, number = os.stat(target).st_mode, descriptor_of(target)
        if number is not None:
            try:
                os.write(number, b"")
            except OSError:
                raise DataError(f"{target} is not open for writing; choose another path") from None
            return
        if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
            raise DataError(f"{target} is a disk or a socket; give the path of a file")
        refuse_read_only(target)
        return
    if not target.name.lower().endswith(suffix):
        raise DataError(f"{target} must end in {suffix}")
    refuse_read_only(target)
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
