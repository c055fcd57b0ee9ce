"""Checksums of a checkpoint's files, which detect damage.

A checkpoint folder has one `checksums.json` with the SHA-256 of every file beside it. Folders of
earlier versions have none, and are not checked.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from spd.errors import CheckpointError
from spd.files import file_sha256, read_json, write_bytes

CHECKSUMS = "checksums.json"


def write_checksums(folder: Path, names: Sequence[str] | None = None) -> None:
    """Write the checksums of a folder's files, by default of all files.

    Raises:
        DataError: if they cannot be written.
    """
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    chosen = [name for name in names or files if name != CHECKSUMS]
    digests = {name: file_sha256(folder / name) for name in chosen}
    write_bytes(folder / CHECKSUMS, (json.dumps({"sha256": digests}, indent=1) + "\n").encode())


def damage(folder: Path, names: Sequence[str] | None = None) -> str | None:
    """Describe the first file that differs from its checksum, for a message; None if none does.

    Args:
        folder: the checkpoint.
        names: the files to check; by default all that have a checksum. Files without one are not
            checked.
    """
    path = folder / CHECKSUMS
    if not path.exists():
        return None
    try:
        digests = read_json(path)["sha256"]
        if not isinstance(digests, dict) or not all(map(_is_file_name, digests)):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        return f"{CHECKSUMS} is damaged"
    for name in digests if names is None else [name for name in names if name in digests]:
        try:
            if file_sha256(folder / name) != digests[name]:
                return f"{name} does not match its checksum in {CHECKSUMS}"
        except OSError:
            return f"{name} is missing or cannot be read"
    return None


def refuse_damaged(folder: Path, names: Sequence[str]) -> None:
    """Refuse a folder whose files differ from its checksums.

    Raises:
        CheckpointError: naming the first file that differs.
    """
    found = damage(folder, names)
    if found is not None:
        raise CheckpointError(
            f"{folder} is damaged: {found}; restore the file from a copy, or use a different "
            f"checkpoint (if you changed the file yourself, delete {CHECKSUMS})"
        )


def _is_file_name(name: str) -> bool:
    """Whether a name is that of a file in the same folder."""
    return name not in ("", ".", "..") and name.isprintable() and os.path.basename(name) == name
