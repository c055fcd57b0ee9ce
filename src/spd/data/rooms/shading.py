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


@dataclasses.dataclass(frozen=True, slots=True)
class Surfels:
    """Visible surface points and their material, one row each, float32 but for `position`."""

    position: Float[np.ndarray, "n 3"]
    normal: Float[np.ndarray, "n 3"]
    """Shading normal in the world, towards the camera."""
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
    scene: Scene,
    camera: Camera,
    points: Float[np.ndarray, "n 2"],
    hits: Hits,
    depth: Float[np.ndarray, "n"],
) -> Surfels:
    """Evaluate position, shading normal and material where pixels look."""
    mesh, triangle = scene.mesh, hits.triangle
    rays = camera.directions(points)
    position = camera.position + rays * depth[:, None]
    u, v = hits.barycentric[:, :1], hits.barycentric[:, 1:]
    corner = mesh.normals[triangle]
    normal = corner[:, 0] * (1 - u - v) + corner[:, 1] * u + corner[:, 2] * v
    corner = mesh.texture_m[triangle]
    texture = corner[:, 0] * (1 - u - v) + corner[:, 1] * u + corner[:, 2] * v
    facing = scene.plane_normal[triangle].astype(np.float32)
    rays32 = rays.astype(np.float32)
    slope = np.einsum("ni,ni->n", facing, rays32)
    normal *= -np.sign(slope)[:, None] * np.sign(np.einsum("ni,ni->n", facing, normal))[:, None]
    normal /= np.maximum(np.sqrt(np.einsum("ni,ni->n", normal, normal)), 1e-6)[:, None]
    # A pixel's larger extent on the surface, bounded at grazing angles.
    footprint = depth.astype(np.float32) / np.float32(camera.intrinsics.focal_px)
    length = np.sqrt(np.einsum("ni,ni->n", rays32, rays32))
    footprint /= np.sqrt(np.maximum(np.abs(slope) / length, 0.05))
    return _with_materials(scene, mesh.material[triangle], texture, footprint, position, normal)


def _with_materials(
    scene: Scene,
    material: Int[np.ndarray, "n"],
    texture_m: Float[np.ndarray, "n 2"],
    footprint_m: Float[np.ndarray, "n"],
    position: Float[np.ndarray, "n 3"],
    normal: Float[np.ndarray, "n 3"],
) -> Surfels:
    """Run each material's texture once, on all of its points."""
    table = np.array([(m.emission, m.gloss, m.sharpness) for m in scene.mesh.materials], np.float32)
    order = np.argsort(material.astype(np.int16), kind="stable")
    used, starts = np.unique(material[order], return_index=True)
    texture_m, footprint_m = texture_m[order], footprint_m[order]
    sorted_albedo = np.empty((len(material), 3), np.float32)
    for index, low, high in zip(used, starts, [*starts[1:], len(material)], strict=True):
        texture = scene.mesh.materials[index].texture
        sorted_albedo[low:high] = texture(texture_m[low:high], footprint_m[low:high])
    albedo = np.empty_like(sorted_albedo)
    albedo[order] = sorted_albedo
    emission, gloss, sharpness = table[material].T
    return Surfels(position, normal, albedo, emission, gloss, sharpness)


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
    to_eye = (camera.position - coarse.position).astype(np.float32)
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    sharpness = np.where(coarse.gloss > 0.01, coarse.sharpness, 0)
    points = Points(coarse.position.astype(np.float32), coarse.normal, to_eye, sharpness)
    leaving = lighting.radiosity(scene, lights, sun, rng)
    light = np.zeros((grid.size, 6), np.float32)
    for lamp in _brightest(lights, coarse.position.mean(axis=0)):
        irradiance, highlight = lighting.direct(scene, lamp, points, _jitter(grid.shape, rng))
        light[:, :3] += irradiance
        light[:, 3:] += highlight
    for _ in range(_BOUNCE_RAYS):
        bounce = lighting.gather(scene, points, leaving, _jitter(grid.shape, rng))
        light[:, :3] += bounce / _BOUNCE_RAYS
    planes = np.ascontiguousarray(
        np.concatenate([points.position - np.float32(camera.position), points.normal], axis=1).T
    ).reshape(6, *grid.shape)
    light = _smooth(np.ascontiguousarray(light.T).reshape(6, *grid.shape), planes)
    if sun is not None:  # sharp shadows: added after smoothing
        light[:3] += lighting.sunlight(scene, sun, points).T.reshape(3, *grid.shape)
    return _to_full_grid(light, planes, visible, camera, size)


