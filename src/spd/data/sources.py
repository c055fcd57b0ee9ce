"""Opening data by name: one or several sources of any format, joined."""

import dataclasses
from collections.abc import Sequence

from spd.data.formats import open_source
from spd.data.sample import RGBDSample, SampleSequence
from spd.data.source import Frame, Source
from spd.errors import DataError, shown


class Samples(SampleSequence):
    """Frames of one or several sources, one after the other.

    With several sources, a sample's name begins with the name of its source.
    """

    def __init__(self, sources: Sequence[Source], *, metric_only: bool = False) -> None:
        self.sources = list(sources)
        places = [(source, n) for source in self.sources for n in range(len(source))]
        known = [(source, n) for source, n in places if source.frames[n].has_focal]
        self.places = known if metric_only else places
        """Source of each sample, and its number there."""
        self.without_focal_length = len(places) - len(known)
        """Number of frames of unknown focal length; left out where `metric_only`."""
        several = len(self.sources) > 1
        self.names = [
            f"{source.path.name}/{source.frames[n].name}" if several else source.frames[n].name
            for source, n in self.places
        ]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def frames(self) -> list[Frame]:
        """Metadata of every frame."""
        return [source.frames[n] for source, n in self.places]

    @property
    def of_sources(self) -> list[tuple[Source, list[int]]]:
        """Each source with its sample numbers; sources without samples are left out."""
        numbers = {id(source): (source, list[int]()) for source, _ in self.places}
        for number, (source, _) in enumerate(self.places):
            numbers[id(source)][1].append(number)
        return list(numbers.values())

    def read(self, number: int) -> RGBDSample:
        """Read a sample from disk."""
        source, place = self.places[number]
        return dataclasses.replace(source[place], name=self.names[number])

    def named(self, name: str) -> RGBDSample:
        """Read the sample of that name."""
        return self[self.names.index(name)]


def open_samples(sources: Sequence[str], *, metric_only: bool = False) -> Samples:
    """Open sources written as `PATH[:SPLIT][,key=value]...` (`spd.data.source_name`).

    Args:
        sources: one or several.
        metric_only: leave out frames of unknown focal length, which cannot be trained on.

    Raises:
        DataError: if a source or split does not exist, files are missing, or no frame is left.
    """
    if isinstance(sources, str):  # one, and not its letters
        sources = [sources]
    if not isinstance(sources, Sequence) or not all(isinstance(one, str) for one in sources):
        raise DataError(f"sources must be a list such as ['PATH:SPLIT'], got {shown(sources)}")
    samples = Samples([open_source(source) for source in sources], metric_only=metric_only)
    if not samples:
        raise DataError(
            f"{', '.join(sources)}: no frame has camera intrinsics, so none can be used; if you "
            "know the focal length, pass it, for example PATH,focal_px=518.9"
        )
    return samples
