"""Array arithmetic on triangles and grids of points."""

import functools

import numpy as np
from jaxtyping import Float, Int

from spd.data.rooms.materials import R2


def facing_and_double_area(
    corners: Float[np.ndarray, "t 3 3"],
) -> tuple[Float[np.ndarray, "t 3"], Float[np.ndarray, "t"]]:
    """Unit normals of triangles by the right-hand rule, and twice their areas."""
    (ax, ay, az), (bx, by, bz) = (corners[:, k].T - corners[:, 0].T for k in (1, 2))
    raw = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
    double_area = np.sqrt((raw * raw).sum(axis=-1))
    return raw / np.maximum(double_area, 1e-300)[:, None], double_area


def signed_power(value: np.ndarray, exponent: float) -> np.ndarray:
    """Power of the magnitude with the sign of `value`; rounding noise around 0 becomes 0."""
    value = np.where(np.abs(value) < 1e-9, 0.0, value)
    return np.sign(value) * np.abs(value) ** exponent


def perpendicular(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors with (side, up, direction) right-handed."""
    axis = direction / np.linalg.norm(direction)
    helper = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.7 else np.array([0.0, 1.0, 0.0])
    up = np.cross(axis, helper)
    up /= np.linalg.norm(up)
    return np.cross(up, axis), up


def column_pairs(grid: np.ndarray) -> np.ndarray:
    """Pairs of neighbouring columns, [b - 1, a, 2, k], of a grid [a, b, k]."""
    return np.stack([grid[:, :-1], grid[:, 1:]], axis=2).swapaxes(0, 1)


def grid_triangles(grid: np.ndarray) -> np.ndarray:
    """Two triangles per cell, [t, 3, k], of a grid [..., a, b, k]."""
    a, b, k = grid.shape[-3:]
    index = _grid_index(a, b)
    return grid.reshape(-1, a * b, k)[:, index].reshape(-1, 3, k)


@functools.lru_cache(maxsize=256)
def _grid_index(a: int, b: int) -> Int[np.ndarray, "t 3"]:
    """Corners of the triangles of an a x b grid of points, as flat indices."""
    first = (np.arange(a - 1)[:, None] * b + np.arange(b - 1)).reshape(-1, 1)
    return (first + np.array([0, b, b + 1, 0, b + 1, 1])).reshape(-1, 3)


def box_projection(corners: np.ndarray) -> np.ndarray:
    """Texture coordinates in metres, on the two axes that each triangle faces least."""
    axis = np.abs(facing_and_double_area(corners)[0]).argmax(axis=1)
    pick = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    return np.take_along_axis(corners, pick[:, None, :].repeat(3, axis=1), axis=2)


def texture_shift(surface: Int[np.ndarray, "t"]) -> Float[np.ndarray, "t 2"]:
    """Shift of the texture per surface, so that two boards of one wood differ in grain."""
    return surface[:, None] * np.array(R2) % 1.0 * 7.0
