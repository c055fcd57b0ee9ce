"""Furnishing: the pieces of each kind of room, and their places."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from spd.data.rooms import furniture, palette, patterns, soft
from spd.data.rooms.floor_plan import FloorPlan, Rectangle
from spd.data.rooms.furniture import Piece
from spd.data.rooms.geometry import RoomGeometry
from spd.data.rooms.lighting import Light
from spd.data.rooms.materials import Material, Rng
from spd.data.rooms.openings import build_openings, choose_openings
from spd.data.rooms.shell import Room, Wall, build_shell, make_room
from spd.data.rooms.wall_objects import hang_on_walls

Maker = Callable[[Rng], Piece]


def _low_table(rng: Rng) -> Piece:
    return furniture.table(rng, height=float(rng.uniform(0.36, 0.48)))


def _armchair(rng: Rng) -> Piece:
    return soft.sofa(rng, seats=1)


def _night_table(rng: Rng) -> Piece:
    return furniture.table(rng, height=float(rng.uniform(0.45, 0.58)), round_top=False)


_ALONG_WALLS: dict[str, tuple[Maker, ...]] = {
    "living": (soft.sofa, furniture.cabinet, furniture.bookshelf, _armchair, furniture.cabinet),
    "bedroom": (soft.bed, furniture.cabinet, furniture.desk, furniture.bookshelf),
    "dining": (furniture.cabinet, furniture.bookshelf, furniture.cabinet),
    "office": (furniture.desk, furniture.bookshelf, furniture.desk, furniture.cabinet),
    "kitchen": (soft.kitchen, furniture.cabinet, soft.kitchen),
    "studio": (soft.kitchen, soft.bed, soft.sofa, furniture.desk, furniture.bookshelf),
}
_FREE: dict[str, tuple[Maker, ...]] = {
    "living": (_low_table, _armchair, soft.pouf),
    "bedroom": (_night_table, soft.pouf),
    "dining": (furniture.table,),
    "office": (furniture.table, furniture.chair),
    "kitchen": (furniture.table, furniture.stool),
    "studio": (furniture.table, _low_table),
}
_FILLERS: tuple[Maker, ...] = (
    soft.floor_lamp, soft.floor_plant, soft.bin_or_basket, soft.boxes, soft.pouf,
    soft.toy_or_bag, soft.toy_or_bag, furniture.chair, furniture.stool, furniture.bookshelf,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class FurnishedRoom:
    """A furnished room with its geometry for ray casting and its floor plan."""

    room: Room
    geometry: RoomGeometry
    plan: FloorPlan


@dataclasses.dataclass(slots=True)
class _Furnisher:
    """Places furniture in a room."""

    room: Room
    plan: FloorPlan
    rng: Rng
    standing: list[list[tuple[float, float, float]]]
    """(low, high, height) in metres of the pieces at each wall."""

    def against_wall(self, piece: Piece) -> bool:
        """Try to place a piece with its back to a wall; returns whether it worked."""
        half, gap = piece.width_m / 2, float(self.rng.uniform(0.015, 0.06))
        for _ in range(14):
            index = int(self.rng.integers(len(self.room.walls)))
            wall = self.room.walls[index]
            if wall.length_m < piece.width_m + 0.1:
                continue
            x = float(self.rng.uniform(half + 0.03, wall.length_m - half - 0.03))
            if self.rng.random() < 0.3:  # into the corner
                x = half + 0.04
            if not wall.is_free(x - half, x + half, 0.0, piece.height_m):
                continue
            place = _on_wall(wall, x, gap)
            if self._build(piece, place, wall.yaw):
                self.standing[index].append((x - half, x + half, piece.height_m))
                return True
        return False

    def anywhere(self, piece: Piece, *, margin_m: float = 0.0) -> tuple[float, float, float] | None:
        """Try to place a piece on free floor; returns its (x, y, yaw), or None."""
        for _ in range(12):
            spot = self.plan.random_place(self.rng)
            if spot is None:
                return None
            square = self.room.walls[0].yaw + math.pi / 2 * self.rng.integers(4)
            yaw = float(square + self.rng.normal(0, 0.1) * (self.rng.random() < 0.5))
            if self._build(piece, (float(spot[0]), float(spot[1])), yaw, margin_m=margin_m):
                return float(spot[0]), float(spot[1]), yaw
        return None

    def _build(
        self, piece: Piece, place: tuple[float, float], yaw: float, *, margin_m: float = 0.0
    ) -> bool:
        half = piece.width_m / 2
        area = Rectangle(*place, yaw, (-half, 0.0), (half, piece.depth_m))
        low, high = (-half - margin_m, -margin_m), (half + margin_m, piece.depth_m + margin_m)
        wide = area._replace(low=low, high=high)
        if not self.plan.fits(wide) or not self._below_ceiling(piece, place, yaw):
            return False
        with self.room.mesh.placed(*place, yaw=yaw):
            piece.build(self.room)
        self.plan.take(area, clearance_m=piece.clearance_m)
        return True

    def _below_ceiling(self, piece: Piece, place: tuple[float, float], yaw: float) -> bool:
        corners = [
            _offset(place, yaw, u, v)
            for u in (-piece.width_m / 2, piece.width_m / 2)
            for v in (0.0, piece.depth_m)
        ]
        return min(self.room.ceiling_at(*corner) for corner in corners) > piece.height_m + 0.05

    def chairs_around(self, table: Piece, place: tuple[float, float, float]) -> None:
        """Place chairs at a table's sides, some of them pulled out, some missing."""
        x, y, yaw = place
        make_seed = int(self.rng.integers(2**31))
        per_side = 2 if table.width_m > 1.35 else 1
        sides = [(k, s) for s in (0, 2) for k in range(per_side)]
        sides += [(0, 1), (0, 3)] if self.rng.random() < 0.6 else []
        for k, side in sides:
            if self.rng.random() < 0.15:
                continue
            chair = furniture.chair(np.random.default_rng(make_seed))  # a set: all alike
            along = table.width_m if side % 2 == 0 else table.depth_m
            across = table.depth_m if side % 2 == 0 else table.width_m
            u = (k + 0.5) / per_side - 0.5 if side % 2 == 0 else 0.0
            out = across / 2 + float(self.rng.uniform(-0.12, 0.35)) + 0.15
            turn = yaw + side * math.pi / 2
            centre = (x - table.depth_m / 2 * math.sin(yaw), y + table.depth_m / 2 * math.cos(yaw))
            # The chair faces the table.
            spot = _offset(centre, turn, u * along, -(out + chair.depth_m / 2))
            self._place_chair(chair, spot, turn + float(self.rng.normal(0, 0.15)))

    def _place_chair(self, chair: Piece, spot: tuple[float, float], yaw: float) -> None:
        half = chair.width_m / 2
        area = Rectangle(*spot, yaw, (-half, 0.0), (half, chair.depth_m))
        rear = area._replace(high=(half, chair.depth_m * 0.45))  # the front may be under the table
        if self.plan.fits(rear, allow_reserved=True):
            with self.room.mesh.placed(*spot, yaw=yaw):
                chair.build(self.room)
            self.plan.take(area)


