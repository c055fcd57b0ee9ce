"""The room without furniture: footprint, walls with openings, floor, ceiling, skirting, beams.

The footprint is a counter-clockwise polygon, so the room lies left of every wall. A wall's frame
has x along the wall, y into the room and z up. Floor and ceiling extend beyond the walls, and walls
above the ceiling, so that no ray slips through a seam.
"""

import contextlib
import dataclasses
import itertools
import math

import numpy as np
from jaxtyping import Float

from spd.data.rooms import palette
from spd.data.rooms.lighting import Light, Sun
from spd.data.rooms.materials import Material, Rng
from spd.data.rooms.mesh import MeshBuilder

_BEYOND_M = 0.3
_PIECE_M = 0.7  # size of the triangles of walls, floor and ceiling, each lit by itself


@dataclasses.dataclass(slots=True)
class Wall:
    """One straight wall, from `start` to `end` on the floor in metres."""

    start: Float[np.ndarray, "2"]
    end: Float[np.ndarray, "2"]
    material: Material
    openings: list["Opening"] = dataclasses.field(default_factory=list)

    @property
    def length_m(self) -> float:
        """Length in metres."""
        return float(np.linalg.norm(self.end - self.start))

    @property
    def yaw(self) -> float:
        """Direction of the wall's x axis in the world, in radians."""
        along = self.end - self.start
        return math.atan2(along[1], along[0])

    def at(self, x: float) -> Float[np.ndarray, "2"]:
        """Point on the floor at `x` metres along the wall."""
        return self.start + (self.end - self.start) * (x / self.length_m)

    def frame(self, mesh: MeshBuilder) -> contextlib.AbstractContextManager[None]:
        """Context in which primitives are added in the wall's frame."""
        return mesh.placed(float(self.start[0]), float(self.start[1]), yaw=self.yaw)

    def is_free(self, low: float, high: float, bottom: float = 0.0, top: float = 9.0) -> bool:
        """Whether no opening overlaps x in low..high at heights bottom..top, in metres."""
        return all(
            high <= o.low - 0.1 or low >= o.high + 0.1 or top <= o.bottom or bottom >= o.top
            for o in self.openings
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Opening:
    """A rectangular hole in a wall, in metres, closed at `recess_m` behind the wall's face."""

    low: float
    high: float
    bottom: float
    top: float
    recess_m: float
    kind: str
    """`door`, `window` or `hall`."""


@dataclasses.dataclass(slots=True)
class Room:
    """A room under construction."""

    mesh: MeshBuilder
    footprint: Float[np.ndarray, "k 2"]
    height_m: float
    walls: list[Wall]
    floor: Material
    trim: Material
    lights: list[Light] = dataclasses.field(default_factory=list)
    sun: Sun | None = None
    slope: tuple[float, float, float] | None = None
    """Sloped ceiling (a, b, c): z <= a x + b y + c in metres; None: flat."""

    def ceiling_at(self, x: float, y: float) -> float:
        """Height of the ceiling over a point of the floor, in metres."""
        if self.slope is None:
            return self.height_m
        a, b, c = self.slope
        return min(self.height_m, a * x + b * y + c)


def make_room(rng: Rng) -> Room:
    """Make a bare room; openings must be added before `build_shell`."""
    footprint = make_footprint(rng)
    main, accent = palette.wall(rng), palette.wall(rng)
    accented = int(rng.integers(len(footprint))) if rng.random() < 0.3 else -1
    walls = [
        Wall(footprint[i], footprint[(i + 1) % len(footprint)], accent if i == accented else main)
        for i in range(len(footprint))
    ]
    room = Room(
        mesh=MeshBuilder(),
        footprint=footprint,
        height_m=float(rng.uniform(2.3, 3.2)),
        walls=walls,
        floor=palette.floor(rng),
        trim=palette.furniture_body(rng),
    )
    if rng.random() < 0.18:
        room.slope = _attic_slope(rng, footprint)
    return room


def make_footprint(rng: Rng) -> Float[np.ndarray, "k 2"]:
    """Random outline in metres, counter-clockwise: rectangle, L, cut corner, alcove or bay."""
    w, d = float(rng.uniform(2.8, 7.2)), float(rng.uniform(2.6, 5.8))
    if rng.random() < 0.12:
        w = float(rng.uniform(7.0, 9.0))
    kind = rng.random()
    if kind < 0.42 or w < 3.4 or d < 3.2:
        points = [(0, 0), (w, 0), (w, d), (0, d)]
    elif kind < 0.62:
        a, b = w * rng.uniform(0.25, 0.5), d * rng.uniform(0.25, 0.5)
        points = [(0, 0), (w, 0), (w, d - b), (w - a, d - b), (w - a, d), (0, d)]
    elif kind < 0.74:
        c = float(rng.uniform(0.5, 1.3))
        points = [(0, 0), (w, 0), (w, d - c), (w - c, d), (0, d)]
    else:
        out = float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.9))
        a = w * rng.uniform(0.15, 0.4)
        b = a + float(rng.uniform(1.0, 1.8))
        points = [(0, 0), (w, 0), (w, d), (b, d), (b, d + out), (a, d + out), (a, d), (0, d)]
    shape = np.array(points, float)
    if rng.random() < 0.5:  # mirrored, and reversed to stay counter-clockwise
        shape = shape[::-1] * np.array([-1.0, 1.0])
    return shape - (shape.min(axis=0) + shape.max(axis=0)) / 2


