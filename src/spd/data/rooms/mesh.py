"""Triangle meshes of room objects: a builder with the primitives of furniture.

The world frame is in metres with z up and the floor at z = 0. Each call of a primitive makes a new
surface id outside `one_surface`: the six faces of a box are one surface, a table's leg and top two.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from spd.data.rooms.materials import Material
from spd.data.rooms.triangles import (
    box_projection,
    column_pairs,
    facing_and_double_area,
    grid_triangles,
    perpendicular,
    signed_power,
    texture_shift,
)

Point = Sequence[float] | Float[np.ndarray, "3"]

_MIN_AREA_M2 = 1e-10
_UNIT_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
# Outward counter-clockwise triangles over `_UNIT_CORNERS` (index = 4x + 2y + z).
_BOX_TRIANGLES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles with normals, texture coordinates, surfaces and materials."""

    corners: Float[np.ndarray, "t 3 3"]
    """World positions in metres, float64."""
    normals: Float[np.ndarray, "t 3 3"]
    """Unit shading normals at the corners, float32; equal ones for a flat triangle."""
    texture_m: Float[np.ndarray, "t 3 2"]
    """Texture coordinates at the corners, in metres along the surface, float32."""
    surface: Int[np.ndarray, "t"]
    """Surface id of each triangle, int32."""
    material: Int[np.ndarray, "t"]
    """Index into `materials` of each triangle, int32."""
    materials: tuple[Material, ...]


