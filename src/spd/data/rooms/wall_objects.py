"""Objects on walls: pictures, clocks, shelves, televisions, switches."""

import math

import numpy as np

from spd.data.rooms import clutter, palette, patterns
from spd.data.rooms import materials as m
from spd.data.rooms.materials import Material, Rng, colour
from spd.data.rooms.shell import Room, Wall


def hang_on_walls(room: Room, rng: Rng, blocked: list[list[tuple[float, float, float]]]) -> None:
    """Decorate every wall; `blocked` has (low, high, top) of the furniture at each wall."""
    for wall, standing in zip(room.walls, blocked, strict=True):
        with wall.frame(room.mesh):
            for opening in wall.openings:
                if opening.kind != "window" and opening.low > 0.35:
                    _switch(room, rng, opening.low - 0.18, 1.05)
            for _ in range(int(wall.length_m * rng.uniform(0.2, 1.1))):
                _hang_one(room, wall, rng, standing)


def _hang_one(room: Room, wall: Wall, rng: Rng, standing: list[tuple[float, float, float]]) -> None:
    kind = rng.random()
    is_shelf = kind > 0.88
    width = float(rng.uniform(0.5, 1.1) if is_shelf else rng.uniform(0.18, 1.1))
    height = 0.3 if is_shelf else float(width * rng.uniform(0.65, 1.45))
    if wall.length_m < width + 0.3 or height > 1.2:
        return
    x = float(rng.uniform(0.1, wall.length_m - width - 0.1))
    z = float(rng.uniform(1.2, 1.5) if is_shelf else 1.55 - height / 2 + rng.normal(0, 0.12))
    floor_z = max([t for a, b, t in standing if a < x + width and x < b], default=0.0)
    z = max(z, floor_z + 0.12)
    ceiling = min(room.ceiling_at(*wall.at(end)) for end in (x, x + width))
    if z + height > ceiling - 0.1 or not wall.is_free(x - 0.12, x + width + 0.12, z, z + height):
        return
    standing.append((x - 0.05, x + width + 0.05, 9.0))  # nothing else is hung here
    with room.mesh.placed(x=x, z=z):
        if is_shelf:
            _wall_shelf(room, rng, width)
        elif kind > 0.82:
            _clock(room, rng, min(width, 0.4))
        elif kind > 0.74 and width > 0.6:
            _television(room, rng, width)
        else:
            _picture(room, rng, width, height)


def _picture(room: Room, rng: Rng, width: float, height: float) -> None:
    """Add a framed picture with or without mount, or a poster without frame."""
    mesh, framed = room.mesh, rng.random() < 0.8
    frame = palette.furniture_body(rng) if rng.random() < 0.7 else palette.metal(rng)
    border, thick = (rng.uniform(0.015, 0.05), rng.uniform(0.015, 0.03)) if framed else (0.0, 0.004)
    mesh.box((0, -0.005, 0), (width, thick * 0.6, height), frame)
    if framed:
        with mesh.one_surface():
            for x in (0.0, width - border):
                mesh.box((x, 0, 0), (x + border, thick, height), frame)
            for z in (0.0, height - border):
                mesh.box((0, 0, z), (width, thick, z + border), frame)
    inset, front = border, thick * 0.6 + 1e-3
    if framed and rng.random() < 0.45:
        mount = Material(m.plain(colour(0.93, 0.92, 0.89)))
        size = (width - 2 * border, 0, 0), (0, 0, height - 2 * border)
        mesh.quad((width - border, front, border), [-c for c in size[0]], size[1], mount)
        inset, front = border + 0.14 * width, front + 1e-3
    inner = (width - 2 * inset, height - 2 * inset)
    colours = np.stack([palette.hue(rng, (0.05, 0.8), (0.1, 0.95)) for _ in range(5)])
    art = patterns.picture(inner, colours, kind=int(rng.integers(3)), salt=int(rng.integers(1, 99)))
    material = Material(art, gloss=0.25 if rng.random() < 0.4 else 0.0, sharpness=200.0)
    mesh.quad((width - inset, front, inset), (-inner[0], 0, 0), (0, 0, inner[1]), material)


def _clock(room: Room, rng: Rng, size: float) -> None:
    """Add a round clock with two hands."""
    mesh, r = room.mesh, size / 2
    rim, face = palette.furniture_body(rng), Material(m.plain(colour(0.93, 0.92, 0.9)))
    hand = Material(m.plain(colour(0.08, 0.08, 0.08)))
    mesh.tube((r, -0.005, r), (r, 0.03, r), r, rim, sides=28)
    mesh.tube((r, 0, r), (r, 0.032, r), r * 0.88, face, sides=28)
    for length in (0.5, 0.75):
        angle = rng.uniform(0, 2 * math.pi)
        x, z = r + length * r * math.cos(angle), r + length * r * math.sin(angle)
        mesh.beam((r, 0.034, r), (x, 0.034, z), 0.008, hand)


def _television(room: Room, rng: Rng, width: float) -> None:
    """Add a flat television, switched on or off."""
    mesh, height = room.mesh, width * 0.57
    body = Material(m.plain(colour(0.05, 0.05, 0.06)), gloss=0.3)
    mesh.box((0, -0.005, 0), (width, 0.05, height), body)
    on = rng.random() < 0.3
    colours = np.stack([palette.hue(rng, (0.2, 0.8), (0.2, 0.9)) for _ in range(5)])
    size = (width - 0.03, height - 0.03)
    art = patterns.picture(size, colours, kind=0, salt=int(rng.integers(1, 99)))
    dark = m.plain(colour(0.06, 0.06, 0.07))
    glass = Material(art if on else dark, gloss=0.6, sharpness=300.0, emission=0.7 if on else 0.0)
    mesh.quad((width - 0.015, 0.051, 0.015), (-size[0], 0, 0), (0, 0, size[1]), glass)


def _wall_shelf(room: Room, rng: Rng, width: float) -> None:
    """Add a board on brackets, with books or small objects."""
    mesh, depth, board = room.mesh, rng.uniform(0.18, 0.26), palette.furniture_body(rng)
    mesh.box((0, -0.005, 0), (width, depth, 0.025), board)
    bracket = palette.metal(rng)
    for x in (0.08, width - 0.08):
        mesh.beam((x, 0.0, -0.13), (x, depth * 0.8, 0.0), 0.015, bracket)
    if rng.random() < 0.5:
        with mesh.placed(y=depth - 0.02, z=0.025):
            clutter.book_row(room, rng, 0.05, width * rng.uniform(0.5, 0.95), depth - 0.03, 0.3)
    else:
        clutter.scatter(room, rng, (0.03, 0.02), (width - 0.03, depth), 0.025, 4, headroom_m=0.6)


def _switch(room: Room, rng: Rng, x: float, z: float) -> None:
    """Add a light switch beside a door."""
    white = Material(m.plain(colour(0.92, 0.92, 0.9)), gloss=0.1)
    room.mesh.box((x, -0.002, z), (x + 0.08, 0.01, z + 0.08), white)
    room.mesh.box((x + 0.02, 0, z + 0.015), (x + 0.06, 0.015, z + 0.065), white)