def furnish(rng: Rng) -> FurnishedRoom:
    """Make a random furnished room; only `rng` determines it."""
    room = make_room(rng)
    choose_openings(room, rng)
    build_shell(room, rng)
    build_openings(room, rng)
    furnisher = _Furnisher(room, FloorPlan(room.footprint), rng, [[] for _ in room.walls])
    _keep_openings_clear(furnisher)
    theme = str(rng.choice(list(_ALONG_WALLS)))
    _lay_rug(furnisher)
    _main_pieces(furnisher, theme)
    for _ in range(int(rng.integers(2, 8))):
        piece = _FILLERS[rng.integers(len(_FILLERS))](rng)
        in_the_open = piece.height_m < 1.0 and rng.random() < 0.5
        if in_the_open or not furnisher.against_wall(piece):
            furnisher.anywhere(piece)
    hang_on_walls(room, rng, furnisher.standing)
    _hang_lamps(room, rng)
    _light_the_dark(furnisher)
    return FurnishedRoom(room, RoomGeometry(room.mesh.build()), furnisher.plan)


def _main_pieces(furnisher: _Furnisher, theme: str) -> None:
    rng = furnisher.rng
    area = float(np.ptp(furnisher.room.footprint, axis=0).prod())
    for k, make in enumerate(_ALONG_WALLS[theme]):
        if k < 2 or rng.random() < min(1.0, area / 22):
            furnisher.against_wall(make(rng))
    for make in _FREE[theme]:
        if rng.random() < 0.85:
            piece = make(rng)
            seats = piece.height_m > 0.6 and make is furniture.table
            place = furnisher.anywhere(piece, margin_m=0.45 if seats else 0.15)
            if place is not None and seats:
                furnisher.chairs_around(piece, place)
    if theme == "office":
        furnisher.anywhere(furniture.chair(rng))


