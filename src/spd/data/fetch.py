"""Downloading NYU Depth V2 from the Hugging Face hub, and unpacking its archives.

The data set has many packagings. This one is complete (47,584 training and 654 test frames), stores
float32 metres, keeps the names of the scenes, and the hub's own client resumes it.
"""

import contextlib
import dataclasses
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from spd.data.formats.tar_index import ends_at
from spd.errors import DataError, SPDError, reason_of, shortened
from spd.files import atomic_path

REPOSITORY = "sayakpaul/nyu_depth_v2"
FOLDER = "data"
LICENCE = (
    "NYU Depth V2 (Silberman et al. 2012) has no explicit licence and is used for research; before "
    "any other use, see https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"
)
SPARE_BYTES = 2_000_000_000
"""Disk space left free beside the download."""
HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "requests")
"""Libraries whose errors the hub's client passes on when it cannot connect."""
_MAX_PADDING = 1 << 16  # zeros at the end of a tar; more mean disk space reserved but not written

Split = Literal["train", "val", "all"]


@dataclasses.dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the data set: its path, such as `data/train-000000.tar`, and its size in bytes."""

    path: str
    size: int


class HubClient:
    """Access to the repository through the hub's own client, which resumes and shows progress."""

    def files(self) -> list[RemoteFile]:
        """List the files under `data/`."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        with _hub_errors():
            tree = HfApi().list_repo_tree(REPOSITORY, FOLDER, recursive=True, repo_type="dataset")
            return [RemoteFile(f.path, f.size) for f in tree if isinstance(f, RepoFile)]

    def download(self, path: str, folder: Path) -> None:
        """Download one file to `folder/path`, continuing an interrupted download."""
        from huggingface_hub import hf_hub_download

        with _hub_errors():
            hf_hub_download(REPOSITORY, path, repo_type="dataset", local_dir=folder)


@contextlib.contextmanager
def _hub_errors() -> Iterator[None]:
    """Turn errors of the connection to the hub into one line."""
    try:
        yield
    except Exception as error:
        library = type(error).__module__.split(".")[0]
        if not isinstance(error, OSError) and library not in HTTP_LIBRARIES:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"cannot download {REPOSITORY} from the hub ({reason}); run the same command again; "
            "files already downloaded are kept"
        ) from None


def fetch_nyu(
    folder: Path,
    split: Split = "all",
    *,
    client: HubClient | None = None,
    tell: Callable[[str], None] = print,
) -> list[Path]:
    """Download a split's archives into `folder/data`, except those already there; return all.

    `tell` is called with lines of text before and during the download.

    Raises:
        DataError: if the hub cannot be reached, has no such files, or the disk is too small.
    """
    client = client or HubClient()
    files = [file for file in sorted(client.files(), key=lambda f: f.path) if _wanted(file, split)]
    if not files:
        raise DataError(f"{REPOSITORY} no longer has an archive of split {split!r} in {FOLDER}/")
    todo = [file for file in files if not _is_complete(folder, file)]
    for file in todo:  # a finished download has its name only once it is complete
        if (folder / file.path).exists():
            raise _other_size(folder / file.path)
    _check_space(folder, sum(file.size for file in todo))
    tell(LICENCE)
    tell(
        f"{REPOSITORY}: {_gigabytes(sum(f.size for f in files))} in {len(files)} archives, "
        f"{_gigabytes(sum(f.size for f in todo))} left to download into {folder}; if the download "
        "is interrupted, run the same command again"
    )
    for number, file in enumerate(todo, 1):
        tell(f"archive {number} of {len(todo)}: {file.path}, {_gigabytes(file.size)}")
        client.download(file.path, folder)
        if not _is_complete(folder, file):
            raise _other_size(folder / file.path)
    return [folder / file.path for file in files]


def _other_size(path: Path) -> DataError:
    return DataError(
        f"{path} differs in size from the file on the hub; delete it and run the same command again"
    )


def _wanted(file: RemoteFile, split: Split) -> bool:
    name = PurePosixPath(file.path).name
    of_split = name.startswith(("train-", "val-") if split == "all" else f"{split}-")
    return of_split and name.endswith(".tar")


def _is_complete(folder: Path, file: RemoteFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def _check_space(folder: Path, needed: int) -> None:
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(nearest).free
    if needed and free < needed + SPARE_BYTES:
        raise DataError(
            f"{folder} has {_gigabytes(free)} free, but the download needs "
            f"{_gigabytes(needed + SPARE_BYTES)}; choose a different disk, or pass --split val"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def extract(
    archives: Sequence[Path],
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Unpack tar archives into `folder`; files that already exist are kept, never replaced.

    The files of `train-*.tar` and `val-*.tar` go into `train/` and `val/`, where the reader of h5
    frames expects them. `progress` is called with (bytes of archives done, bytes in total).

    Returns:
        Number of files written.

    Raises:
        DataError: if an archive is missing, damaged or truncated, holds a link, a device or a path
            outside the folder, or a file of another size exists. Files unpacked before stay.
    """
    for archive in archives:
        if not archive.is_file():
            raise DataError(f"archive {archive} does not exist")
    total, before = sum(archive.stat().st_size for archive in archives), 0
    written_now: set[Path] = set()  # an archive may hold a newer version of a file further on
    for archive in archives:
        for name, size, stream, offset in _members(archive):
            target = folder / _target(archive, name)
            if not (target.is_file() and target.stat().st_size == size):
                if target not in written_now:
                    _refuse_foreign(target, archive, stream)
                _unpack(archive, name, stream, target)
                written_now.add(target)
            progress(before + offset, total)
        before += archive.stat().st_size
        progress(before, total)
    return len(written_now)


def _refuse_foreign(target: Path, archive: Path, stream: IO[bytes]) -> None:
    """Refuse to replace a file, unless an interruption left the beginning of the archive's file.

    The stream must be at its beginning, and is there again afterwards.
    """
    if not os.path.lexists(target):
        return
    if target.is_file():
        with target.open("rb") as file:
            while (block := file.read(1 << 20)) and block == stream.read(len(block)):
                pass
        stream.seek(0)
        if not block:
            return
    raise DataError(
        f"{target} already exists and is not the file in {archive}; delete it or choose a "
        "different folder"
    )


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes], int]]:
    """Name, size, content and end of every file in an archive; unsafe ones are refused."""
    last = "its beginning"
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
    except SPDError:
        raise
    except Exception as error:  # a damaged header raises many types
        raise _damaged(archive, shortened(last), reason_of(error)) from None
    if not ends_at(archive, end, _MAX_PADDING):
        raise _damaged(archive, last, "the end of the file is missing")


def _refuse_unsafe(archive: Path, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if not member.isreg():
        raise DataError(f"{archive}: {member.name} is a link or a device file and is not unpacked")
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
        raise DataError(
            f"{archive}: {member.name} points outside the output folder and is not unpacked"
        )


def _target(archive: Path, name: str) -> PurePosixPath:
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
        f"{archive} is damaged or truncated at {last} ({reason}); download it again. Files already "
        "unpacked are kept"
    )
