"""A source in memory, for tests that do not depend on a format."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from spd.data.depth_units import to_metres
from spd.data.sample import RGBDSample, valid_depth
from spd.data.source import Frame, Source
from spd.data.source_name import SourceOptions
from spd.errors import DataError
from spd.pixels import Intrinsics


class FakeSource(Source):
    """Frames with the given stored depth maps, in `unit` or the unit of their type.

    A `None` among them is an unreadable frame.
    """

    format: ClassVar[str] = "fake"
    allowed_options = ("unit",)

    def __init__(
        self,
        stored: Sequence[np.ndarray | None],
        *,
        frames: Sequence[Frame] | None = None,
        images: Sequence[np.ndarray] | None = None,
        unit=None,
        nyu: bool = False,
        path: str | Path = "fake",
    ) -> None:
        super().__init__(path, None, SourceOptions(unit=unit))
        self.depths = list(stored)
        self.images = images
        self.nyu = nyu
        self.frames = frames or [Frame(f"frame-{n}") for n in range(len(self.depths))]
        self.reads = 0

    def _open(self) -> None:
        pass

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        return None

    @property
    def stored(self) -> str:
        return "arrays"

    @property
    def is_nyu(self) -> bool:
        return self.nyu

    def read(self, number: int) -> RGBDSample:
        self.reads += 1
        stored, name = self.depths[number], self.frames[number].name
        if stored is None:
            raise DataError(f"{name} is truncated")
        depth_m = to_metres(stored, self.options.unit, name)
        image = np.full((*stored.shape, 3), 99, np.uint8)
        if self.images is not None:
            image = self.images[number]
        camera = Intrinsics.centred(0.81 * stored.shape[1], stored.shape)
        return RGBDSample(image, depth_m, valid_depth(depth_m), camera, name)


def corner_room(yaw_deg: float, size=(240, 320)) -> np.ndarray:
    """Camera z in metres, float64, of an empty room, seen from near a corner, looking down."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    focal = 0.81 * size[1]
    x, y = (columns - size[1] / 2) / focal, (rows - size[0] / 4) / focal
    yaw = np.deg2rad(yaw_deg)
    east, north = np.cos(yaw) * x + np.sin(yaw), np.cos(yaw) - np.sin(yaw) * x
    with np.errstate(divide="ignore"):
        walls = [
            np.maximum(far / along, near / along)
            for far, near, along in ((4, -1, east), (5, -1, north), (1.4, -1.1, y))
        ]
    return np.minimum.reduce(walls)
