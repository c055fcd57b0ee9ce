"""RGB-D folders: `frames.json`, images and 16-bit PNG depth (`docs/data.md`)."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spd.data import nyu_dataset as nyu
from spd.data.depth_png import read_depth_png
from spd.data.formats.decoding import read_image_file
from spd.data.frame_index import INDEX, read_index
from spd.data.ray_length import z_of_range
from spd.data.sample import RGBDSample, check_exact_points, valid_depth
from spd.data.source import Frame, Source, no_such_split, refuse_missing_files
from spd.data.turned import orientation_of
from spd.errors import DataError
from spd.pixels import Size


class RGBDFolder(Source):
    """Frames of an RGB-D folder, or of one of its splits, read from disk on access.

    Raises:
        DataError: at once, if the index is missing or malformed or any file it names is missing.
    """

    format: ClassVar[str] = "rgbd-folder"
    allowed_options = ("depth",)
    allowed_depths = ("range",)

    def _open(self) -> None:
        entries = read_index(self.path)
        self.entries = [e for e in entries if self.split is None or e.split == self.split]
        if not self.entries:
            raise no_such_split(self.path / INDEX, self.split, [e.split for e in entries])
        self.frames = [
            Frame(e.image, e.split, e.scene, e.official_number, e.intrinsics is not None)
            for e in self.entries
        ]
        named = (name for e in self.entries for name in (e.image, e.depth, e.points) if name)
        refuse_missing_files(self.path, (self.path / name for name in named))

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """An index of frames in the folder."""
        return f"contains {INDEX}" if (path / INDEX).is_file() else None

    @property
    def stored(self) -> str:
        """Type and unit of the stored depth, the only ones that the format allows."""
        return "16-bit PNG, millimetres"

    @property
    def is_nyu(self) -> bool:
        """Whether every frame is marked as NYU's."""
        return all(entry.dataset.startswith("NYU") for entry in self.entries)

    def image_file(self, number: int) -> Path:
        """Image file of a frame."""
        return self.path / self.entries[number].image

    def files_of(self, number: int) -> tuple[Path, ...]:
        """Image, depth map and exact points of a frame."""
        entry = self.entries[number]
        named = (entry.image, entry.depth, entry.points)
        return tuple(self.path / name for name in named if name)

    def settings_of(self, number: int) -> str:
        """Camera of a frame and whether its border is masked, from the index."""
        entry = self.entries[number]
        return f"{entry.intrinsics!r} {entry.dataset.startswith('NYU')}"

    def read(self, number: int) -> RGBDSample:
        """Read a sample from disk."""
        entry = self.entries[number]
        image = read_image_file(self.path / entry.image)
        size = image.shape[0], image.shape[1]
        depth_m = read_depth_png(self.path / entry.depth)
        for what, shape, expected in (
            ("image", size, entry.image_size),
            ("depth map", depth_m.shape, entry.depth_size),
        ):
            if expected is not None and expected != shape:
                raise DataError(
                    f"{self.path / entry.image}: the {what} is {shape[0]}x{shape[1]}, "
                    f"but the index gives {expected[0]}x{expected[1]}"
                )
        camera = entry.intrinsics.intrinsics() if entry.intrinsics else None
        points = _read_points(self.path / entry.points, size) if entry.points else None
        if self.options.depth == "range":
            depth_m = z_of_range(depth_m, camera, size, entry.image)
        valid = valid_depth(depth_m, self.max_depth_m)
        if entry.dataset.startswith("NYU") and depth_m.shape == nyu.SIZE:
            valid &= nyu.inside_border(nyu.SIZE)
        return RGBDSample(
            image,
            depth_m,
            valid,
            camera,
            entry.image,
            points,
            self.max_depth_m,
            orientation_of(self.path / entry.image),
        )


def _read_points(path: Path, size: Size) -> Float[np.ndarray, "n 3"]:
    """`(u, v, depth_m)` on an image of `size` = (height, width), float32, from a `.npy` file."""
    try:
        with path.open("rb") as file:
            points = np.load(file, allow_pickle=False)
    except Exception:  # a damaged header raises many types
        raise DataError(f"{path} is not a readable .npy array; is the file complete?") from None
    if not isinstance(points, np.ndarray):
        raise DataError(f"{path} contains several arrays; expected one .npy array of exact points")
    check_exact_points(points, size, str(path))
    return points
