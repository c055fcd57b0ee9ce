"""Opening data by name: folders, with an optional split, one or several joined."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from spd.data.folder import RGBDFolder
from spd.data.sample import RGBDSample, SampleSequence
from spd.errors import DataError


class Samples(SampleSequence):
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

    def read(self, number: int) -> RGBDSample:
        """The sample of that number, read from disk."""
        folder, place = self.places[number]
        return dataclasses.replace(folder[place], name=self.names[number])

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
