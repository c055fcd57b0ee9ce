"""Opening data by name: folders, with an optional split, one or several joined."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from spd.data.folder import RGBDFolder
from spd.data.sample import RGBDSample
from spd.errors import DataError


class Samples(Sequence[RGBDSample]):
    """Frames of one or several folders, one after the other."""

    def __init__(self, folders: Sequence[RGBDFolder], *, metric_only: bool = False) -> None:
        self.folders = list(folders)
        places = [(folder, n) for folder in self.folders for n in range(len(folder))]
        known = [(f, n) for f, n in places if f.entries[n].intrinsics]
        self.places = known if metric_only else places
        self.without_focal_length = len(places) - len(known)
        """Frames whose focal length is not known; left out where `metric_only`."""
        several = len(self.folders) > 1
        self.names = [
            f"{folder.path.name}/{folder.entries[n].image}" if several else folder.entries[n].image
            for folder, n in self.places
        ]
        """What the samples are called: their image's path, behind the folder's where several."""

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[RGBDSample]:
        return (self[n] for n in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> RGBDSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RGBDSample]: ...
    def __getitem__(self, index: int | slice) -> RGBDSample | Sequence[RGBDSample]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        folder, place = self.places[index]
        return dataclasses.replace(folder[place], name=self.names[index])

    def named(self, name: str) -> RGBDSample:
        """The sample of that name."""
        return self[self.names.index(name)]


def open_samples(sources: Sequence[str], *, metric_only: bool = False) -> Samples:
    """Open `FOLDER` or `FOLDER:SPLIT` specifications.

    Args:
        sources: one or several; a split is what follows the last colon.
        metric_only: leave frames out whose focal length is unknown; without it their depth
            cannot be trained on.

    Raises:
        DataError: if a folder or split is not there, files are missing, or nothing is left.
    """
    samples = Samples([_open(source) for source in sources], metric_only=metric_only)
    if not samples:
        raise DataError(f"{', '.join(sources)}: no frame has intrinsics, so none can be used")
    return samples


def _open(source: str) -> RGBDFolder:
    path, colon, split = source.rpartition(":")
    if colon and not Path(source).exists():
        return RGBDFolder(path, split)
    return RGBDFolder(source)
