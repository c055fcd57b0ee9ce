"""Record of the frames that a run trains on, to find out later what changed.

A record stores the name of every frame in order, the settings it was read with (camera, unit), and
the size, times and SHA-256 of every file. A comparison reads only files whose size or times differ,
so unchanged data is not read, and data that moved is read once.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from spd.data.source import Source
from spd.data.sources import Samples
from spd.errors import DataError, listed, reason_of
from spd.files import file_sha256
from spd.processes import usable_cpus

MOST_READ_BYTES = 64 * 10**9
"""Data of more bytes are not read for a record; sizes and times alone are compared.

SHA-256 takes 0.9 GB/s of one core: BTS's 24,231 frames (10 GB) 12 s, 64 GB some 70 s, where the
disk is as fast. A run reads its data many times.
"""
_MOST_THREADS = 8  # disks and networks answer several requests at once
_Stamp = tuple[int, int, int]  # size in bytes, time of the last change of the content and of all


@dataclasses.dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was when it was recorded."""

    size: int
    content_time_ns: int
    """Time of the last change of its content (mtime), in nanoseconds."""
    status_time_ns: int
    """Time of the last change of content or metadata (ctime); programs cannot set it."""
    sha256: str | None
    """SHA-256 of its content; None if the data exceeds `MOST_READ_BYTES`."""