def _attic_slope(rng: Rng, footprint: np.ndarray) -> tuple[float, float, float]:
    """Slope of a roof that rises from a low wall at one side of the room."""
    angle = float(rng.choice([0.0, 0.5, 1.0, 1.5])) * math.pi
    direction = np.array([math.cos(angle), math.sin(angle)])
    edge = float((footprint @ direction).min())
    rise, knee = float(rng.uniform(0.5, 1.2)), float(rng.uniform(1.2, 1.9))
    return rise * direction[0], rise * direction[1], knee - rise * edge


def build_shell(room: Room, rng: Rng) -> None:
    """Add floor, ceiling, walls, skirting, and in some rooms mouldings or beams."""
    _build_floor_and_ceiling(room, rng)
    skirting = rng.uniform(0.06, 0.14) if rng.random() < 0.85 else 0.0
    moulding = rng.uniform(0.04, 0.09) if rng.random() < 0.3 and room.slope is None else 0.0
    for index, wall in enumerate(room.walls):
        with wall.frame(room.mesh):
            _build_wall(room, wall, index)
            if skirting:
                _build_skirting(room, wall, skirting)
            if moulding:
                low, high = room.height_m - moulding, room.height_m + 0.01
                end = (wall.length_m, moulding * 0.8, high)
                room.mesh.box((0, -0.01, low), end, room.trim)


def _build_floor_and_ceiling(room: Room, rng: Rng) -> None:
    low = room.footprint.min(axis=0) - _BEYOND_M
    size = room.footprint.max(axis=0) + _BEYOND_M - low
    mesh, top = room.mesh, room.height_m
    along_u, along_v = (size[0], 0, 0), (0, size[1], 0)
    if rng.random() < 0.5:  # boards may run either way
        mesh.quad((*low, 0), along_u, along_v, room.floor, step_m=_PIECE_M)
    else:
        start = (low[0] + size[0], low[1], 0)
        mesh.quad(start, along_v, (-size[0], 0, 0), room.floor, step_m=_PIECE_M)
    ceiling = palette.ceiling(rng)
    mesh.quad((*low, top), along_v, along_u, ceiling, step_m=_PIECE_M)
    if room.slope is not None:
        a, b, c = room.slope
        height = a * low[0] + b * low[1] + c
        along_u, along_v = (size[0], 0, a * size[0]), (0, size[1], b * size[1])
        mesh.quad((*low, height), along_v, along_u, ceiling, step_m=_PIECE_M)
    elif rng.random() < 0.12:
        beam = palette.wood_material(rng)
        for y in np.arange(low[1] + 0.6, low[1] + size[1] - 0.4, rng.uniform(0.7, 1.4)):
            mesh.box((low[0], y, top - 0.16), (low[0] + size[0], y + 0.12, top + 0.02), beam)


