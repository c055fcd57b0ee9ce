"""The cache of compiled kernels: files that only this user can write, checked before they are run.

query-KEY-DIGEST.so   a library; DIGEST is the SHA-256 of its bytes
query-KEY.failed      why the compiler failed; it is not tried again for `FAILED_FOR_S`

A truncated library would end the process with SIGBUS, and one that another user placed there would
run with the rights of this one.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from spd.errors import first_line
from spd.files import UNFINISHED

FAILED_FOR_S = 3600.0
"""Time in seconds for which a failure of the compiler is remembered."""
MOST_BYTES = 64 * 2**20
"""Size in bytes of the largest library."""
_REASON_BYTES = 1000


def cache_folder(key: str) -> Path:
    """Folder of compiled kernels, created if missing: `spd` in the user's cache.

    `XDG_CACHE_HOME` names the cache, by default `~/.cache`. If the home folder is unknown, or
    cannot be written and holds no library of that key, or other users can change the folder, it is
    a folder of this user among the temporary files.

    Raises:
        OSError: if there is no folder that only this user can write.
    """
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    chosen = chosen if os.path.isabs(chosen) else ""  # the standard ignores relative paths
    # "~" if the user has no name, as in containers; an empty HOME would become "/".
    home = "" if os.environ.get("HOME") == "" else os.path.expanduser("~")
    cache = chosen or (os.path.join(home, ".cache") if os.path.isabs(home) else "")
    if cache:
        folder = Path(cache, "spd")
        try:
            _make(folder)
            writable = bool(chosen) or os.access(folder, os.W_OK)
            if _reason_against(folder) is None and (writable or find(folder, key)):
                return folder
        except OSError:
            if chosen:  # the user chose it, so the error is not hidden
                raise
    folder = Path(tempfile.gettempdir(), f"spd-{os.geteuid()}")
    _make(folder)
    reason = _reason_against(folder)
    if reason is not None:
        raise PermissionError(reason)
    return folder


def find(folder: Path, key: str) -> Path | None:
    """An intact library of that key, or None; damaged and foreign files are removed."""
    for path in sorted(folder.glob(f"query-{key}-*.so")):
        content = _own_bytes(path)
        if content is not None and path == _name(folder, key, content):
            return path
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def store(folder: Path, key: str, built: Path) -> Path:
    """Move a compiled library into the cache, flushed to the disk before it gets its name.

    Raises:
        OSError: if it cannot be written.
    """
    with built.open("rb") as file:
        os.fchmod(file.fileno(), 0o700)  # the compiler obeys the umask, which may let others write
        content = file.read()
        os.fsync(file.fileno())
    path = _name(folder, key, content)
    os.replace(built, path)
    return path


def failure(folder: Path, key: str) -> str | None:
    """Reason of a failure that is remembered, in one line; None if there is none."""
    path = folder / f"query-{key}.failed"
    content = _own_bytes(path)
    try:
        age_s = time.time() - path.lstat().st_mtime
    except OSError:
        return None
    if content is None or not 0 <= age_s < FAILED_FOR_S:
        return None
    reason = first_line(content[:_REASON_BYTES].decode(errors="replace"))
    return f"{reason} (not tried again for {FAILED_FOR_S / 3600:g} h; to try now, delete {path})"


def remember_failure(folder: Path, key: str, reason: str) -> None:
    """Store why the compiler failed; if it cannot be written, nothing is stored."""
    with contextlib.suppress(OSError), unfinished(folder) as temporary:
        written = Path(temporary, "failed")
        written.write_text(reason, encoding="utf-8", errors="replace")
        written.chmod(0o600)
        os.replace(written, folder / f"query-{key}.failed")


def unfinished(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for files that are not complete; those of killed processes are removed first."""
    for path in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > FAILED_FOR_S:
                shutil.rmtree(path, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder)


def _name(folder: Path, key: str, content: bytes) -> Path:
    return folder / f"query-{key}-{hashlib.sha256(content).hexdigest()}.so"


def _make(folder: Path) -> None:
    for part in (*reversed(folder.parents), folder):
        part.mkdir(mode=0o700, exist_ok=True)


def _trusted() -> set[int]:
    """Ids of users whose files may run: this user and root."""
    return {os.geteuid(), 0}


def _reason_against(folder: Path) -> str | None:
    """Why other users could change the folder's content; None if they cannot.

    If others can write to a folder of this user, as with a umask of 002, that is removed first.
    """
    real = folder.resolve(strict=True)
    found = real.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o022:
        real.chmod(stat.S_IMODE(found.st_mode) & ~0o022)
    # In a container without root, its owner looks like every user that the container lacks.
    of_parents = {*_trusted(), os.stat("/").st_uid}
    for part in (real, *real.parents):
        found = part.stat()
        if found.st_uid not in (_trusted() if part == real else of_parents):
            return f"{part} belongs to another user"
        # A group of the same name as the user, with a umask of 002, is common.
        own_group = found.st_gid in (0, os.getegid())
        shared = stat.S_IWOTH if own_group else stat.S_IWOTH | stat.S_IWGRP
        # In a sticky folder, such as /tmp, nobody can replace the files of others.
        if found.st_mode & shared and not found.st_mode & stat.S_ISVTX:
            return f"{part} can be written by other users"
    return f"{real} can be written by other users" if real.stat().st_mode & 0o022 else None


def _own_bytes(path: Path) -> bytes | None:
    """Content of a regular file that only this user can write; None for every other file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    found = os.fstat(handle)
    regular = stat.S_ISREG(found.st_mode) and found.st_size <= MOST_BYTES
    if not regular or found.st_uid not in _trusted() or found.st_mode & 0o022:
        os.close(handle)
        return None
    with open(handle, "rb") as file:
        return file.read()
