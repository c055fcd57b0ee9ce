"""Opening data by name: sources of any form, with an optional split, one or several joined."""

import dataclasses
import itertools
from collections.abc import Sequence

from spd.data.forms import open_source
from spd.data.sample import RGBDSample, SampleSequence
from spd.data.source import Frame, Source
from spd.errors import DataError


class Samples(SampleSequence):
    """Frames of one or several sources, one after the other."""

    def __init__(self, sources: Sequence[Source], *, metric_only: bool = False) -> None:
        self.sources = list(sources)
        places = [(source, n) for source in self.sources for n in range(len(source))]
        known = [(source, n) for source, n in places if source.frames[n].has_focal]
        self.places = known if metric_only else places
        self.without_focal_length = len(places) - len(known)
        """Frames whose focal length is not known; left out where `metric_only`."""
        several = len(self.sources) > 1
        self.names = [
            f"{source.path.name}/{source.frames[n].name}" if several else source.frames[n].name
            for source, n in self.places
        ]
        """What the samples are called, behind the name of their source where several."""

    def __len__(self) -> int:
        return len(self.places)

    @property
    def frames(self) -> list[Frame]:
        """What is known of every frame before it is read."""
        return [source.frames[n] for source, n in self.places]

    @property
    def of_sources(self) -> list[range]:
        """The numbers of each source's samples, for those sources that have any."""
        counts = [sum(source is own for source, _ in self.places) for own in self.sources]
        ends = itertools.accumulate(counts)
        return [range(end - count, end) for count, end in zip(counts, ends, strict=True) if count]

    def read(self, number: int) -> RGBDSample:
        """The sample of that number, read from disk."""
        source, place = self.places[number]
        return dataclasses.replace(source[place], name=self.names[number])

    def named(self, name: str) -> RGBDSample:
        """The sample of that name."""
        return self[self.names.index(name)]


def open_samples(sources: Sequence[str], *, metric_only: bool = False) -> Samples:
    """Open sources written as `PATH[:SPLIT][,key=value]...` (`spd.data.source_name`).

    Args:
        sources: one or several.
        metric_only: leave frames out whose focal length is unknown; without it their depth
            cannot be trained on.

    Raises:
        DataError: if a source or split is not there, files are missing, or nothing is left.
    """
    samples = Samples([open_source(source) for source in sources], metric_only=metric_only)
    if not samples:
        raise DataError(
            f"{', '.join(sources)}: no frame has intrinsics, so none can be used; where you know "
            "the focal length, say so: PATH,focal_px=518.9"
        )
    return samples
