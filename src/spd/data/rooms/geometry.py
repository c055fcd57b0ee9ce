"""Ray casting in a room: which triangle a ray hits, and the exact depth of the hit.

Embree works in float32, so it only finds the triangle; the distance is then recomputed from the
triangle's plane in float64. `(u, v)` and camera axes are those of `spd.pixels`: x right, y down,
z forward. In the world z is up.
"""

import dataclasses
import math

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float, Int

from spd.data.rooms.mesh import Mesh
from spd.data.rooms.triangles import facing_and_double_area
from spd.errors import InputError
from spd.pixels import Intrinsics

# Offsets in pixels at which a ray that slips between two triangles is cast again.
_NUDGES_PX = ((1e-3, 7e-4), (-1e-3, 9e-4), (8e-4, -1e-3), (-1e-2, -8e-3), (2e-2, 1e-2))


@dataclasses.dataclass(frozen=True, slots=True)
class RoomCamera:
    """A pinhole camera with its pose in the world."""

    position: Float[np.ndarray, "3"]
    """Position in the world in metres."""
    axes: Float[np.ndarray, "3 3"]
    """Camera axes in the world: rows x (right), y (down) and z (forward)."""
    intrinsics: Intrinsics

    @classmethod
    def looking(
        cls,
        position: Float[np.ndarray, "3"],
        *,
        yaw: float,
        tilt: float,
        roll: float,
        intrinsics: Intrinsics,
    ) -> "RoomCamera":
        """Make a camera from yaw (from +x towards +y), tilt (up positive) and roll in radians."""
        cy, sy, ct, st = math.cos(yaw), math.sin(yaw), math.cos(tilt), math.sin(tilt)
        forward = np.array([cy * ct, sy * ct, st])
        right = np.array([sy, -cy, 0.0])
        down = np.cross(forward, right)
        cr, sr = math.cos(roll), math.sin(roll)
        axes = np.stack([cr * right + sr * down, -sr * right + cr * down, forward])
        return cls(np.asarray(position, float), axes, intrinsics)

    def directions(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
        """Rays in the world through `(u, v)`, scaled so that one unit is one metre of camera z."""
        k = self.intrinsics
        inverse = np.array([[1 / k.fx, 0, 0], [0, 1 / k.fy, 0], [-k.cx / k.fx, -k.cy / k.fy, 1]])
        matrix = inverse @ self.axes
        return points @ matrix[:2] + matrix[2]


@dataclasses.dataclass(frozen=True, slots=True)
class Hits:
    """First hits of rays, one row per ray."""

    rays: Float[np.ndarray, "n 3"]
    """Directions of the rays, float64."""
    triangle: Int[np.ndarray, "n"]
    """Index of the first triangle, -1 for no hit."""
    barycentric: Float[np.ndarray, "2 n"]
    """Weights of the triangle's second and third corner, float32; only precise enough to shade."""


class RoomGeometry:
    """Triangles of a room in an Embree tree, with tables for shading.

    Raises:
        InputError: if the mesh's corners are not finite `[T, 3, 3]`.
    """

    def __init__(self, mesh: Mesh) -> None:
        corners = np.ascontiguousarray(mesh.corners, np.float64)
        if corners.ndim != 3 or corners.shape[1:] != (3, 3) or not np.isfinite(corners).all():
            raise InputError(
                "room corners must be finite and of shape [T, 3, 3], in metres; got shape "
                f"{corners.shape}; give three corners per triangle and drop degenerate triangles"
            )
        self.mesh = mesh
        self.plane_normal, double_area = facing_and_double_area(corners)
        self.plane_normal32 = self.plane_normal.astype(np.float32)
        self.area_m2 = double_area / 2
        self.plane_offset = np.einsum("ti,ti->t", self.plane_normal, corners[:, 0])
        table = [(m.emission, m.gloss, m.sharpness) for m in mesh.materials]
        self.material_table = np.ascontiguousarray(np.array(table, np.float32).T)
        table5 = np.concatenate([mesh.normals, mesh.texture_m], axis=2)
        self.shading_table = np.ascontiguousarray(table5.transpose(1, 2, 0))
        self._embree = EmbreeScene(robust=True)
        self._tree = TriangleMesh(self._embree, corners.astype(np.float32))

    def first_triangle(
        self, origins: Float[np.ndarray, "n 3"], rays: Float[np.ndarray, "n 3"]
    ) -> Int[np.ndarray, "n"]:
        """Index of the first triangle on each ray, -1 for no hit."""
        return self._embree.run(
            np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(rays, np.float32)
        )

    def occluded(
        self, origins: Float[np.ndarray, "n 3"], segments: Float[np.ndarray, "n 3"]
    ) -> Bool[np.ndarray, "n"]:
        """Whether a triangle lies between each origin and origin + segment."""
        answer = self._embree.run(
            np.ascontiguousarray(origins, np.float32),
            np.ascontiguousarray(segments, np.float32),
            dists=1.0,
            query="OCCLUDED",
        )
        return np.asarray(answer) >= 0

    def view(self, camera: RoomCamera, points: Float[np.ndarray, "n 2"]) -> Hits:
        """First hit at each `(u, v)`; a ray that slips through a seam is cast again beside it."""
        points = np.asarray(points, np.float64)
        hits = self._view_once(camera, points)
        for nudge in _NUDGES_PX:
            missed = np.flatnonzero(hits.triangle < 0)
            if not len(missed):
                break
            again = self._view_once(camera, points[missed] + np.array(nudge))
            hits.triangle[missed] = again.triangle
            hits.barycentric[:, missed] = again.barycentric
        return hits

    def _view_once(self, camera: RoomCamera, points: np.ndarray) -> Hits:
        rays = camera.directions(points)
        origins = np.broadcast_to(camera.position.astype(np.float32), rays.shape)
        answer = self._embree.run(np.array(origins), rays.astype(np.float32), output=True)
        return Hits(rays, answer["primID"], np.stack([answer["u"], answer["v"]]))

    def depth(self, camera: RoomCamera, hits: Hits) -> Float[np.ndarray, "n"]:
        """Exact camera z in metres, float64, where each ray meets its triangle's plane.

        NaN for no hit.
        """
        above = self.plane_offset - self.plane_normal @ camera.position
        normal = np.take(self.plane_normal, hits.triangle, axis=0)
        slope = sum(normal[:, k] * hits.rays[:, k] for k in range(3))
        with np.errstate(divide="ignore", invalid="ignore"):
            z = above[hits.triangle] / slope
        z[hits.triangle < 0] = np.nan
        return z

    def facing_normal(
        self, camera: RoomCamera, triangle: Int[np.ndarray, "n"]
    ) -> Float[np.ndarray, "n 3"]:
        """Unit normals of triangles in the camera frame, facing the camera, float32."""
        side = np.sign(self.plane_normal @ camera.position - self.plane_offset)
        turned = (self.plane_normal * side[:, None]) @ camera.axes.T
        return turned.astype(np.float32)[triangle]