def _build_wall(room: Room, wall: Wall, index: int) -> None:
    """Add a wall's face around its openings, the openings' sides, and a strip behind its start.

    At a corner that points into the room, two walls meet edge to edge. The strip stands slightly
    behind that edge and stops rays through the seam.
    """
    mesh, length, top = room.mesh, wall.length_m, room.height_m + 0.05
    sides = (float(side) for o in wall.openings for side in (o.low, o.high))
    heights = (float(height) for o in wall.openings for height in (o.bottom, o.top))
    xs = sorted({-0.02 * _is_convex(room, index), length, *sides})
    zs = sorted({-0.02, top, *heights})
    with mesh.one_surface() as surface:
        for x, z in itertools.product(itertools.pairwise(xs), itertools.pairwise(zs)):
            if not any(
                o.low <= x[0] and x[1] <= o.high and o.bottom <= z[0] and z[1] <= o.top
                for o in wall.openings
            ):
                _wall_piece(mesh, x, z, wall.material)
    for opening in wall.openings:
        _build_reveal(room, wall, opening)
    if not _is_convex(room, index):
        with mesh.one_surface(surface):
            mesh.quad((0.03, -0.01, 0), (-0.06, 0, 0), (0, 0, top), wall.material)


def _is_convex(room: Room, index: int) -> bool:
    """Whether the corner at a wall's start points out of the room, as most do."""
    before, here, after = (room.footprint[(index + k) % len(room.footprint)] for k in (-1, 0, 1))
    a, b = here - before, after - here
    return bool(a[0] * b[1] - a[1] * b[0] > 0)


def _wall_piece(
    mesh: MeshBuilder, x: tuple[float, float], z: tuple[float, float], material: Material
) -> None:
    """Add a rectangle of wall, with texture coordinates of the whole wall."""
    columns = np.linspace(x[1], x[0], max(1, math.ceil((x[1] - x[0]) / _PIECE_M)) + 1)
    rows = np.linspace(z[0], z[1], max(1, math.ceil((z[1] - z[0]) / _PIECE_M)) + 1)
    texture = np.stack(np.meshgrid(columns, rows, indexing="ij"), axis=-1)
    points = np.insert(texture, 1, 0.0, axis=-1)
    mesh.grid(points, material, texture_m=texture)


def _build_reveal(room: Room, wall: Wall, o: Opening) -> None:
    """Add the sides, head and sill of an opening, slightly deeper than its back."""
    depth = o.recess_m + 0.02
    material = wall.material if o.kind != "door" else room.trim
    width, height = o.high - o.low, o.top - o.bottom
    quad = room.mesh.quad
    inward, up, along = (0, -depth, 0), (0, 0, height), (width, 0, 0)
    with room.mesh.one_surface():
        quad((o.low, 0, o.bottom), inward, up, material)
        quad((o.high, 0, o.bottom), up, inward, material)
        quad((o.low, 0, o.top), along, inward, material)
    quad((o.low, 0, o.bottom), inward, along, room.floor if o.kind == "hall" else room.trim)


def _build_skirting(room: Room, wall: Wall, height: float) -> None:
    """Add a board along the foot of the wall, interrupted at openings that reach the floor."""
    gaps = sorted((o.low, o.high) for o in wall.openings if o.bottom < height)
    position = 0.0
    for low, high in [*gaps, (wall.length_m + 0.07, math.inf)]:
        if low - 0.07 > position:
            room.mesh.box((position, -0.01, -0.01), (low - 0.07, 0.014, height), room.trim)
        position = high + 0.07
