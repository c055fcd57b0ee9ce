"""Hard furniture at real size: tables, chairs, desks, shelves, cabinets.

The frame of a piece has x centred, y from 0 (its back, at the wall) to its depth, and z up.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from spd.data.rooms import clutter, palette
from spd.data.rooms.materials import Material, Rng
from spd.data.rooms.mesh import MeshBuilder
from spd.data.rooms.shell import Room


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A piece of furniture before it is placed; sizes in metres."""

    width_m: float
    depth_m: float
    height_m: float
    build: Callable[[Room], None]
    clearance_m: float = 0.1
    """Depth of free floor to keep in front of it."""


def table(rng: Rng, *, height: float | None = None, round_top: bool | None = None) -> Piece:
    """A dining, work or side table, 0.72 to 0.76 m high by default."""
    low = height is not None and height < 0.6
    height = float(rng.uniform(0.72, 0.76)) if height is None else height
    is_round = bool(rng.random() < 0.25) if round_top is None else round_top
    width = float(rng.uniform(0.7, 1.2) if is_round or low else rng.uniform(1.0, 2.0))
    depth = width if is_round else float(rng.uniform(0.45, 0.7) if low else rng.uniform(0.65, 0.95))
    top, leg = palette.furniture_body(rng), palette.furniture_body(rng)
    leg = top if rng.random() < 0.6 else leg
    things = int(rng.integers(0, 6))

    def build(room: Room) -> None:
        if is_round:
            _round_table(room.mesh, width, height, top, leg, rng)
            inset = width * 0.15
        else:
            _four_legs(room.mesh, (width, depth, height), top, leg, rng)
            inset = 0.02
        low_corner, high_corner = (-width / 2 + inset, inset), (width / 2 - inset, depth - inset)
        clutter.scatter(room, rng, low_corner, high_corner, height, things)

    return Piece(width, depth, height, build, clearance_m=0.25)


def _four_legs(
    mesh: MeshBuilder, size_m: tuple[float, float, float], top: Material, leg: Material, rng: Rng
) -> None:
    width, depth, height = size_m
    thick, foot, splay = rng.uniform(0.018, 0.045), rng.uniform(0.03, 0.075), rng.uniform(0, 0.05)
    splay = splay if rng.random() < 0.4 else 0.0
    mesh.box((-width / 2, 0, height - thick), (width / 2, depth, height), top)
    inset = foot / 2 + rng.uniform(0.005, 0.06)
    xs, ys = (-width / 2 + inset, width / 2 - inset), (inset, depth - inset)
    for x, sx in zip(xs, (-1, 1), strict=True):
        for y, sy in zip(ys, (-1, 1), strict=True):
            end = (x + sx * splay, y + sy * splay, 0)
            mesh.beam((x, y, height - thick), end, foot, leg, taper=0.7)
    if rng.random() < 0.6:  # apron below the top
        z0, z1 = height - thick - rng.uniform(0.05, 0.1), height - thick
        with mesh.one_surface():
            for y in ys:
                mesh.box((xs[0], y - 0.01, z0), (xs[1], y + 0.01, z1), leg)
            for x in xs:
                mesh.box((x - 0.01, ys[0], z0), (x + 0.01, ys[1], z1), leg)


def _round_table(
    mesh: MeshBuilder, width: float, height: float, top: Material, leg: Material, rng: Rng
) -> None:
    r, thick = width / 2, rng.uniform(0.02, 0.04)
    plate = [(0.0, height - thick), (r, height - thick), (r, height), (0.0, height)]
    mesh.lathe(plate, top, centre=(0, r), sides=32)
    if rng.random() < 0.5:
        foot = [(0.5 * r, 0.0), (0.5 * r, 0.02), (0.05, 0.06), (0.04, height - thick)]
        mesh.lathe(foot, leg, centre=(0, r), sides=20)
        return
    for k in range(4):
        angle = math.pi / 4 + k * math.pi / 2
        x, y = math.cos(angle), math.sin(angle)
        start = (0.6 * r * x, r + 0.6 * r * y, height - thick)
        mesh.tube(start, (0.75 * r * x, r + 0.75 * r * y, 0), rng.uniform(0.015, 0.03), leg)


