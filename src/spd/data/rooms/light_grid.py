"""Light at every pixel, traced on a coarser grid and upsampled along surfaces.

Light varies slowly and is expensive to trace, unlike colour. Lamps, sun and one bounce are traced
at every second or third pixel and row, smoothed within planes, and interpolated to the full grid
with weights that respect edges.
"""

import itertools

import numpy as np
from jaxtyping import Float, Int

from spd.data.rooms import lighting
from spd.data.rooms.geometry import RoomCamera, RoomGeometry
from spd.data.rooms.lighting import Light, Points, Sun
from spd.data.rooms.surfels import Surfels
from spd.pixels import Size

_MAX_LIGHTS = 4  # lights traced per pixel: the strongest ones in the view
_BOUNCE_RAYS = 2
_TILE = 8
_ROWS = 180  # approximate number of traced rows for any image size


def light_on_grid(
    geometry: RoomGeometry,
    lights: list[Light],
    sun: Sun | None,
    visible: Surfels,
    camera: RoomCamera,
    size: Size,
    rng: np.random.Generator,
) -> Float[np.ndarray, "6 n"]:
    """Irradiance and highlight, each RGB, at every pixel of an image of `size`."""
    fine = _planes(visible, camera).reshape(7, *size)
    stride = max(2, round(size[0] / _ROWS))
    coarse = np.ascontiguousarray(fine[:, ::stride, ::stride])
    points, grid = _traced_points(visible, camera, size, stride)
    light = np.zeros((6, *grid), np.float32)
    for lamp in _brightest(lights, points.position.mean(axis=1)):
        irradiance, highlight = lighting.direct(geometry, lamp, points, _jitter(grid, rng))
        light[:3] += irradiance.reshape(3, *grid)
        light[3:] += highlight.reshape(3, *grid)
    leaving = lighting.radiosity(geometry, lights, sun, rng)
    bounce = np.zeros((3, *grid), np.float32)
    for _ in range(_BOUNCE_RAYS):
        bounce += lighting.gather(geometry, points, leaving, _jitter(grid, rng)).reshape(3, *grid)
    light[:3] += _smooth(bounce / _BOUNCE_RAYS, coarse, (8, 4))
    light = _smooth(light, coarse, (1, 2, 4))
    if sun is not None:  # its shadows stay sharp, so it is smoothed only once
        beams = lighting.sunlight(geometry, sun, points).reshape(3, *grid)
        light[:3] += _smooth(beams, coarse, (1,))
    return _to_full_grid(light, coarse, fine, stride)


def _traced_points(
    visible: Surfels, camera: RoomCamera, size: Size, stride: int
) -> tuple[Points, Size]:
    """Visible points at which light is traced, and the size of their grid."""

    def thin(values: np.ndarray) -> np.ndarray:
        return values.reshape(*values.shape[:-1], *size)[..., ::stride, ::stride]

    grid = thin(visible.gloss).shape
    position = thin(visible.position).reshape(3, -1)
    to_eye = camera.position.astype(np.float32)[:, None] - position
    to_eye /= np.sqrt(lighting.dot(to_eye, to_eye))
    sharpness = np.where(visible.gloss > 0.01, visible.sharpness, 0).astype(np.float32)
    normal = thin(visible.normal).reshape(3, -1)
    return Points(position, normal, to_eye, thin(sharpness).ravel()), (grid[0], grid[1])


def _brightest(lights: list[Light], place: Float[np.ndarray, "3"]) -> list[Light]:
    def strength(light: Light) -> float:
        return float(light.power.sum() / (((light.centre - place) ** 2).sum() + 0.5))

    return sorted(lights, key=strength, reverse=True)[:_MAX_LIGHTS]


def _planes(points: Surfels, camera: RoomCamera) -> Float[np.ndarray, "7 n"]:
    """Features that smoothing compares: position relative to the camera, normal, surface id."""
    offset = points.position - camera.position.astype(np.float32)[:, None]
    return np.concatenate([offset, points.normal, points.surface[None]])


