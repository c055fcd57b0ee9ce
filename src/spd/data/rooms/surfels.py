"""Position, shading normal and material of the surface points that pixels see."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from spd.data.rooms.geometry import Hits, RoomCamera, RoomGeometry
from spd.data.rooms.lighting import dot


@dataclasses.dataclass(frozen=True, slots=True)
class Surfels:
    """Visible surface points and their material; float32, channels first."""

    position: Float[np.ndarray, "3 n"]
    """Position in the world in metres."""
    normal: Float[np.ndarray, "3 n"]
    """Unit shading normal in the world, facing the camera."""
    surface: Float[np.ndarray, "n"]
    """Surface id as a float, which is exact for small ids."""
    albedo: Float[np.ndarray, "3 n"]
    emission: Float[np.ndarray, "n"]
    gloss: Float[np.ndarray, "n"]
    sharpness: Float[np.ndarray, "n"]

    def radiance(self, light: Float[np.ndarray, "6 n"]) -> Float[np.ndarray, "3 n"]:
        """RGB radiance towards the camera; `light` holds irradiance, then highlight, each RGB."""
        return self.albedo * (light[:3] + self.emission) + self.gloss * light[3:]


def surfels(
    geometry: RoomGeometry, camera: RoomCamera, hits: Hits, depth: Float[np.ndarray, "n"]
) -> Surfels:
    """Evaluate the surface points at the hits of the camera's rays."""
    rays = np.ascontiguousarray(hits.rays.T, np.float32)
    depth32 = depth.astype(np.float32)
    position = rays * depth32 + camera.position.astype(np.float32)[:, None]
    u, v = hits.barycentric
    corners = np.take(geometry.shading_table, hits.triangle, axis=2)  # [3, 5, n]
    mixed = corners[0] * (1 - u - v) + corners[1] * u + corners[2] * v
    normal, texture_m = mixed[:3], mixed[3:]
    facing = np.take(geometry.plane_normal32.T, hits.triangle, axis=1)
    slope = dot(facing, rays)
    turn = -np.sign(slope) * np.sign(dot(facing, normal))
    normal *= turn / np.maximum(np.sqrt(dot(normal, normal)), 1e-6)
    # Size of a pixel on the surface, limited at grazing angles.
    footprint_m = depth32 / np.float32(camera.intrinsics.focal_px)
    footprint_m /= np.sqrt(np.maximum(np.abs(slope) / np.sqrt(dot(rays, rays)), 0.05))
    material = geometry.mesh.material[hits.triangle]
    emission, gloss, sharpness = np.take(geometry.material_table, material, axis=1)
    surface = geometry.mesh.surface[hits.triangle].astype(np.float32)
    albedo = _albedo(geometry, material, texture_m, footprint_m)
    return Surfels(position, normal, surface, albedo, emission, gloss, sharpness)


def _albedo(
    geometry: RoomGeometry,
    material: Int[np.ndarray, "n"],
    texture_m: Float[np.ndarray, "2 n"],
    footprint_m: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "3 n"]:
    """Evaluate each material's texture once, for all of its points."""
    order = np.argsort(material.astype(np.int16), kind="stable")
    used, starts = np.unique(material[order], return_index=True)
    texture_m, footprint_m = np.take(texture_m, order, axis=1), footprint_m[order]
    in_order = np.empty((3, len(material)), np.float32)
    for index, low, high in zip(used, starts, [*starts[1:], len(material)], strict=True):
        texture = geometry.mesh.materials[index].texture
        in_order[:, low:high] = texture(texture_m[:, low:high], footprint_m[low:high])
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return np.take(in_order, back, axis=1)