def chair(rng: Rng) -> Piece:
    """A dining chair that faces +y: seat at 0.43 to 0.47 m, back up to 0.78 to 1.0 m."""
    width, depth = float(rng.uniform(0.4, 0.48)), float(rng.uniform(0.42, 0.5))
    seat, back = float(rng.uniform(0.43, 0.47)), float(rng.uniform(0.78, 1.0))
    frame = palette.wood_material(rng) if rng.random() < 0.7 else palette.metal(rng)
    cover = palette.cloth(rng) if rng.random() < 0.5 else frame
    style = int(rng.integers(3))
    leg = float(rng.uniform(0.022, 0.042))

    def build(room: Room) -> None:
        mesh, half = room.mesh, width / 2 - leg / 2
        for x in (-half, half):
            mesh.beam((x, depth - leg, seat), (x, depth - leg * 0.6, 0), leg, frame, taper=0.8)
            mesh.beam((x, leg, seat), (x, leg * 0.2, 0), leg, frame, taper=0.8)
            mesh.beam((x, leg, seat - 0.03), (x, -0.03, back), leg, frame, taper=0.85)
        if cover is frame:
            mesh.box((-width / 2, 0, seat - 0.02), (width / 2, depth, seat), frame)
        else:
            mesh.box((-width / 2, 0, seat - 0.05), (width / 2, depth, seat - 0.025), frame)
            mesh.cushion((-width / 2, 0, seat - 0.04), (width / 2, depth, seat + 0.02), cover)
        build_back(mesh, half)

    def build_back(mesh: MeshBuilder, half: float) -> None:
        def lean(z: float) -> float:  # the posts lean back with height
            return 0.03 - 0.06 * (z - seat) / (back - seat)

        if style == 0:  # slats across
            for z in np.linspace(seat + 0.18, back - 0.06, 3):
                low, high = (-half, lean(z) - 0.01, z - 0.025), (half, lean(z) + 0.008, z + 0.035)
                mesh.box(low, high, frame)
        elif style == 1:  # bars upright under a top rail
            low, high = (-half, lean(back) - 0.01, back - 0.07), (half, lean(back) + 0.012, back)
            mesh.box(low, high, frame)
            for x in np.linspace(-half, half, 7)[1:-1]:
                start, end = (x, lean(seat), seat), (x, lean(back), back - 0.04)
                mesh.tube(start, end, 0.008, frame, sides=6)
        else:  # a closed back
            low, high = (-half, lean(back) - 0.01, seat + 0.12), (half, 0.035, back)
            mesh.cushion(low, high, cover, roundness=0.2)

    return Piece(width, depth, back, build)


def stool(rng: Rng) -> Piece:
    """A round stool."""
    height, r = float(rng.uniform(0.42, 0.75)), float(rng.uniform(0.15, 0.19))
    frame, top = palette.metal(rng), palette.furniture_body(rng)

    def build(room: Room) -> None:
        plate = [(0.0, height - 0.03), (r, height - 0.03), (r, height), (0.0, height)]
        room.mesh.lathe(plate, top, centre=(0, r), sides=20)
        for k in range(4):
            x, y = math.cos(k * math.pi / 2 + 0.8), math.sin(k * math.pi / 2 + 0.8)
            start = (0.7 * r * x, r + 0.7 * r * y, height - 0.02)
            room.mesh.tube(start, (r * x, r + r * y, 0), 0.012, frame, sides=6)

    return Piece(2 * r, 2 * r, height, build)


def desk(rng: Rng) -> Piece:
    """A desk with a monitor or laptop and a block of drawers."""
    width, depth = float(rng.uniform(1.0, 1.6)), float(rng.uniform(0.55, 0.8))
    height = float(rng.uniform(0.72, 0.76))
    top, body = palette.furniture_body(rng), palette.furniture_body(rng)

    def build(room: Room) -> None:
        _four_legs(room.mesh, (width, depth, height), top, body, rng)
        if rng.random() < 0.6:
            with room.mesh.placed(x=width / 2 - 0.27, y=0.03):
                fronts(room, 0.4, depth - 0.08, height - 0.15, body, (1, 3), rng, foot=0.04)
        with room.mesh.placed(x=rng.uniform(-0.2, 0.1), y=depth * 0.4, z=height):
            (clutter.monitor if rng.random() < 0.6 else clutter.laptop)(room, rng)
        clutter.scatter(room, rng, (0.35, 0.05), (width / 2, depth - 0.05), height, 3)
        clutter.scatter(room, rng, (-width / 2, 0.05), (-0.4, depth - 0.05), height, 2)

    return Piece(width, depth, height, build, clearance_m=0.6)