@dataclasses.dataclass(frozen=True, slots=True)
class DataRecord:
    """Frames of training or validation data, in their order."""

    names: tuple[str, ...]
    keys: tuple[str, ...]
    """Settings that each frame is read with."""
    places: tuple[tuple[int, ...], ...]
    """Indices into `files` of the files of each frame."""
    files: tuple[StoredFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON data, which `from_dict` reads back."""
        keys = list(dict.fromkeys(self.keys))
        numbers = {key: number for number, key in enumerate(keys)}
        return {
            "keys": keys,
            "frames": [
                [name, numbers[key], *place]
                for name, key, place in zip(self.names, self.keys, self.places, strict=True)
            ],
            "files": [dataclasses.astuple(file) for file in self.files],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DataRecord":
        """Record from the data of `to_dict`."""
        frames = data["frames"]
        return cls(
            tuple(str(frame[0]) for frame in frames),
            tuple(str(data["keys"][frame[1]]) for frame in frames),
            tuple(tuple(frame[2:]) for frame in frames),
            tuple(StoredFile(*file) for file in data["files"]),
        )

    def files_of(self, number: int) -> tuple[StoredFile, ...]:
        """Files of a frame."""
        return tuple(self.files[place] for place in self.places[number])


@dataclasses.dataclass(frozen=True, slots=True)
class DataChange:
    """Differences between recorded data and the present data."""

    missing: tuple[str, ...] = ()
    """Names of frames that were removed."""
    added: tuple[str, ...] = ()
    """Names of frames that were added."""
    changed: tuple[int, ...] = ()
    """Numbers of the frames whose files or settings differ, if the frames are the recorded ones."""
    changed_names: tuple[str, ...] = ()
    reordered: bool = False
    """Whether the frames are the same in another order."""

    @property
    def is_of_contents(self) -> bool:
        """True if the frames are the recorded ones in the same order."""
        return not (self.missing or self.added or self.reordered)

    def __bool__(self) -> bool:
        return bool(self.changed_names) or not self.is_of_contents

    def __str__(self) -> str:
        kinds = {"missing": self.missing, "changed": self.changed_names, "new": self.added}
        found = [
            f"{len(names):,} {kind} ({listed(names)})" for kind, names in kinds.items() if names
        ]
        if self.reordered:
            found.append("the same frames in a different order")
        return ", ".join(found)


def record_data(
    samples: Samples,
    known: DataRecord | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DataRecord:
    """Record the frames of these samples; reads every file once, in several threads.

    Args:
        samples: opened sources.
        known: an earlier record; files with the same size and times as in it are not read.
        progress: called with (files done, files in total).

    Raises:
        DataError: if a file cannot be read.
    """
    numbers: dict[Path, int] = {}
    places = [
        tuple(numbers.setdefault(path, len(numbers)) for path in source.files_of(place))
        for source, place in samples.places
    ]
    stamps = [_stamp(path) for path in numbers]
    names = _names(samples)
    digests = _known_digests(known, names, places, stamps)
    unknown = [number for number, digest in enumerate(digests) if digest is None]
    paths = list(numbers)
    if sum(stamps[number][0] for number in unknown) <= MOST_READ_BYTES:
        with ThreadPoolExecutor(min(_MOST_THREADS, usable_cpus())) as pool:
            found = pool.map(_digest, (paths[number] for number in unknown))
            for done, (number, digest) in enumerate(zip(unknown, found, strict=True), start=1):
                digests[number] = digest
                progress(done, len(unknown))
    files = tuple(StoredFile(*stamp, sha) for stamp, sha in zip(stamps, digests, strict=True))
    keys = tuple(_key(source, place) for source, place in samples.places)
    return DataRecord(names, keys, tuple(places), files)


def compare_data(before: DataRecord, now: DataRecord) -> DataChange:
    """Compare present data with recorded data, frame by frame; paths do not matter."""
    old = {name: number for number, name in enumerate(before.names)}
    new = {name: number for number, name in enumerate(now.names)}
    both = [name for name in before.names if name in new]
    changed = [
        name
        for name in both
        if before.keys[old[name]] != now.keys[new[name]]
        or not _same_files(before.files_of(old[name]), now.files_of(new[name]))
    ]
    same_frames = old.keys() == new.keys()
    return DataChange(
        missing=tuple(name for name in before.names if name not in new),
        added=tuple(name for name in now.names if name not in old),
        changed=tuple(old[name] for name in changed) if before.names == now.names else (),
        changed_names=tuple(changed),
        reordered=same_frames and before.names != now.names,
    )


def _names(samples: Samples) -> tuple[str, ...]:
    """Name of every frame, independent of where the data is."""
    several = len(samples.sources) > 1
    order = {id(source): number for number, source in enumerate(samples.sources, start=1)}
    return tuple(
        f"{order[id(source)]}:{source.frames[place].name}" if several else source.frames[place].name
        for source, place in samples.places
    )


def _key(source: Source, place: int) -> str:
    """Text that differs where a frame would be read differently from the same files."""
    options = sorted(source.options.to_dict().items())
    said = {k: v for k, v in options if v is not None and k not in ("format", "root")}
    return f"{source.settings_of(place)} {said}"


def _known_digests(
    known: DataRecord | None,
    names: Sequence[str],
    places: Sequence[tuple[int, ...]],
    stamps: Sequence[_Stamp],
) -> list[str | None]:
    """Digest of each file that has the same size and times as in an earlier record, else None."""
    found: list[str | None] = [None] * len(stamps)
    if known is None:
        return found
    old = {name: number for number, name in enumerate(known.names)}
    for name, place in zip(names, places, strict=True):
        if name in old:
            for number, file in zip(place, known.files_of(old[name]), strict=False):
                if (file.size, file.content_time_ns, file.status_time_ns) == stamps[number]:
                    found[number] = file.sha256
    return found


def _same_files(before: Sequence[StoredFile], now: Sequence[StoredFile]) -> bool:
    return len(before) == len(now) and all(map(_same_file, before, now))


def _same_file(before: StoredFile, now: StoredFile) -> bool:
    if before.sha256 is not None and now.sha256 is not None:
        return before.sha256 == now.sha256
    return (before.size, before.content_time_ns) == (now.size, now.content_time_ns)


def _stamp(path: Path) -> _Stamp:
    try:
        status = os.stat(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({reason_of(error)})") from None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({reason_of(error)})") from None
