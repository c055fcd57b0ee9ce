"""Sources whose frames are pairs of files: an image and a depth map."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from spd.data.depth_units import Unit
from spd.data.formats.decoding import decode_depth, describe_depth, read_bytes, read_image_file
from spd.data.formats.general import CameraColumns, GeneralSource, canonical_split
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split
from spd.data.turned import orientation_of


@dataclasses.dataclass(frozen=True, slots=True)
class FilePair:
    """Files of one frame."""

    frame: Frame
    image: Path
    depth: Path
    unit: Unit | None = None
    """Unit of the stored depth; None: millimetres for integers, metres for floats."""
    camera: CameraColumns = None
    """Camera from the data; None: unknown."""


class FilePairSource(GeneralSource):
    """Frames that are pairs of files; a subclass finds them and calls `_set_pairs`."""

    pairs: Sequence[FilePair]

    def _set_pairs(self, pairs: Sequence[FilePair]) -> None:
        """Set `pairs` and `frames` to those of the split."""
        split = canonical_split(self.split)
        self.pairs = [pair for pair in pairs if split is None or pair.frame.split == split]
        if not self.pairs:
            raise no_such_split(self.path, self.split, [pair.frame.split for pair in pairs])
        self.frames = [pair.frame for pair in self.pairs]

    @property
    def stored(self) -> str:
        """Type and unit of the first frame's depth file."""
        first = self.pairs[0]
        return describe_depth(read_bytes(first.depth), first.unit, str(first.depth))

    def read(self, number: int) -> RGBDSample:
        """Read a sample from disk."""
        pair = self.pairs[number]
        image = read_image_file(pair.image)
        depth_m = decode_depth(read_bytes(pair.depth), pair.unit, str(pair.depth))
        orientation = orientation_of(pair.image)
        return self.make_sample(image, depth_m, pair.camera, pair.frame.name, orientation)

    def image_file(self, number: int) -> Path:
        """Image file of a frame."""
        return self.pairs[number].image

    def files_of(self, number: int) -> tuple[Path, ...]:
        """Image and depth map of a frame."""
        return self.pairs[number].image, self.pairs[number].depth

    def settings_of(self, number: int) -> str:
        """Unit and camera of a frame."""
        return f"{self.pairs[number].unit!r} {self.pairs[number].camera!r}"
