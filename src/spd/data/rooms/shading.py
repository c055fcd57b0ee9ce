"""From hits to radiance: surface colours per pixel, light on half the grid, joined by geometry.

Light is smooth and costs rays, colour is sharp and costs none: lamps, sun and one bounce are traced
at every second pixel of every second row, smoothed across pixels of one plane, and carried to the
full grid with weights that respect edges.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from spd.data.rooms import lighting
from spd.data.rooms.lighting import Light, Points, Sun
from spd.data.rooms.scene import Camera, Hits, Scene

_BRIGHTEST = 5  # lights traced per pixel: those that matter most where the camera looks
_BOUNCE_RAYS = 2
_TILE = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Surfels:
    """Visible surface points and their material, one row each, float32."""

    position: Float[np.ndarray, "n 3"]
    normal: Float[np.ndarray, "n 3"]
    """Shading normal in the world, towards the camera."""
    surface: Float[np.ndarray, "n"]
    """Surface id, as a float (exact: ids are small)."""
    albedo: Float[np.ndarray, "n 3"]
    emission: Float[np.ndarray, "n"]
    gloss: Float[np.ndarray, "n"]
    sharpness: Float[np.ndarray, "n"]

    def take(self, rows: Int[np.ndarray, "m"]) -> "Surfels":
        """The surfels at some rows."""
        return Surfels(
            *(getattr(self, field.name)[rows] for field in dataclasses.fields(self))
        )

    def radiance(
        self, light: Float[np.ndarray, "n 6"]
    ) -> Float[np.ndarray, "n 3"]:
        """Light towards the camera from irradiance (first three columns) and highlight (rest)."""
        diffuse = self.albedo * (light[:, :3] + self.emission[:, None])
        return diffuse + self.gloss[:, None] * light[:, 3:]


def surfels(
    scene: Scene, camera: Camera, hits: Hits, depth: Float[np.ndarray, "n"]
) -> Surfels:
    """Evaluate position, shading normal and material where rays of the camera hit."""
    rays = hits.rays.astype(np.float32)
    position = rays * depth[:, None].astype(np.float32) + camera.position.astype(np.float32)
    u, v = hits.barycentric[:, :1], hits.barycentric[:, 1:]
    corner = np.take(scene.shading_table, hits.triangle, axis=0)
    mixed = corner[:, 0] * (1 - u - v) + corner[:, 1] * u + corner[:, 2] * v
    normal, texture = mixed[:, :3], mixed[:, 3:]
    facing = np.take(scene.plane_normal32, hits.triangle, axis=0)
    slope = np.einsum("ni,ni->n", facing, rays)
    turn = -np.sign(slope) * np.sign(np.einsum("ni,ni->n", facing, normal))
    turn /= np.maximum(np.sqrt(np.einsum("ni,ni->n", normal, normal)), 1e-6)
    normal = normal * turn[:, None]
    # A pixel's extent on the surface, bounded at grazing angles.
    footprint = depth.astype(np.float32) / np.float32(camera.intrinsics.focal_px)
    length = np.sqrt(np.einsum("ni,ni->n", rays, rays))
    footprint /= np.sqrt(np.maximum(np.abs(slope) / length, 0.05))
    material = scene.mesh.material[hits.triangle]
    albedo = _albedo(scene, material, texture, footprint)
    emission, gloss, sharpness = scene.material_table[material].T
    surface = scene.mesh.surface[hits.triangle].astype(np.float32)
    return Surfels(position, normal, surface, albedo, emission, gloss, sharpness)


def _albedo(
    scene: Scene,
    material: Int[np.ndarray, "n"],
    texture_m: Float[np.ndarray, "n 2"],
    footprint_m: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n 3"]:
    """Run each material's texture once, on all of its points."""
    order = np.argsort(material.astype(np.int16), kind="stable")
    used, starts = np.unique(material[order], return_index=True)
    texture_m, footprint_m = texture_m[order], footprint_m[order]
    in_order = np.empty((len(material), 3), np.float32)
    for index, low, high in zip(used, starts, [*starts[1:], len(material)], strict=True):
        texture = scene.mesh.materials[index].texture
        in_order[low:high] = texture(texture_m[low:high], footprint_m[low:high])
    albedo = np.empty_like(in_order)
    albedo[order] = in_order
    return albedo


