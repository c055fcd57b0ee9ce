"""Getting NYU Depth V2 from the hub, and unpacking its archives; nothing else here downloads.

The set goes round in many forms. This one is whole (47,584 training and 654 test frames), has
metres in float32, keeps the scenes' names, and is resumed by the hub's own client.
"""

import contextlib
import dataclasses
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Protocol

from spd.errors import DataError
from spd.files import atomic_path

REPOSITORY = "sayakpaul/nyu_depth_v2"
PLACE = "data"
LICENCE = (
    "NYU Depth V2 (Silberman et al. 2012) comes without a licence of its own and is used for "
    "research; look at https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html before other use"
)
SPARE_BYTES = 2_000_000_000
"""Left free beside what is fetched."""
HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "requests")
"""Without a connection the hub's client passes on errors of the library below it."""
_BLOCK = 512  # of a tar file
_MOST_PADDING = 1 << 16  # zeros at its end; more are what was reserved and never written

Split = Literal["train", "val", "all"]


@dataclasses.dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the data set."""

    path: str
    """In the repository, such as `data/train-000000.tar`."""
    size: int
    """Bytes."""


class Client(Protocol):
    """What fetching needs of the hub."""

    def files(self) -> list[RemoteFile]:
        """The files there are."""

    def download(self, path: str, folder: Path) -> None:
        """Fetch one file to `folder/path`, from where an earlier call stopped."""


class HubClient:
    """The hub, through its own client, which resumes and shows progress."""

    def files(self) -> list[RemoteFile]:
        """The files under `data/` of the repository, as it lists them now."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        with _hub_errors():
            tree = HfApi().list_repo_tree(REPOSITORY, PLACE, recursive=True, repo_type="dataset")
            return [RemoteFile(f.path, f.size) for f in tree if isinstance(f, RepoFile)]

    def download(self, path: str, folder: Path) -> None:
        """Fetch one file to `folder/path`."""
        from huggingface_hub import hf_hub_download

        with _hub_errors():
            hf_hub_download(REPOSITORY, path, repo_type="dataset", local_dir=folder)


@contextlib.contextmanager
def _hub_errors() -> Iterator[None]:
    """What goes wrong between here and the hub, in one line."""
    try:
        yield
    except Exception as error:
        library = type(error).__module__.split(".")[0]
        if not isinstance(error, OSError) and library not in HTTP_LIBRARIES:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"the hub could not give {REPOSITORY} ({reason}); run the same command again, what is "
            "there already is kept"
        ) from None


def fetch_nyu(
    folder: Path,
    split: Split = "all",
    *,
    client: Client | None = None,
    tell: Callable[[str], None] = print,
) -> list[Path]:
    """Fetch NYU's archives into `folder`, or what of them is not there yet.

    Args:
        folder: where to; the archives lie in `folder/data`.
        split: which of them.
        client: the hub; another for tests.
        tell: what people are told before it starts and as it goes.

    Returns:
        The archives of the split.

    Raises:
        DataError: if the hub cannot be reached, has no such files, or the disk is too small.
    """
    client = client or HubClient()
    files = [file for file in sorted(client.files(), key=lambda f: f.path) if _wanted(file, split)]
    if not files:
        raise DataError(f"{REPOSITORY} has no archive of split {split!r} under {PLACE}/ any more")
    todo = [file for file in files if not _is_there(folder, file)]
    _check_space(folder, sum(file.size for file in todo))
    tell(LICENCE)
    tell(
        f"{REPOSITORY}: {_gigabytes(sum(f.size for f in files))} in {len(files)} archives, "
        f"{_gigabytes(sum(f.size for f in todo))} still to fetch into {folder}; when interrupted, "
        "run the same command again"
    )
    for number, file in enumerate(todo, 1):
        tell(f"archive {number} of {len(todo)}: {file.path}, {_gigabytes(file.size)}")
        client.download(file.path, folder)
        if not _is_there(folder, file):
            raise DataError(
                f"{folder / file.path} is not as large as the hub says; delete it, and run the "
                "same command again"
            )
    return [folder / file.path for file in files]


def _wanted(file: RemoteFile, split: Split) -> bool:
    name = PurePosixPath(file.path).name
    of_split = name.startswith(("train-", "val-") if split == "all" else f"{split}-")
    return of_split and name.endswith(".tar")


def _is_there(folder: Path, file: RemoteFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def _check_space(folder: Path, needed: int) -> None:
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(nearest).free
    if needed and free < needed + SPARE_BYTES:
        raise DataError(
            f"{folder} has {_gigabytes(free)} free, fetching needs "
            f"{_gigabytes(needed + SPARE_BYTES)}; choose another disk, or --split val"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def extract(
    archives: Sequence[Path],
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Unpack tar archives into `folder`; files that are there already are kept.

    What `train-*.tar` and `val-*.tar` hold goes under `train/` and `val/`, where the reader of h5
    frames looks for it.

    Args:
        archives: the tar files.
        folder: where to.
        progress: told (bytes of archives done, bytes in all).

    Returns:
        How many files were written.

    Raises:
        DataError: if an archive is missing, damaged or truncated, or holds a path that leads out
            of the folder, a link or a device. What was unpacked before stays.
    """
    for archive in archives:
        if not archive.is_file():
            raise DataError(f"no archive {archive}")
    total, before, written = sum(archive.stat().st_size for archive in archives), 0, 0
    for archive in archives:
        for name, size, stream, offset in _members(archive):
            target = folder / _place(archive, name)
            if not (target.is_file() and target.stat().st_size == size):
                _unpack(archive, name, stream, target)
                written += 1
            progress(before + offset, total)
        before += archive.stat().st_size
        progress(before, total)
    return written


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes], int]]:
    """Name, size, content and end of every file in an archive; refuses what is unsafe."""
    last = "nothing"
    try:
        with tarfile.open(archive, "r:") as opened:
            for member in opened:
                if member.isdir():
                    continue
                _refuse_unsafe(archive, member)
                stream = opened.extractfile(member)
                assert stream is not None  # a regular file has content
                yield member.name, member.size, stream, member.offset_data + member.size
                last = member.name
            end = opened.offset
    except tarfile.ReadError as error:
        raise _damaged(archive, last, str(error)) from None
    with archive.open("rb") as file:  # the module takes a cut between two members for the end
        file.seek(end)
        rest = file.read(_MOST_PADDING + 1)
    if any(rest) or not _BLOCK <= len(rest) <= _MOST_PADDING:
        raise _damaged(archive, last, "its end is missing")


def _refuse_unsafe(archive: Path, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if not member.isreg():
        raise DataError(f"{archive}: {member.name} is a link or a device, which is not unpacked")
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
        raise DataError(f"{archive}: {member.name} leads out of the folder and is not unpacked")


def _place(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    split = archive.name.partition("-")[0]
    if split not in ("train", "val") or path.parts[0] == split:
        return path
    return split / path


def _unpack(archive: Path, name: str, stream: IO[bytes], target: Path) -> None:
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        try:
            shutil.copyfileobj(stream, file)
        except tarfile.ReadError as error:
            raise _damaged(archive, name, str(error)) from None


def _damaged(archive: Path, last: str, reason: str) -> DataError:
    return DataError(
        f"{archive} is damaged or truncated at {last} ({reason}); fetch it again, what is "
        "unpacked is kept"
    )
