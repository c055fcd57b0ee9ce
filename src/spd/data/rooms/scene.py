"""Triangles in float64 with an embree tree: which triangle a ray meets, and exactly where.

Embree works in float32, so it only decides WHICH triangle is hit; the distance is then recomputed
from that triangle's plane in float64. `(u, v)` and camera axes as in `spd.geometry`: x right,
y down, z forward; the world is z up.
"""

import dataclasses
import math

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float, Int

from spd.data.rooms.materials import Material, colour, plain
from spd.data.rooms.mesh import Mesh
from spd.data.rooms.triangles import facing_and_double_area
from spd.errors import InputError
from spd.geometry import Intrinsics

# A ray that slips between two triangles is asked again beside itself; in pixels.
_NUDGES_PX = ((1e-3, 7e-4), (-1e-3, 9e-4), (8e-4, -1e-3), (-1e-2, -8e-3), (2e-2, 1e-2))


@dataclasses.dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera in the world."""

    position: Float[np.ndarray, "3"]
    """World metres."""
    axes: Float[np.ndarray, "3 3"]
    """Rows are the camera's x (right), y (down) and z (forward) axes in the world."""
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
    ) -> "Camera":
        """A camera at `position`: yaw from +x towards +y, tilt up positive, roll; radians."""
        cy, sy, ct, st = math.cos(yaw), math.sin(yaw), math.cos(tilt), math.sin(tilt)
        forward = np.array([cy * ct, sy * ct, st])
        right = np.array([sy, -cy, 0.0])
        down = np.cross(forward, right)
        cr, sr = math.cos(roll), math.sin(roll)
        axes = np.stack([cr * right + sr * down, -sr * right + cr * down, forward])
        return cls(np.asarray(position, float), axes, intrinsics)

    def directions(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
        """World directions through `(u, v)`, scaled so that one unit is one metre of camera z."""
        k = self.intrinsics
        inverse = np.array([[1 / k.fx, 0, 0], [0, 1 / k.fy, 0], [-k.cx / k.fx, -k.cy / k.fy, 1]])
        matrix = inverse @ self.axes
        return points @ matrix[:2] + matrix[2]


@dataclasses.dataclass(frozen=True, slots=True)
class Hits:
    """What rays met, one row per ray."""

    rays: Float[np.ndarray, "n 3"]
    """The rays as they were asked, float64."""
    triangle: Int[np.ndarray, "n"]
    """Index of the first triangle, -1 where nothing was met."""
    barycentric: Float[np.ndarray, "2 n"]
    """Weights of the triangle's second and third corner, float32: for shading, not geometry."""


class Scene:
    """A triangle soup that answers rays; `mesh` keeps what shading needs."""

    def __init__(self, mesh: Mesh) -> None:
        corners = _checked(mesh.corners)
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

    @classmethod
    def from_triangles(
        cls,
        corners: Float[np.ndarray, "t 3 3"],
        surface: Int[np.ndarray, "t"] | None = None,
        material: Material | None = None,
    ) -> "Scene":
        """A scene of bare triangles of one material, each its own surface unless ids are given.

        Raises:
            InputError: corners are not finite `[T, 3, 3]`.
        """
        corners = _checked(corners)
        count, facing = len(corners), facing_and_double_area(corners)[0]
        mesh = Mesh(
            corners=corners,
            normals=np.repeat(facing[:, None], 3, axis=1).astype(np.float32),
            texture_m=np.zeros((count, 3, 2), np.float32),
            surface=np.asarray(range(count) if surface is None else surface, np.int32),
            material=np.zeros(count, np.int32),
            materials=(material or Material(plain(colour(0.7, 0.7, 0.7))),),
        )
        return cls(mesh)

    def first_triangle(
        self, origins: Float[np.ndarray, "n 3"], rays: Float[np.ndarray, "n 3"]
    ) -> Int[np.ndarray, "n"]:
        """Index of the first triangle on each ray, -1 for none."""
        return self._embree.run(
            np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(rays, np.float32)
        )

    def occluded(
        self, origins: Float[np.ndarray, "n 3"], segments: Float[np.ndarray, "n 3"]
    ) -> Bool[np.ndarray, "n"]:
        """Whether anything lies between each origin and origin + segment."""
        answer = self._embree.run(
            np.ascontiguousarray(origins, np.float32),
            np.ascontiguousarray(segments, np.float32),
            dists=1.0,
            query="OCCLUDED",
        )
        return np.asarray(answer) >= 0

    def view(self, camera: Camera, points: Float[np.ndarray, "n 2"]) -> Hits:
        """What each `(u, v)` sees; rays that slip through a seam are asked again beside it."""
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

    def _view_once(self, camera: Camera, points: np.ndarray) -> Hits:
        rays = camera.directions(points)
        origins = np.broadcast_to(camera.position.astype(np.float32), rays.shape)
        answer = self._embree.run(np.array(origins), rays.astype(np.float32), output=True)
        return Hits(rays, answer["primID"], np.stack([answer["u"], answer["v"]]))

    def depth(self, camera: Camera, hits: Hits) -> Float[np.ndarray, "n"]:
        """Exact camera z in metres, float64, where each ray meets its triangle's plane.

        NaN where nothing was met.
        """
        above = self.plane_offset - self.plane_normal @ camera.position
        normal = np.take(self.plane_normal, hits.triangle, axis=0)
        slope = sum(normal[:, k] * hits.rays[:, k] for k in range(3))
        with np.errstate(divide="ignore", invalid="ignore"):
            z = above[hits.triangle] / slope
        z[hits.triangle < 0] = np.nan
        return z

    def facing_normal(
        self, camera: Camera, triangle: Int[np.ndarray, "n"]
    ) -> Float[np.ndarray, "n 3"]:
        """Unit plane normals in the camera frame, turned towards the camera, float32."""
        side = np.sign(self.plane_normal @ camera.position - self.plane_offset)
        turned = (self.plane_normal * side[:, None]) @ camera.axes.T
        return turned.astype(np.float32)[triangle]


def _checked(corners: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 3 3"]:
    corners = np.ascontiguousarray(corners, np.float64)
    if corners.ndim != 3 or corners.shape[1:] != (3, 3) or not np.isfinite(corners).all():
        raise InputError(
            f"scene corners must be finite [T, 3, 3] metres, got shape {corners.shape}; "
            "give three corners per triangle and drop broken triangles"
        )
    return corners
