"""Procedural materials: colour as a function of surface coordinates in metres.

A texture maps `[2, N]` surface coordinates in metres and the `[N]` size of a pixel on the surface
in metres to linear RGB albedo `[3, N]` (channels first is several times faster in numpy). Detail
finer than a pixel fades to its mean instead of aliasing. Textures are closures over random numbers
drawn once, so evaluating one again gives the same colours.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy import ndimage

RGB = Float[np.ndarray, "3"]
Rng = np.random.Generator
Texture = Callable[[Float[np.ndarray, "2 n"], Float[np.ndarray, "n"]], Float[np.ndarray, "3 n"]]

_TABLE = 512
R2 = (0.7548776662, 0.5698402909)
"""Steps of the R2 low-discrepancy sequence: 1/g and 1/g^2 with g^3 = g + 1."""
_HASH_PRIMES = (73856093, 19349663, 83492791)  # spatial hash of Teschner et al. 2003


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Reflection, emission and texture of a surface."""

    texture: Texture
    gloss: float = 0.0
    """Strength of highlights, 0 (matt) to 1."""
    sharpness: float = 40.0
    """Exponent of the highlight; a larger one gives a smaller, sharper highlight."""
    emission: float = 0.0
    """Emitted light, as a multiple of the texture's colour."""
    transmits_sun: bool = False
    """Whether the sun shines through it, as through window panes."""

    def mean_colour(self) -> RGB:
        """Average linear albedo over a fixed set of points."""
        places = _r2_sequence(48) * 3.0
        return self.texture(places, np.full(places.shape[1], 0.01, np.float32)).mean(axis=1)


def colour(red: float, green: float, blue: float) -> RGB:
    """Convert an sRGB colour of 0..1 to linear light."""
    return (np.array([red, green, blue]) ** 2.2).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _noise_table() -> Float[np.ndarray, "s s"]:
    """Periodic cloudy noise with unit standard deviation and a spectrum of about 1 / frequency."""
    frequency = np.fft.fftfreq(_TABLE) * _TABLE
    radius = np.hypot(*np.meshgrid(frequency, frequency))
    radius[0, 0] = np.inf
    white = np.random.default_rng(20).normal(size=(_TABLE, _TABLE))
    clouds = np.fft.ifft2(np.fft.fft2(white) / radius**1.15).real
    return (clouds / clouds.std()).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _grain_table() -> Float[np.ndarray, "s s"]:
    """Periodic fine-grained noise with unit standard deviation."""
    white = np.random.default_rng(21).normal(size=(_TABLE, _TABLE))
    grain = ndimage.gaussian_filter(white, 0.8, mode="wrap")
    return (grain / grain.std()).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _cell_table() -> Float[np.ndarray, "3 4096"]:
    return np.random.default_rng(22).uniform(size=(3, 4096)).astype(np.float32)


def _r2_sequence(count: int) -> Float[np.ndarray, "2 n"]:
    """Evenly distributed points in the unit square."""
    index = np.arange(1, count + 1)
    return np.stack([index * step % 1.0 for step in R2]).astype(np.float32)


def clouds(p: Float[np.ndarray, "2 n"], size_m: float) -> Float[np.ndarray, "n"]:
    """Cloudy noise whose largest blobs measure about `size_m`."""
    return _lookup(_noise_table(), p, _TABLE / (8.0 * size_m))


def grain(p: Float[np.ndarray, "2 n"], size_m: float) -> Float[np.ndarray, "n"]:
    """Fine noise whose grains measure about `size_m`."""
    return _lookup(_grain_table(), p, 2.0 / size_m)


def _lookup(table: np.ndarray, p: np.ndarray, cells_per_m: float) -> np.ndarray:
    where = p * np.float32(cells_per_m)
    floor = np.floor(where)
    fx, fy = where - floor
    x0, y0 = floor.astype(np.int32) & (_TABLE - 1)
    row0, row1 = x0 * _TABLE, ((x0 + 1) & (_TABLE - 1)) * _TABLE
    y1 = (y0 + 1) & (_TABLE - 1)
    flat = table.ravel()
    a, b = flat.take(row0 + y0), flat.take(row1 + y0)
    a += (flat.take(row0 + y1) - a) * fy
    b += (flat.take(row1 + y1) - b) * fy
    return a + (b - a) * fx


def tint(base: RGB, shade: Float[np.ndarray, "n"]) -> Float[np.ndarray, "3 n"]:
    """Multiply one colour by shades."""
    return base[:, None] * shade.astype(np.float32, copy=False)


def blend(
    first: Float[np.ndarray, "3 n"], second: Float[np.ndarray, "3 n"], share: np.ndarray
) -> Float[np.ndarray, "3 n"]:
    """Interpolate from the first colours (share 0) to the second (share 1)."""
    return first + (second - first) * share.astype(np.float32, copy=False)


