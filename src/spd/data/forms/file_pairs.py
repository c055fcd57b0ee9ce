"""Sources whose frames are pairs of files: an image and a depth map."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from spd.data.depth_units import Unit
from spd.data.forms.depth_files import describe_depth_file, read_depth_file
from spd.data.forms.stated import StatedCamera, StatedSource, canonical_split, make_sample
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split
from spd.errors import DataError, InputError
from spd.photos.reading import read_image


@dataclasses.dataclass(frozen=True, slots=True)
class FilePair:
    """One frame on disk."""

    frame: Frame
    image: Path
    depth: Path
    unit: Unit | None = None
    """Of stored depth; None: millimetres for whole numbers, metres for floats."""
    stated: StatedCamera = None
    """The camera that the data states."""


class PairedFiles(StatedSource):
    """Frames that are pairs of files; a subclass finds them and hands them to `_keep`."""

    pairs: Sequence[FilePair]

    def _keep(self, pairs: Sequence[FilePair]) -> None:
        """Keep the pairs of the split."""
        split = canonical_split(self.split)
        self.pairs = [pair for pair in pairs if split is None or pair.frame.split == split]
        if not self.pairs:
            raise no_such_split(self.path, self.split, [pair.frame.split for pair in pairs])
        self.frames = [pair.frame for pair in self.pairs]

    @property
    def stored(self) -> str:
        """As the first frame stores it."""
        return describe_depth_file(self.pairs[0].depth, self.pairs[0].unit)

    def read(self, number: int) -> RGBDSample:
        """The sample of that number, read from disk."""
        pair = self.pairs[number]
        try:
            image = read_image(pair.image)
        except InputError as error:
            raise DataError(str(error)) from None
        depth_m = read_depth_file(pair.depth, pair.unit)
        return make_sample(image, depth_m, pair.stated, self.options, pair.frame.name)

    def image_file(self, number: int) -> Path:
        """The image of the pair."""
        return self.pairs[number].image
