"""NYU as published by sparse-to-dense and fast-depth: one HDF5 file per frame, or tar shards."""

import dataclasses
import io
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from spd.data import nyu_dataset as nyu
from spd.data.depth_units import to_metres, unit_words
from spd.data.formats.hdf5 import dataset, keys_of, open_hdf5
from spd.data.formats.nyu_source import NyuSource
from spd.data.formats.tar_index import TarMember, first_member, index_tar
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split
from spd.errors import DataError

SPLITS = {"train": "train", "val": "val", "validation": "val", "test": "test"}
OFFICIAL = "official"  # the folder of the 654 test frames, below val
MAX_DEPTH = 3  # folders between the opened one and a file: nyudepthv2/train/kitchen_0004


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """One file, with the metadata that its folders give."""

    file: Path | TarMember
    name: str
    stem: str
    folder: str | None
    """Name of its folder; None where that carries no meaning."""
    split: str | None

    @property
    def scene(self) -> str | None:
        """Name of the folder, unless it is a split."""
        return None if self.folder in (*SPLITS, OFFICIAL) else self.folder


class H5Frames(NyuSource):
    """Frames of a folder, of tar shards, or of their split `train` or `val`.

    The path is the folder above `train` and `val`, any folder below, one .h5 file, a folder of
    shards such as `train-000000.tar` (or the one above its `data`), or one shard. Shards are
    indexed when opened and then read at random; nothing is unpacked.

    Files in `val/official` are numbered among the labelled frames from 1, as in `splits.mat`
    (00001, 00002, 00009, 00014, ...). The official number here is one less. If any number is not
    that of an official test frame, the files were renumbered and have no official number.
    """

    format: ClassVar[str] = "nyu-h5"
    allowed_options = ("unit", "focal_px", "border")

    def _open(self) -> None:
        if not self.path.exists():
            raise DataError(f"no file or folder {self.path}")
        places = _places(self.path)
        numbers = _official_numbers(places)
        split = self.split
        chosen = [place for place in places if split is None or place.split == split]
        if not chosen:
            raise no_such_split(self.path, split, [place.split for place in places])
        self.files = [place.file for place in chosen]
        self.frames = [
            Frame(place.name, place.split, place.scene, numbers.get(place.name)) for place in chosen
        ]

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """An .h5 file with `rgb` and `depth` among the first five, or any in the first shard."""
        if path.name.endswith((".tar.gz", ".tgz")) and path.is_file():
            return f"{path.name} is a compressed archive"
        for shard in _shards(path)[:1]:
            member = first_member(shard, ".h5")
            return f"{shard.name} contains {member}" if member else None
        # Several files, so that one damaged file does not hide the format.
        for file in itertools.islice(_h5_files(path, max_width=8), 5):
            if {"rgb", "depth"} <= keys_of(file):
                return f"{file.name} contains rgb and depth"
        return None

    @property
    def stored(self) -> str:
        """Type and unit of the stored depth; metres unless the user passed `unit=`."""
        unit = "metre" if self.options.unit is None else self.options.unit
        return f"float32 HDF5, {unit_words(unit)}"

    def files_of(self, number: int) -> tuple[Path, ...]:
        """File or shard of a frame."""
        file = self.files[number]
        return (file.tar if isinstance(file, TarMember) else file,)

    def read(self, number: int) -> RGBDSample:
        """Read a sample from its file or shard."""
        file, where = self.files[number], str(self.files[number])
        source = io.BytesIO(file.read()) if isinstance(file, TarMember) else file
        with open_hdf5(source, where) as opened:
            rgb = np.asarray(dataset(opened, "rgb", where)[()])
            stored = np.asarray(dataset(opened, "depth", where)[()])
        if rgb.ndim != 3 or rgb.shape[0] != 3 or rgb.dtype != "uint8":
            raise DataError(f"{where}: rgb is {rgb.dtype} {rgb.shape}; expected uint8 (3, H, W)")
        depth_m = to_metres(stored, self.options.unit, f"{where}: depth")
        image = rgb.transpose(1, 2, 0)
        return self.sample(image, depth_m, self.frames[number].name, where=where)


def _places(path: Path) -> list[_Place]:
    """Frames of files or of shards; a folder with both is refused, as they may be the same."""
    if path.name.endswith((".tar.gz", ".tgz")):
        raise DataError(
            f"{path} is compressed, so it does not allow random access; unpack it (tar -xzf) and "
            "pass the folder"
        )
    shards = _shards(path)
    files = sorted(_h5_files(path))
    if shards and files:
        raise DataError(
            f"{path} contains {len(shards)} tar shard(s) and {len(files)} .h5 file(s), which may "
            "be the same frames; move the shards or the .h5 files to a separate folder and pass "
            "that folder"
        )
    if shards:
        return [place for shard in shards for place in _places_in(shard)]
    return [_place_of(path, file) for file in files]


def _places_in(shard: Path) -> Iterator[_Place]:
    """Frames of a shard; its own name gives the split where the folders in it do not."""
    own = re.split(r"[^a-z]", shard.name)[0]
    for member in index_tar(shard, ".h5"):
        inside = PurePosixPath(member.name)
        yield _Place(
            file=member,
            name=f"{shard.stem}/{inside.with_suffix('')}",
            stem=inside.stem,
            folder=inside.parent.name or None,
            split=_split_of([own, *inside.parent.parts]),
        )


def _place_of(path: Path, file: Path) -> _Place:
    root = path if path.is_dir() else path.parent
    inside = file.relative_to(root)
    above = root.absolute()
    outer = [above.parent.name, above.name]
    # The opened folder is a scene only inside a split; elsewhere its name means nothing.
    own = above.name if {above.parent.name, above.name} & {*SPLITS, OFFICIAL} else None
    return _Place(
        file=file,
        name=inside.with_suffix("").as_posix(),
        stem=file.stem,
        folder=inside.parent.name or own,
        split=_split_of([*outer, *inside.parent.parts]),
    )


def _split_of(folders: Sequence[str]) -> str | None:
    """Split of the innermost folder that is named after one."""
    return next((SPLITS[name] for name in reversed(folders) if name in SPLITS), None)


def _official_numbers(places: Sequence[_Place]) -> dict[str, int]:
    """Official numbers, from 0, of the frames in `official`, by name of the frame.

    In shards that folder may be missing: frames of `val` without a folder are the official ones if
    their numbers are those of all 654.
    """
    test = nyu.official_test_frames()
    official = [place for place in places if place.folder == OFFICIAL]
    val = [place for place in places if place.split == "val" and place.scene is None]
    for found, enough in ((official, 1), (val, nyu.TEST_FRAMES)):
        numbers = {p.name: int(p.stem) - 1 for p in found if p.stem.isdecimal()}
        if len(numbers) == len(found) >= enough and set(numbers.values()) <= test:
            return numbers
    return {}


def _shards(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".tar" else []
    return sorted(path.glob("*.tar")) or sorted((path / "data").glob("*.tar"))


def _h5_files(path: Path, max_width: int | None = None, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """The .h5 file `path`, or those below it, with a folder's own files first.

    Follows links to folders, enters at most `max_width` folders of each folder, and descends at
    most `depth` levels.
    """
    if path.is_file() and path.suffix == ".h5":
        yield path
    if not path.is_dir():
        return
    folders = []
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.endswith(".h5") and not entry.name.startswith("."):
            yield Path(entry.path)
        elif depth and entry.is_dir():
            folders.append(Path(entry.path))
    for folder in folders[:max_width]:
        yield from _h5_files(folder, max_width, depth - 1)
