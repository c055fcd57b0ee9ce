"""Occupancy of the floor: a raster of 5 cm cells over the footprint."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

_CELL_M = 0.05


class Rectangle(NamedTuple):
    """A rectangle of floor in a frame at (x, y) that is turned by `yaw`; metres and radians."""

    x: float
    y: float
    yaw: float
    low: tuple[float, float]
    """Lower corner in the frame."""
    high: tuple[float, float]
    """Upper corner in the frame."""


class FloorPlan:
    """Free floor: inside the footprint and not under furniture."""

    def __init__(self, footprint: Float[np.ndarray, "k 2"]) -> None:
        self._low = footprint.min(axis=0) - 2 * _CELL_M
        size = footprint.max(axis=0) + 2 * _CELL_M - self._low
        counts = np.ceil(size / _CELL_M).astype(int)
        index = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), axis=-1)
        self._centres = self._low + (index + 0.5) * _CELL_M
        self.free: Bool[np.ndarray, "a b"] = _inside(footprint, self._centres)
        self.reserved: Bool[np.ndarray, "a b"] = np.zeros_like(self.free)
        """Floor without furniture on which a person may stand, such as before doors."""

    def _cells(self, area: Rectangle) -> Bool[np.ndarray, "a b"]:
        """Mask of the cells whose centres lie in a rectangle."""
        c, s = math.cos(area.yaw), math.sin(area.yaw)
        offset = self._centres - np.array([area.x, area.y])
        u = offset[..., 0] * c + offset[..., 1] * s
        v = offset[..., 1] * c - offset[..., 0] * s
        low, high = area.low, area.high
        return (u >= low[0]) & (u <= high[0]) & (v >= low[1]) & (v <= high[1])

    def fits(self, area: Rectangle, *, allow_reserved: bool = False) -> bool:
        """Whether all of a rectangle is free and, unless allowed, not reserved."""
        usable = self.free if allow_reserved else self.free & ~self.reserved
        u, v = (
            np.linspace(a, b, max(2, math.ceil((b - a) / _CELL_M) + 1))
            for a, b in zip(area.low, area.high, strict=True)
        )
        c, s = math.cos(area.yaw), math.sin(area.yaw)
        rows = np.floor((area.x - self._low[0] + u[:, None] * c - v * s) / _CELL_M).astype(int)
        columns = np.floor((area.y - self._low[1] + u[:, None] * s + v * c) / _CELL_M).astype(int)
        if min(rows.min(), columns.min()) < 0:
            return False
        if rows.max() >= usable.shape[0] or columns.max() >= usable.shape[1]:
            return False
        return bool(usable[rows, columns].all())

    def take(self, area: Rectangle, *, clearance_m: float = 0.0) -> None:
        """Mark a rectangle as taken, and reserve a strip before it (towards +y)."""
        self.free &= ~self._cells(area)
        high = (area.high[0], area.high[1] + clearance_m)
        self.reserve(area._replace(high=high))

    def reserve(self, area: Rectangle) -> None:
        """Keep furniture off a rectangle."""
        self.reserved |= self._cells(area)

    def random_place(self, rng: np.random.Generator) -> Float[np.ndarray, "2"] | None:
        """Random free and unreserved point; None without any."""
        cells = np.argwhere(self.free & ~self.reserved)
        if not len(cells):
            return None
        return self._centres[tuple(cells[rng.integers(len(cells))])]

    def standing_places(self, clearance_m: float) -> Float[np.ndarray, "n 2"]:
        """Points at least `clearance_m` from walls and furniture."""
        distance = ndimage.distance_transform_edt(np.pad(self.free, 1))[1:-1, 1:-1] * _CELL_M
        return self._centres[distance >= clearance_m]


def _inside(
    polygon: Float[np.ndarray, "k 2"], points: Float[np.ndarray, "a b 2"]
) -> Bool[np.ndarray, "a b"]:
    """Mask of the points in a polygon by the even-odd rule."""
    x, y = points[..., 0], points[..., 1]
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if x0 != x1:
            spans = (x0 <= x) != (x1 <= x)
            inside ^= spans & (y < y0 + (x - x0) * (y1 - y0) / (x1 - x0))
    return inside