def _keep_openings_clear(furnisher: _Furnisher) -> None:
    for wall, standing in zip(furnisher.room.walls, furnisher.standing, strict=True):
        for o in wall.openings:
            middle, half = (o.low + o.high) / 2, (o.high - o.low) / 2
            if o.kind == "window":
                wide = 2 * half * float(furnisher.rng.uniform(0.7, 1.0))
                heated = o.bottom > 0.75 and furnisher.rng.random() < 0.45
                if heated and wall.is_free(middle - half, middle + half, 0.0, 0.5):
                    piece = soft.radiator(furnisher.rng, wide)
                    place = _on_wall(wall, middle, 0.0)
                    if piece.height_m < o.bottom and furnisher._build(piece, place, wall.yaw):
                        standing.append((middle - half, middle + half, piece.height_m))
            else:
                place = _on_wall(wall, 0.0, 0.0)
                furnisher.plan.reserve(Rectangle(*place, wall.yaw, (o.low, 0.0), (o.high, 0.9)))


def _on_wall(wall: Wall, x: float, y: float) -> tuple[float, float]:
    return _offset(wall.start, wall.yaw, x, y)


def _offset(
    start: Sequence[float] | np.ndarray, yaw: float, x: float, y: float
) -> tuple[float, float]:
    """Point (x, y) of a frame at `start` that is turned by `yaw`, in the world."""
    c, s = math.cos(yaw), math.sin(yaw)
    return float(start[0] + c * x - s * y), float(start[1] + s * x + c * y)


def _lay_rug(furnisher: _Furnisher) -> None:
    """Lay a rug in some rooms, where it fits."""
    room, rng = furnisher.room, furnisher.rng
    if rng.random() < 0.45:
        return
    size = (float(rng.uniform(1.2, 2.6)), float(rng.uniform(0.8, 1.9)))
    spot = furnisher.plan.random_place(rng)
    yaw = room.walls[0].yaw + math.pi / 2 * int(rng.integers(2)) + float(rng.normal(0, 0.05))
    if spot is None:
        return
    x, y = float(spot[0]), float(spot[1])
    if not furnisher.plan.fits(Rectangle(x, y, yaw, (0, 0), size)):
        return
    colours = [palette.hue(rng, (0.05, 0.6), (0.2, 0.85)) for _ in range(3)]
    texture = patterns.rug(*colours, size_m=size, salt=int(rng.integers(100)))
    with room.mesh.placed(x, y, yaw=yaw):
        room.mesh.quad((0, 0, 0.01), (size[0], 0, 0), (0, size[1], 0), Material(texture))
        room.mesh.box((0, 0, -0.01), (size[0], size[1], 0.009), Material(texture))


def _hang_lamps(room: Room, rng: Rng) -> None:
    """Hang one or two ceiling lights over the middle of the room."""
    low, high = room.footprint.min(axis=0), room.footprint.max(axis=0)
    count = 1 + int((high - low).max() > 5.0 and rng.random() < 0.6)
    long, floor = int(np.argmax(high - low)), FloorPlan(room.footprint)
    for k in range(count):
        share = np.full(2, 0.5)
        share[long] = (k + 0.5) / count
        spot = low + (high - low) * (share + rng.uniform(-0.06, 0.06, 2))
        x, y = float(spot[0]), float(spot[1])
        if floor.fits(Rectangle(x, y, 0.0, (-0.2, -0.2), (0.2, 0.2))):
            soft.hanging_lamp(room, rng, x, y)


def _light_the_dark(furnisher: _Furnisher) -> None:
    """Add a bare lamp under the ceiling of a dark room, so that no image is black."""
    room = furnisher.room
    if sum(float(light.power.sum()) for light in room.lights) > 0.6:
        return
    places = furnisher.plan.standing_places(0.2)
    x, y = places[furnisher.rng.integers(len(places))] if len(places) else (0.0, 0.0)
    centre = np.array([x, y, room.ceiling_at(float(x), float(y)) - 0.15])
    room.lights.append(Light(centre, np.array([1.2, 1.1, 0.95], np.float32)))
