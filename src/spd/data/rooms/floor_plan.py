"""Which parts of the floor are taken: a raster of 5 cm cells over the footprint."""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

_CELL_M = 0.05


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
        """Floor that furniture keeps off but a person may stand on, as before doors."""

    def _cells(
        self, x: float, y: float, yaw: float, low: tuple[float, float], high: tuple[float, float]
    ) -> Bool[np.ndarray, "a b"]:
        """Cells whose centres lie in a rectangle of the frame at (x, y, yaw)."""
        c, s = math.cos(yaw), math.sin(yaw)
        offset = self._centres - np.array([x, y])
        u = offset[..., 0] * c + offset[..., 1] * s
        v = offset[..., 1] * c - offset[..., 0] * s
        return (u >= low[0]) & (u <= high[0]) & (v >= low[1]) & (v <= high[1])

    def fits(
        self, x: float, y: float, yaw: float, low: tuple[float, float], high: tuple[float, float]
    ) -> bool:
        """Whether a rectangle is free, unreserved floor all over."""
        return self._all(self.free & ~self.reserved, x, y, yaw, low, high)

    def fits_free(
        self, x: float, y: float, yaw: float, low: tuple[float, float], high: tuple[float, float]
    ) -> bool:
        """Whether a rectangle is free floor all over, reserved or not."""
        return self._all(self.free, x, y, yaw, low, high)

    def _all(
        self,
        allowed: Bool[np.ndarray, "a b"],
        x: float,
        y: float,
        yaw: float,
        low: tuple[float, float],
        high: tuple[float, float],
    ) -> bool:
        u, v = (
            np.linspace(a, b, max(2, math.ceil((b - a) / _CELL_M) + 1))
            for a, b in zip(low, high, strict=True)
        )
        c, s = math.cos(yaw), math.sin(yaw)
        rows = np.floor((x - self._low[0] + u[:, None] * c - v * s) / _CELL_M).astype(int)
        columns = np.floor((y - self._low[1] + u[:, None] * s + v * c) / _CELL_M).astype(int)
        if min(rows.min(), columns.min()) < 0:
            return False
        if rows.max() >= allowed.shape[0] or columns.max() >= allowed.shape[1]:
            return False
        return bool(allowed[rows, columns].all())

    def take(
        self,
        x: float,
        y: float,
        yaw: float,
        low: tuple[float, float],
        high: tuple[float, float],
        *,
        clearance_m: float = 0.0,
    ) -> None:
        """Mark a rectangle as taken and a strip before it (towards +y) as reserved."""
        self.free &= ~self._cells(x, y, yaw, low, high)
        self.reserve(x, y, yaw, low, (high[0], high[1] + clearance_m))

    def reserve(
        self, x: float, y: float, yaw: float, low: tuple[float, float], high: tuple[float, float]
    ) -> None:
        """Keep furniture off a rectangle."""
        self.reserved |= self._cells(x, y, yaw, low, high)

    def random_place(self, rng: np.random.Generator) -> Float[np.ndarray, "2"] | None:
        """A random free and unreserved spot, None when there is none."""
        cells = np.argwhere(self.free & ~self.reserved)
        if not len(cells):
            return None
        return self._centres[tuple(cells[rng.integers(len(cells))])]

    def standing_places(self, clearance_m: float) -> Float[np.ndarray, "n 2"]:
        """Spots at least `clearance_m` from everything that stands on the floor."""
        distance = ndimage.distance_transform_edt(np.pad(self.free, 1))[1:-1, 1:-1] * _CELL_M
        return self._centres[distance >= clearance_m]


def _inside(
    polygon: Float[np.ndarray, "k 2"], points: Float[np.ndarray, "a b 2"]
) -> Bool[np.ndarray, "a b"]:
    """Even-odd rule: an upward ray from an inside point crosses an odd number of edges."""
    x, y = points[..., 0], points[..., 1]
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if x0 != x1:
            spans = (x0 <= x) != (x1 <= x)
            inside ^= spans & (y < y0 + (x - x0) * (y1 - y0) / (x1 - x0))
    return inside
