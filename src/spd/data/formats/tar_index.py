"""Random access to uncompressed tar files: headers are read once, members by their offset."""

import dataclasses
import itertools
import posixpath
import tarfile
from pathlib import Path

from spd.errors import DataError, reason_of, shortened

BLOCK = 512  # bytes; a block of zeros in place of a header ends the archive
MAX_PADDING = 1 << 20  # zeros behind the last member; tar itself pads to 10 KiB


@dataclasses.dataclass(frozen=True, slots=True)
class TarMember:
    """One file in a tar, without an open file handle, so that another process can read it.

    It has `size` bytes from `offset` on.
    """

    tar: Path
    name: str
    """Path in the archive, without a leading `./`."""
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.tar}: {self.name}"

    def read(self) -> bytes:
        """Read its bytes.

        Raises:
            DataError: if the archive was shortened after it was indexed.
        """
        try:
            with open(self.tar, "rb") as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except OSError as error:
            raise DataError(f"{self.tar} cannot be read ({error.strerror})") from None
        if len(content) != self.size:
            raise DataError(
                f"{self}: truncated; only {len(content)} of {self.size} bytes are present"
            )
        return content


def index_tar(path: Path, suffix: str) -> list[TarMember]:
    """Files in a tar whose names end in `suffix`, sorted; a repeated name keeps its last file.

    Raises:
        DataError: if it is not a tar, compressed, or truncated, naming the last member.
    """
    found: dict[str, TarMember] = {}
    last = "its beginning"
    try:
        # `r:` refuses compressed files, whose members cannot be read by their offset.
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                last = member.name
                name = posixpath.normpath(member.name)
                if member.isfile() and _is_wanted(name, suffix):
                    found[name] = TarMember(path, name, member.offset_data, member.size)
            end = archive.offset
    except Exception as error:  # a damaged header raises many types
        raise _unreadable(path, shortened(last), reason_of(error)) from None
    if not ends_at(path, end):
        raise _unreadable(path, last, "the end-of-archive marker is missing")
    return [found[name] for name in sorted(found)]


def first_member(path: Path, suffix: str) -> str | None:
    """First file with that ending among the first 100 members of a tar."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = itertools.islice(archive, 100)
            names = (posixpath.normpath(member.name) for member in members if member.isfile())
            return next((name for name in names if _is_wanted(name, suffix)), None)
    except Exception:  # a damaged header raises many types
        return None


def _is_wanted(name: str, suffix: str) -> bool:
    """Whether the ending fits and it is not one of the `._` files that macOS adds."""
    return name.endswith(suffix) and not posixpath.basename(name).startswith(".")


def ends_at(path: Path, end: int, max_padding: int = MAX_PADDING) -> bool:
    """Whether at least one block and at most `max_padding` bytes follow `end`, all zeros.

    `tarfile` itself takes a file that is cut in a header, or filled with zeros from some point on,
    for a complete archive.
    """
    with open(path, "rb") as file:
        file.seek(end)
        padding = file.read(max_padding + 1)
    return BLOCK <= len(padding) <= max_padding and not any(padding)


def _unreadable(path: Path, last: str, reason: str) -> DataError:
    return DataError(
        f"{path} is truncated, compressed or not a tar file (after {last}: {reason}); "
        "download it again"
    )
