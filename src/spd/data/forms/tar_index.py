"""Uncompressed tar files read at random: headers once, then members by their offset."""

import dataclasses
import itertools
import posixpath
import tarfile
from pathlib import Path

from spd.errors import DataError

BLOCK = 512  # bytes; an empty block where a header would be ends the archive
MOST_PADDING = 1 << 20  # bytes of zeros behind the last member; tar itself pads to 10 KiB


@dataclasses.dataclass(frozen=True, slots=True)
class TarMember:
    """One file in a tar; it needs no open file, so that it can go to another process."""

    tar: Path
    name: str
    """As the archive has it, without `./` before it."""
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.tar}: {self.name}"

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            DataError: if the archive has been shortened since it was indexed.
        """
        try:
            with open(self.tar, "rb") as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except OSError as error:
            raise DataError(f"{self.tar} cannot be read ({error.strerror})") from None
        if len(content) != self.size:
            raise DataError(f"{self}: {len(content)} of {self.size} bytes are there; truncated")
        return content


def index_tar(path: Path, suffix: str) -> list[TarMember]:
    """The files in a tar whose names end in `suffix`, sorted; of repeated ones the last.

    Raises:
        DataError: if it is no tar, compressed, or truncated, naming the last member.
    """
    found: dict[str, TarMember] = {}
    last = "its beginning"
    try:
        # `r:` refuses compressed files, whose members have no offset to read them at.
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                last = member.name
                name = posixpath.normpath(member.name)
                if member.isfile() and _is_wanted(name, suffix):
                    found[name] = TarMember(path, name, member.offset_data, member.size)
            end = archive.offset
    except (tarfile.TarError, OSError) as error:
        raise _unreadable(path, last, str(error)) from None
    if not _ends_at(path, end):
        raise _unreadable(path, last, "it does not end as a tar does")
    return [found[name] for name in sorted(found)]


def first_member(path: Path, suffix: str) -> str | None:
    """The first file of that ending in a tar, of whose first members no more is read."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = itertools.islice(archive, 100)
            names = (posixpath.normpath(member.name) for member in members if member.isfile())
            return next((name for name in names if _is_wanted(name, suffix)), None)
    except (tarfile.TarError, OSError):
        return None


def _is_wanted(name: str, suffix: str) -> bool:
    """Not the `._` files that macOS adds."""
    return name.endswith(suffix) and not posixpath.basename(name).startswith(".")


def _ends_at(path: Path, end: int) -> bool:
    """Whether only zeros follow the last member, a block or more and not a shard's worth.

    `tarfile` itself takes a file that is cut in a header, or full of zeros from some point on, for
    a whole archive.
    """
    with open(path, "rb") as file:
        file.seek(end)
        padding = file.read(MOST_PADDING + 1)
    return BLOCK <= len(padding) <= MOST_PADDING and not any(padding)


def _unreadable(path: Path, last: str, reason: str) -> DataError:
    return DataError(
        f"{path} is truncated, compressed or no tar: after {last}: {reason}; get it again"
    )