def cell_random(i: np.ndarray, j: np.ndarray | int, salt: int) -> Float[np.ndarray, "3 n"]:
    """Three pseudo-random numbers in 0..1 per integer cell (i, j)."""
    a, b, c = _HASH_PRIMES
    mixed = i.astype(np.int64) * a ^ np.asarray(j, np.int64) * b ^ salt * c
    mixed = (mixed ^ (mixed >> 13)) * 1274126177
    return _cell_table()[:, (mixed >> 7) & 4095]


def edge_line(
    position: np.ndarray, period: np.ndarray | float, width: float, footprint_m: np.ndarray
) -> Float[np.ndarray, "n"]:
    """Share of each pixel covered by lines of `width` metres, one every `period` metres."""
    distance = np.abs((position / period + 0.5) % 1.0 - 0.5) * period
    soft = np.maximum(footprint_m, 1e-4)
    cover = np.clip((width / 2 - distance) / soft + 0.5, 0, 1)
    return (cover * np.minimum(1.0, width / soft)).astype(np.float32)


def plain(base: RGB, *, mottle: float = 0.02, size_m: float = 0.5) -> Texture:
    """One colour with faint clouds, like paint and lacquer."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        return tint(base, 1 + np.float32(mottle) * clouds(p, size_m))

    return texture


def fabric(base: RGB, *, depth: float = 0.15, size_m: float = 0.004) -> Texture:
    """Cloth, carpet or rough plaster: fine grains over soft clouds."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        visible = np.clip(size_m / np.maximum(footprint_m, 1e-4), 0.15, 1.0)
        shade = 1 + depth * visible * grain(p, size_m) + 0.3 * depth * clouds(p, 0.4)
        return tint(base, np.clip(shade, 0.2, 2.0))

    return texture


def wood(base: RGB, *, contrast: float = 0.25, along_u: bool = True) -> Texture:
    """One piece of wood, its grain along one texture axis."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        stretch = np.array([[0.06], [1.0]] if along_u else [[1.0], [0.06]], np.float32)
        q = p * stretch
        rings = np.sin(70 * (q[1 if along_u else 0] + 0.05 * clouds(q, 0.3)))
        shade = 1 + contrast * (0.5 * clouds(q, 0.05) + 0.25 * rings)
        return tint(base, np.clip(shade, 0.3, 1.7))

    return texture


def planks(
    base: RGB, *, width_m: float, length_m: float, contrast: float, salt: int, gap: float = 0.3
) -> Texture:
    """A floor of boards along u with different shades and dark joints."""
    grain_of = wood(base, contrast=contrast)

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        row = np.floor(p[1] / width_m).astype(np.int32)
        u = p[0] + cell_random(row, 7, salt)[0] * length_m
        board = np.floor(u / length_m).astype(np.int32)
        tone = cell_random(board, row, salt)
        shifted = p + tone[1:] * 5.0
        joint = np.maximum(
            edge_line(p[1], width_m, 0.004, footprint_m),
            edge_line(u, length_m, 0.003, footprint_m),
        )
        shade = (1 + 0.35 * contrast / 0.25 * (tone[0] - 0.5)) * (1 - (1 - gap) * joint)
        return grain_of(shifted, footprint_m) * shade

    return texture


def tiles(
    first: RGB, second: RGB, grout: RGB, *, size_m: tuple[float, float], salt: int, brick: bool
) -> Texture:
    """Tiles (a chequerboard if the colours differ), or bricks, whose rows are shifted."""
    joint_m = min(size_m) * 0.03 + (0.006 if brick else 0.0)

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        row = np.floor(p[1] / size_m[1]).astype(np.int32)
        u = p[0] + (row % 2) * (size_m[0] / 2 if brick else 0.0)
        column = np.floor(u / size_m[0]).astype(np.int32)
        tone = cell_random(column, row, salt)
        other = (row + column) % 2 if not brick else (tone[2] > 0.6)
        body = np.where(other > 0, second[:, None], first[:, None])
        body = body * (0.94 + 0.12 * tone[0] + 0.03 * clouds(p, 0.15))
        joint = np.maximum(
            edge_line(u, size_m[0], joint_m, footprint_m),
            edge_line(p[1], size_m[1], joint_m, footprint_m),
        )
        return blend(body, grout[:, None], joint)

    return texture


def marble(base: RGB, vein: RGB) -> Texture:
    """Stone with wandering veins."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        warp = p[0] * 1.3 + p[1] * 0.7 + 0.22 * clouds(p, 0.5)
        line = np.clip(1 - np.abs(np.sin(7 * warp)) * 3, 0, 1) * 0.6
        share = np.clip(line + 0.08 * clouds(p, 0.2) + 0.1, 0, 1)
        return blend(base[:, None], vein[:, None], share)

    return texture