def _jitter(grid: Size, rng: np.random.Generator) -> Float[np.ndarray, "2 n"]:
    """Random numbers stratified over tiles of 8x8 pixels, which smoothing averages evenly."""
    rows, columns = (np.arange(n) % _TILE for n in grid)
    cell = rng.permutation(_TILE * _TILE).reshape(_TILE, _TILE)[np.ix_(rows, columns)]
    strata = np.stack([cell // _TILE, cell % _TILE]).astype(np.float32)
    strata += rng.random((2, *grid), np.float32)
    return strata.reshape(2, -1) / np.float32(_TILE)


def _similarity(
    here: Float[np.ndarray, "7 a b"], there: Float[np.ndarray, "7 a b"]
) -> Float[np.ndarray, "a b"]:
    """Similarity of points: 1 for equal normals in one plane, falling to 0.

    Points of one surface keep some similarity, so that thin and curved things are smoothed too.
    """
    nx, ny, nz = there[3:6]
    mx, my, mz = here[3:6]
    alike = np.maximum(mx * nx + my * ny + mz * nz, 0)
    dx, dy, dz = there[:3] - here[:3]
    apart = np.abs(dx * mx + dy * my + dz * mz) + np.abs(dx * nx + dy * ny + dz * nz)
    same = (here[6] == there[6]) * (np.float32(0.15) * alike)
    alike *= alike
    alike *= alike
    return np.maximum(alike * alike * np.maximum(1 - apart * 20, 0), same)


def _smooth(
    light: Float[np.ndarray, "c h w"], planes: Float[np.ndarray, "7 h w"], steps: tuple[int, ...]
) -> Float[np.ndarray, "c h w"]:
    """A-trous bilateral filter: passes over 3x3 neighbours at growing distances.

    With binomial weights (centre 4, sides 2, corners 1), passes at 1, 2 and 4 pixels cancel
    patterns with periods of 2, 4 and 8 pixels, such as that of `_jitter`.
    """
    for step in steps:
        total, weight = 4 * light, np.full(light.shape[1:], 4, np.float32)
        for dy, dx, share in ((0, step, 2), (step, 0, 2), (step, step, 1), (step, -step, 1)):
            here = np.s_[: -dy or None, max(-dx, 0) : -dx if dx > 0 else None]
            there = np.s_[dy:, max(dx, 0) : dx if dx < 0 else None]
            if min(weight[here].shape) == 0:
                continue
            like = np.float32(share) * _similarity(planes[:, *here], planes[:, *there])
            total[:, *here] += like * light[:, *there]
            total[:, *there] += like * light[:, *here]
            weight[here] += like
            weight[there] += like
        light = total / weight
    return light


def _to_full_grid(
    light: Float[np.ndarray, "6 h w"],
    coarse: Float[np.ndarray, "7 h w"],
    fine: Float[np.ndarray, "7 hf wf"],
    stride: int,
) -> Float[np.ndarray, "6 n"]:
    """Bilinear interpolation between traced pixels, weighted by similarity."""
    full = np.empty((6, *fine.shape[1:]), np.float32)
    trust = np.ones(fine.shape[1:], np.float32)
    grow = ((0, 0), (0, 1), (0, 1))  # the last row and column repeat their own values
    near_light, near = np.pad(light, grow, mode="edge"), np.pad(coarse, grow, mode="edge")
    full[:, ::stride, ::stride] = light
    for row, column in itertools.product(range(stride), repeat=2):
        here = np.ascontiguousarray(fine[:, row::stride, column::stride])
        rows, columns = here.shape[1:]
        total = np.zeros((6, rows, columns), np.float32)
        weight = np.full((rows, columns), 1e-6, np.float32)
        for a, b in itertools.product((0, 1), repeat=2):
            share = abs(1 - a - row / stride) * abs(1 - b - column / stride)
            if share == 0 or row + column == 0:
                continue
            at = np.s_[:, a : a + rows, b : b + columns]
            like = np.float32(share) * _similarity(here, near[at])
            total += like * near_light[at]
            weight += like
        if row + column:
            full[:, row::stride, column::stride] = total / weight
            trust[row::stride, column::stride] = weight
    light_of = full.reshape(6, -1)
    _fill_gaps(light_of, np.flatnonzero(trust < 0.01), light, coarse, fine, stride)
    return light_of


def _fill_gaps(
    light_of: Float[np.ndarray, "6 n"],
    missing: Int[np.ndarray, "m"],
    light: Float[np.ndarray, "6 h w"],
    coarse: Float[np.ndarray, "7 h w"],
    fine: Float[np.ndarray, "7 hf wf"],
    stride: int,
) -> None:
    """Light pixels that differ from all traced neighbours by a wider search, in place."""
    rows, columns = np.divmod(missing, fine.shape[2])
    here = fine.reshape(7, -1)[:, missing]
    total = np.zeros((6, len(missing)), np.float32)
    weight = np.zeros(len(missing), np.float32)
    for dr, dc in itertools.product((-1, 0, 1, 2), repeat=2):
        r = np.clip(rows // stride + dr, 0, light.shape[1] - 1)
        c = np.clip(columns // stride + dc, 0, light.shape[2] - 1)
        there = coarse[:, r, c]
        like = (there[6] == here[6]) * np.float32(1.0) + np.float32(1e-4)
        like *= np.maximum((there[3:6] * here[3:6]).sum(axis=0), 0.05)
        total += like * light[:, r, c]
        weight += like
    light_of[:, missing] = total / weight