def light_on_grid(
    scene: Scene,
    lights: list[Light],
    sun: Sun | None,
    visible: Surfels,
    camera: Camera,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Float[np.ndarray, "n 6"]:
    """Irradiance and highlight at every pixel of a grid of `size`, traced on a quarter of them."""
    grid = np.arange(size[0] * size[1]).reshape(size)[::2, ::2]
    coarse = visible.take(grid.ravel())
    to_eye = camera.position.astype(np.float32) - coarse.position
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    sharpness = np.where(coarse.gloss > 0.01, coarse.sharpness, 0)
    points = Points(coarse.position, coarse.normal, to_eye, sharpness)
    leaving = lighting.radiosity(scene, lights, sun, rng)
    light = np.zeros((grid.size, 6), np.float32)
    for lamp in _brightest(lights, coarse.position.mean(axis=0)):
        irradiance, highlight = lighting.direct(scene, lamp, points, _jitter(grid.shape, rng))
        light[:, :3] += irradiance
        light[:, 3:] += highlight
    planes = _planes(coarse, camera).reshape(7, *grid.shape)
    bounce = np.zeros((grid.size, 3), np.float32)
    for _ in range(_BOUNCE_RAYS):
        bounce += lighting.gather(scene, points, leaving, _jitter(grid.shape, rng))
    light_map = np.ascontiguousarray(light.T).reshape(6, *grid.shape)
    bounce_map = np.ascontiguousarray(bounce.T).reshape(3, *grid.shape) / _BOUNCE_RAYS
    light_map[:3] += _smooth(bounce_map, planes, (8, 4))
    light_map = _smooth(light_map, planes, (1, 2, 4))
    if sun is not None:  # its shadows are sharp: smoothed only against stairs
        beams = np.ascontiguousarray(lighting.sunlight(scene, sun, points).T)
        light_map[:3] += _smooth(beams.reshape(3, *grid.shape), planes, (1,))
    return _to_full_grid(light_map, planes, _planes(visible, camera).reshape(7, *size))


def _brightest(lights: list[Light], place: Float[np.ndarray, "3"]) -> list[Light]:
    def strength(light: Light) -> float:
        return float(light.power.sum() / (((light.centre - place) ** 2).sum() + 0.5))

    return sorted(lights, key=strength, reverse=True)[:_BRIGHTEST]


def _planes(points: Surfels, camera: Camera) -> Float[np.ndarray, "7 n"]:
    """What smoothing compares: position from the camera, normal, surface id."""
    offset = points.position - camera.position.astype(np.float32)
    columns = np.concatenate([offset, points.normal, points.surface[:, None]], axis=1)
    return np.ascontiguousarray(columns.T)


def _jitter(shape: tuple[int, int], rng: np.random.Generator) -> Float[np.ndarray, "n 2"]:
    """Stratified over tiles of 8x8 pixels, so that smoothing averages an even set of samples."""
    rows, columns = (np.arange(n) % _TILE for n in shape)
    cell = rng.permutation(_TILE * _TILE).reshape(_TILE, _TILE)[np.ix_(rows, columns)]
    strata = np.stack([cell // _TILE, cell % _TILE], axis=-1).astype(np.float32)
    strata += rng.random((*shape, 2), np.float32)
    return strata.reshape(-1, 2) / np.float32(_TILE)


def _likeness(
    here: Float[np.ndarray, "7 a b"], there: Float[np.ndarray, "7 a b"]
) -> Float[np.ndarray, "a b"]:
    """1 where two points face alike and lie in one plane, falling to 0.

    Points of one surface keep a rest of likeness, so that thin and curved things are smoothed too.
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
    """Passes over 3x3 neighbours at growing distances (an a-trous bilateral filter).

    Binomial weights (centre 4, sides 2, corners 1): passes at 1, 2 and 4 cancel exactly what
    repeats every 2, 4 and 8 pixels, which is the pattern of `_jitter`.
    """
    for step in steps:
        total, weight = 4 * light, np.full(light.shape[1:], 4, np.float32)
        for dy, dx, share in ((0, step, 2), (step, 0, 2), (step, step, 1), (step, -step, 1)):
            here = np.s_[: -dy or None, max(-dx, 0) : -dx if dx > 0 else None]
            there = np.s_[dy:, max(dx, 0) : dx if dx < 0 else None]
            if min(weight[here].shape) == 0:
                continue
            like = np.float32(share) * _likeness(planes[:, *here], planes[:, *there])
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
) -> Float[np.ndarray, "n 6"]:
    """Each pixel takes light from the one, two or four traced pixels beside it that look alike."""
    full = np.empty((6, *fine.shape[1:]), np.float32)
    trust = np.ones(fine.shape[1:], np.float32)
    grow = ((0, 0), (0, 1), (0, 1))  # the last row and column have no neighbour beyond
    near_light, near = np.pad(light, grow, mode="edge"), np.pad(coarse, grow, mode="edge")
    full[:, ::2, ::2] = light
    for row, column in ((0, 1), (1, 0), (1, 1)):
        here = np.ascontiguousarray(fine[:, row::2, column::2])
        rows, columns = here.shape[1:]
        total = np.zeros((6, rows, columns), np.float32)
        weight = np.full((rows, columns), 1e-6, np.float32)
        for a in range(row + 1):
            for b in range(column + 1):
                at = np.s_[:, a : a + rows, b : b + columns]
                like = _likeness(here, near[at])
                total += like * near_light[at]
                weight += like
        full[:, row::2, column::2] = total / weight
        trust[row::2, column::2] = weight
    light_of = np.ascontiguousarray(full.reshape(6, -1).T)
    _adopt_orphans(light_of, np.flatnonzero(trust < 0.02), light, coarse, fine)
    return light_of


def _adopt_orphans(
    light_of: Float[np.ndarray, "n 6"],
    orphans: Int[np.ndarray, "m"],
    light: Float[np.ndarray, "6 h w"],
    coarse: Float[np.ndarray, "7 h w"],
    fine: Float[np.ndarray, "7 hf wf"],
) -> None:
    """Pixels unlike all traced pixels beside them look further for their own surface, in place."""
    rows, columns = np.divmod(orphans, fine.shape[2])
    here = fine.reshape(7, -1)[:, orphans]
    total = np.zeros((6, len(orphans)), np.float32)
    weight = np.zeros(len(orphans), np.float32)
    for dr in (-1, 0, 1, 2):
        for dc in (-1, 0, 1, 2):
            r = np.clip(rows // 2 + dr, 0, light.shape[1] - 1)
            c = np.clip(columns // 2 + dc, 0, light.shape[2] - 1)
            there = coarse[:, r, c]
            like = (there[6] == here[6]) * np.float32(1.0) + np.float32(1e-4)
            like *= np.maximum((there[3:6] * here[3:6]).sum(axis=0), 0.05)
            total += like * light[:, r, c]
            weight += like
    light_of[orphans] = (total / weight).T