def _brightest(lights: list[Light], place: Float[np.ndarray, "3"]) -> list[Light]:
    def strength(light: Light) -> float:
        return float(light.power.sum() / (((light.centre - place) ** 2).sum() + 0.5))

    return sorted(lights, key=strength, reverse=True)[:_BRIGHTEST]


def _jitter(shape: tuple[int, int], rng: np.random.Generator) -> Float[np.ndarray, "n 2"]:
    """Stratified over 4x4 tiles of pixels, so that smoothing averages an even set of samples."""
    rows, columns = np.meshgrid(*(np.arange(n) % 4 for n in shape), indexing="ij")
    order = rng.permutation(16).reshape(4, 4)
    cell = order[rows, columns]
    offset = rng.random((*shape, 2), np.float32)
    strata = np.stack([cell // 4, cell % 4], axis=-1)
    return ((strata + offset) / np.float32(4)).reshape(-1, 2)


def _likeness(
    planes_a: Float[np.ndarray, "6 a b"], planes_b: Float[np.ndarray, "6 a b"]
) -> Float[np.ndarray, "a b"]:
    """1 where two points face alike and lie in one plane, falling to 0."""
    (xa, ya, za, na0, na1, na2), (xb, yb, zb, nb0, nb1, nb2) = planes_a, planes_b
    alike = na0 * nb0 + na1 * nb1 + na2 * nb2
    alike = np.maximum(alike, 0) ** 2
    alike *= alike
    dx, dy, dz = xb - xa, yb - ya, zb - za
    apart = np.abs(dx * na0 + dy * na1 + dz * na2) + np.abs(dx * nb0 + dy * nb1 + dz * nb2)
    return alike * alike * np.maximum(1 - apart * 20, 0)


def _smooth(
    light: Float[np.ndarray, "c h w"], planes: Float[np.ndarray, "6 h w"]
) -> Float[np.ndarray, "c h w"]:
    """Three passes over 3x3 neighbours at distances 1, 2 and 4 (an a-trous bilateral filter)."""
    for step in (1, 2, 4):
        total, weight = light.copy(), np.ones(light.shape[1:], np.float32)
        for dy, dx in ((0, step), (step, 0), (step, step), (step, -step)):
            here = np.s_[: -dy or None, max(-dx, 0) : -dx if dx > 0 else None]
            there = np.s_[dy:, max(dx, 0) : dx if dx < 0 else None]
            if min(weight[here].shape) == 0:
                continue
            like = _likeness(planes[:, *here], planes[:, *there])
            total[:, *here] += like * light[:, *there]
            total[:, *there] += like * light[:, *here]
            weight[here] += like
            weight[there] += like
        light = total / weight
    return light


def _to_full_grid(
    light: Float[np.ndarray, "6 h w"],
    planes: Float[np.ndarray, "6 h w"],
    visible: Surfels,
    camera: Camera,
    size: tuple[int, int],
) -> Float[np.ndarray, "n 6"]:
    """Each pixel takes light from the one, two or four traced pixels beside it that look alike."""
    full = np.empty((6, *size), np.float32)
    offset = (visible.position - camera.position).astype(np.float32)
    fine = np.concatenate([offset.T, visible.normal.T]).reshape(6, *size)
    last = light.shape[1] - 1, light.shape[2] - 1
    for row in (0, 1):
        for column in (0, 1):
            here = fine[:, row::2, column::2]
            rows, columns = np.arange(here.shape[1]), np.arange(here.shape[2])
            total = np.zeros_like(here)
            weight = np.zeros(here.shape[1:], np.float32)
            for a in range(row + 1):
                for b in range(column + 1):
                    at = np.ix_(np.minimum(rows + a, last[0]), np.minimum(columns + b, last[1]))
                    like = _likeness(here, planes[:, *at]) + np.float32(1e-4)
                    total += like * light[:, *at]
                    weight += like
            full[:, row::2, column::2] = total / weight
    return np.ascontiguousarray(full.reshape(6, -1).T)