def fronts(
    room: Room,
    width: float,
    depth: float,
    height: float,
    body: Material,
    grid: tuple[int, int],
    rng: Rng,
    *,
    foot: float = 0.08,
    face: Material | None = None,
) -> None:
    """Build a closed case with a grid of (columns, rows) doors or drawers and their handles."""
    mesh, (columns, rows) = room.mesh, grid
    face = body if face is None else face
    mesh.box((-width / 2, 0, foot), (width / 2, depth, height), body)
    mesh.box((-width / 2 + 0.03, 0.02, 0), (width / 2 - 0.03, depth - 0.05, foot), body)
    handle, knob = palette.metal(rng), rng.random() < 0.5
    gap, w, h = 0.006, (width - 0.02) / columns, (height - foot - 0.03) / rows
    for i in range(columns):
        for j in range(rows):
            x, z = -width / 2 + 0.01 + i * w, foot + 0.01 + j * h
            mesh.box(
                (x + gap, depth - 0.01, z + gap), (x + w - gap, depth + 0.016, z + h - gap), face
            )
            tall = h > 1.2 * w
            hx = x + w / 2 if not tall else x + (w - 0.05 if i % 2 == 0 else 0.05)
            hz = z + h / 2 if not tall or height > 1.2 else z + h - 0.08
            low, high = (hx - 0.015, depth, hz - 0.015), (hx + 0.015, depth + 0.045, hz + 0.015)
            if not knob and tall:
                low, high = (hx - 0.007, depth, hz - 0.09), (hx + 0.007, depth + 0.04, hz + 0.05)
            elif not knob:
                low, high = (hx - 0.07, depth, hz - 0.007), (hx + 0.07, depth + 0.04, hz + 0.007)
            mesh.box(low, high, handle)


def cabinet(rng: Rng) -> Piece:
    """A sideboard, chest of drawers, or wardrobe."""
    kind = rng.random()
    if kind < 0.4:
        width, depth, height = rng.uniform(1.2, 2.0), rng.uniform(0.38, 0.5), rng.uniform(0.6, 0.9)
        grid = (int(rng.integers(2, 5)), int(rng.integers(1, 3)))
    elif kind < 0.7:
        width, depth, height = rng.uniform(0.6, 1.1), rng.uniform(0.4, 0.5), rng.uniform(0.75, 1.2)
        grid = (int(rng.integers(1, 3)), int(rng.integers(3, 6)))
    else:
        width, depth, height = rng.uniform(0.9, 2.0), rng.uniform(0.55, 0.62), rng.uniform(1.8, 2.2)
        grid = (max(2, round(width / 0.5)), 1)
    body = palette.furniture_body(rng)
    face = body if rng.random() < 0.6 else palette.furniture_body(rng)

    def build(room: Room) -> None:
        fronts(room, width, depth, height, body, grid, rng, face=face)
        if height < 1.4:
            low, high = (-width / 2 + 0.03, 0.05), (width / 2 - 0.03, depth - 0.03)
            clutter.scatter(room, rng, low, high, height, int(rng.integers(0, 6)))

    return Piece(float(width), float(depth), float(height), build, clearance_m=0.5)


def bookshelf(rng: Rng) -> Piece:
    """An open shelf with books and small objects, 0.8 to 2.15 m high."""
    width, depth = float(rng.uniform(0.6, 1.6)), float(rng.uniform(0.26, 0.36))
    height = float(rng.choice([0.85, 1.2, 1.8, 1.95, 2.1]) + rng.uniform(-0.05, 0.05))
    body = palette.furniture_body(rng)
    levels = max(2, round(height / rng.uniform(0.32, 0.42)))
    board = float(rng.uniform(0.016, 0.03))

    def build(room: Room) -> None:
        mesh, headroom = room.mesh, (height - 0.06) / levels - board
        with mesh.one_surface() as surface:
            for x in (-width / 2, width / 2 - board):
                mesh.box((x, 0, 0), (x + board, depth, height), body)
        if rng.random() < 0.75:
            mesh.box((-width / 2, 0, 0.05), (width / 2, 0.008, height), body)
        for k, z in enumerate(np.linspace(0.06, height - board, levels + 1)):
            with mesh.one_surface(surface):
                mesh.box((-width / 2, 0, z), (width / 2, depth - 0.002, z + board), body)
            if k < levels:
                with mesh.placed(z=z + board):
                    _fill_shelf(room, rng, width - 2 * board, depth, headroom)
        low, high = (-width / 2, 0.03), (width / 2, depth - 0.03)
        clutter.scatter(room, rng, low, high, height, 2 if height < 1.9 else 0)

    return Piece(width, depth, height, build, clearance_m=0.4)


def _fill_shelf(room: Room, rng: Rng, width: float, depth: float, headroom: float) -> None:
    half, kind = width / 2, rng.random()
    if kind < 0.6:
        start, stop = -half + rng.uniform(0, 0.3) * width, half - rng.uniform(0, 0.4) * width
        with room.mesh.placed(y=depth - rng.uniform(0.01, 0.06)):
            clutter.book_row(room, rng, start, stop, depth - 0.06, headroom)
    elif kind < 0.92:
        low, high = (-half, 0.03), (half, depth - 0.02)
        clutter.scatter(room, rng, low, high, 0.0, 4, headroom_m=headroom)