class MeshBuilder:
    """Collects primitives in nested frames, each a yaw about z and a shift."""

    def __init__(self) -> None:
        self._local: list[np.ndarray] = []
        self._corners: list[np.ndarray] = []
        self._normals: list[np.ndarray] = []
        self._texture: list[np.ndarray] = []
        self._tags: list[tuple[int, int, int]] = []  # (triangles, surface, material)
        self._materials: dict[int, int] = {}
        self._material_list: list[Material] = []
        self._rotation = np.eye(3)
        self._origin = np.zeros(3)
        self._surfaces = 0
        self._surface: int | None = None

    @contextlib.contextmanager
    def one_surface(self, surface: int | None = None) -> Iterator[int]:
        """Context whose primitives together are one surface: a new one, or an earlier one's id."""
        outer = self._surface
        self._surface = self._new_surface() if surface is None else surface
        try:
            yield self._surface
        finally:
            self._surface = outer

    def _new_surface(self) -> int:
        self._surfaces += 1
        return self._surfaces - 1

    @contextlib.contextmanager
    def placed(
        self, x: float = 0.0, y: float = 0.0, z: float = 0.0, *, yaw: float = 0.0
    ) -> Iterator[None]:
        """Context that adds primitives in a frame at (x, y, z), turned by `yaw` radians."""
        saved = self._rotation, self._origin
        c, s = math.cos(yaw), math.sin(yaw)
        self._origin = saved[1] + saved[0] @ np.array([x, y, z])
        self._rotation = saved[0] @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        try:
            yield
        finally:
            self._rotation, self._origin = saved

    def to_world(self, point: Point) -> Float[np.ndarray, "3"]:
        """Convert a point of the current frame to the world, in metres."""
        return self._origin + self._rotation @ np.asarray(point, float)

    def triangles(
        self,
        corners: Float[np.ndarray, "t 3 3"],
        material: Material,
        *,
        normals: Float[np.ndarray, "t 3 3"] | None = None,
        texture_m: Float[np.ndarray, "t 3 2"] | None = None,
    ) -> None:
        """Add triangles in the current frame; `build` drops degenerate ones.

        Without normals they are flat. Without texture coordinates, each triangle takes them from
        the two axes of the frame that it faces least, like a board cut from the material.
        """
        surface = self._new_surface() if self._surface is None else self._surface
        if texture_m is None:
            texture_m = np.full((len(corners), 3, 2), np.nan)
        if normals is None:
            normals = np.full((len(corners), 3, 3), np.nan)
        self._local.append(corners)
        self._corners.append(corners @ self._rotation.T + self._origin)
        self._normals.append(normals @ self._rotation.T)
        self._texture.append(texture_m)
        self._tags.append((len(corners), surface, self._material_index(material)))

    def _material_index(self, material: Material) -> int:
        key = id(material)
        if key not in self._materials:
            self._materials[key] = len(self._material_list)
            self._material_list.append(material)
        return self._materials[key]

    def box(self, low: Point, high: Point, material: Material) -> None:
        """Add an axis-aligned box, in the current frame, between two corners."""
        lo = np.asarray(low, float)
        corners = lo + _UNIT_CORNERS * (np.asarray(high, float) - lo)
        self.triangles(corners[_BOX_TRIANGLES], material)

    def beam(
        self, start: Point, end: Point, width: float, material: Material, *, taper: float = 1.0
    ) -> None:
        """Add a square bar between two points; its end is `taper` times as thick as its start."""
        a, b = np.asarray(start, float), np.asarray(end, float)
        side, up = perpendicular(b - a)
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2)
        ring = square[:, :1] * side + square[:, 1:] * up
        corners = np.stack([a + ring, b + ring * taper], axis=1)[[0, 3, 1, 2]].reshape(8, 3)
        self.triangles(corners[_BOX_TRIANGLES], material)

    def tube(
        self, start: Point, end: Point, radius: float, material: Material, *, sides: int = 8
    ) -> None:
        """Add a round bar between two points, with smooth normals and closed ends."""
        a, b = np.asarray(start, float), np.asarray(end, float)
        side, up = perpendicular(b - a)
        angle = np.linspace(0, 2 * math.pi, sides + 1)[:, None]
        out = np.cos(angle) * side + np.sin(angle) * up
        grid = np.stack([a + radius * out, b + radius * out], axis=1)
        with self.one_surface():
            self.grid(grid, material, normals=np.stack([out, out], axis=1))
            for centre, ring in ((a, grid[::-1, 0]), (b, grid[:, 1])):
                middle = np.broadcast_to(centre, ring[1:].shape)
                self.triangles(np.stack([middle, ring[:-1], ring[1:]], axis=1), material)

    def quad(
        self,
        origin: Point,
        along_u: Point,
        along_v: Point,
        material: Material,
        *,
        step_m: float = math.inf,
    ) -> None:
        """Add a parallelogram facing `along_u x along_v`, cut into pieces of about `step_m`.

        Its texture starts at `origin`, with u along the first edge, so that pictures fit.
        """
        o, eu, ev = (np.asarray(p, float) for p in (origin, along_u, along_v))
        lengths = float(np.linalg.norm(eu)), float(np.linalg.norm(ev))
        s, t = (np.linspace(0, 1, max(1, math.ceil(size / step_m)) + 1) for size in lengths)
        grid = o + s[:, None, None] * eu + t[None, :, None] * ev
        texture = np.stack(np.meshgrid(s * lengths[0], t * lengths[1], indexing="ij"), axis=-1)
        self.grid(grid, material, texture_m=texture)

    def grid(
        self,
        points: Float[np.ndarray, "*many a b 3"],
        material: Material,
        *,
        normals: Float[np.ndarray, "*many a b 3"] | None = None,
        texture_m: Float[np.ndarray, "*many a b 2"] | None = None,
    ) -> None:
        """Add sheets through grids of points, facing (first axis) x (second axis)."""
        self.triangles(
            grid_triangles(points),
            material,
            normals=None if normals is None else grid_triangles(normals),
            texture_m=None if texture_m is None else grid_triangles(texture_m),
        )

    def lathe(
        self,
        profile: Sequence[tuple[float, float]],
        material: Material,
        *,
        centre: tuple[float, float] = (0.0, 0.0),
        sides: int = 16,
    ) -> None:
        """Add a body of revolution about the vertical axis from (radius, z), bottom to top."""
        r, z = np.array(profile, float).T
        angle = np.linspace(0, 2 * math.pi, sides + 1)
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        points = np.empty((sides + 1, len(r), 3))
        points[..., :2] = np.asarray(centre) + ring[:, None] * r[None, :, None]
        points[..., 2] = z
        dr, dz = np.diff(r), np.diff(z)
        slope = np.stack([dz, -dr], axis=-1)
        slope /= np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-12)
        texture = np.stack(np.meshgrid(angle * r.max(), z, indexing="ij"), axis=-1)
        # Normals are sharp between segments, smooth around; axes (segment, angle, 2 rings).
        normals = np.empty((len(dr), sides + 1, 2, 3))
        normals[..., :2] = (ring * slope[:, None, :1])[:, :, None]
        normals[..., 2] = slope[:, 1, None, None]
        is_disc = (dz == 0)[:, None, None, None]
        texture = np.where(is_disc, column_pairs(points[..., :2]), column_pairs(texture))
        self.grid(column_pairs(points), material, normals=normals, texture_m=texture)

    def cushion(
        self,
        low: Point,
        high: Point,
        material: Material,
        *,
        roundness: float = 0.35,
        rings: int = 7,
    ) -> None:
        """Add a superellipsoid between two corners; roundness 1 is an ellipsoid, near 0 a box."""
        lo, hi = np.asarray(low, float), np.asarray(high, float)
        half = (hi - lo) / 2
        lat, lon = np.meshgrid(
            np.linspace(-math.pi / 2, math.pi / 2, rings + 1),
            np.linspace(0, 2 * math.pi, 2 * rings + 1),
        )
        unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)
        unit[np.abs(unit) < 1e-9] = 0.0
        wave = np.stack([signed_power(np.cos(lat), roundness)] * 2 + [np.ones_like(lat)], -1)
        wave[..., 0] *= signed_power(np.cos(lon), roundness)
        wave[..., 1] *= signed_power(np.sin(lon), roundness)
        wave[..., 2] *= signed_power(np.sin(lat), roundness)
        normals = np.sign(wave) * np.abs(wave) ** (2 / roundness - 1) / half
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
        self.grid(lo + half * (wave + 1), material, normals=normals)

    def build(self) -> Mesh:
        """Make the mesh of all primitives."""
        counts, surface, material = np.array(self._tags, np.int32).T
        corners = np.concatenate(self._corners)
        facing, double_area = facing_and_double_area(corners)
        keep = double_area > 2 * _MIN_AREA_M2
        surface = np.repeat(surface, counts)
        normals, texture = np.concatenate(self._normals), np.concatenate(self._texture)
        normals = np.where(np.isnan(normals), facing[:, None], normals)
        boards = np.flatnonzero(np.isnan(texture[:, 0, 0]))
        local = np.concatenate(self._local)[boards]
        texture[boards] = box_projection(local) + texture_shift(surface[boards])[:, None]
        return Mesh(
            corners=corners[keep],
            normals=normals[keep].astype(np.float32),
            texture_m=texture[keep].astype(np.float32),
            surface=surface[keep],
            material=np.repeat(material, counts)[keep],
            materials=tuple(self._material_list),
        )
