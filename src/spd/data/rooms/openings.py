"""Doors, windows and passages."""

import math

import numpy as np

from spd.data.rooms import materials as m
from spd.data.rooms import palette, patterns
from spd.data.rooms.lighting import Light, Sun
from spd.data.rooms.materials import Material, Rng, colour
from spd.data.rooms.mesh import MeshBuilder
from spd.data.rooms.shell import Opening, Room, Wall

_PANE_GLOW = 0.7
_DAYLIGHT = 2.2  # light of a pane over its visible brightness, which cameras compress


def choose_openings(room: Room, rng: Rng) -> None:
    """Cut one or two doors and up to four windows into the walls."""
    for _ in range(1 + int(rng.random() < 0.35)):
        kind = "hall" if rng.random() < 0.25 else "door"
        width, height = rng.uniform(0.75, 0.95), rng.uniform(1.98, 2.12)
        recess = rng.uniform(0.9, 2.2) if kind == "hall" else rng.uniform(0.03, 0.12)
        _try_opening(room, rng, width, (0.0, min(height, room.height_m - 0.15)), recess, kind)
    daylight = rng.random() < 0.85
    for _ in range(int(rng.integers(1, 4)) if daylight else 0):
        width, bottom = rng.uniform(0.7, 2.0), rng.uniform(0.55, 1.05)
        bottom = 0.05 if rng.random() < 0.15 else bottom
        top = min(rng.uniform(1.9, 2.4), room.height_m - 0.12)
        _try_opening(room, rng, width, (bottom, top), rng.uniform(0.06, 0.25), "window")


def _try_opening(
    room: Room, rng: Rng, width: float, span: tuple[float, float], recess: float, kind: str
) -> None:
    """Try a few times to place an opening on a wall with enough space."""
    margin = 0.25
    for _ in range(8):
        wall = room.walls[rng.integers(len(room.walls))]
        if wall.length_m < width + 2 * margin:
            continue
        low = float(rng.uniform(margin, wall.length_m - width - margin))
        ends = [wall.at(x) for x in (low, low + width)]
        if min(room.ceiling_at(*end) for end in ends) < span[1] + 0.1:
            continue
        if wall.is_free(low - 0.15, low + width + 0.15):
            wall.openings.append(Opening(low, low + width, *span, recess, kind))
            return


def build_openings(room: Room, rng: Rng) -> None:
    """Fill the openings with doors, passages, and windows with frames, curtains and daylight."""
    sky_power = float(rng.choice([0.25, 1.0, 2.5], p=[0.15, 0.5, 0.35]))
    door_material, frame = palette.furniture_body(rng), palette.furniture_body(rng)
    pane = _pane_material(rng, sky_power)
    dressing = rng.choice(["none", "curtain", "blind"], p=[0.35, 0.5, 0.15])
    curtain = palette.cloth(rng, patterned=0.35)
    for wall in room.walls:
        with wall.frame(room.mesh):
            for opening in wall.openings:
                if opening.kind == "door":
                    _build_door(room, opening, door_material, rng)
                elif opening.kind == "hall":
                    _build_hall(room, opening, rng)
                else:
                    _build_window(room, opening, pane, frame, rng)
                    if dressing == "curtain":
                        _build_curtains(room, wall, opening, curtain, rng)
                    elif dressing == "blind":
                        _build_blind(room.mesh, opening, rng)
    has_window = any(o.kind == "window" for wall in room.walls for o in wall.openings)
    if has_window and sky_power > 0.9 and rng.random() < 0.4:
        room.sun = _make_sun(room, rng, sky_power)


def _pane_material(rng: Rng, power: float) -> Material:
    kind = rng.random()
    if kind < 0.65:
        texture = patterns.outdoors(
            colour(0.85, 0.92, 1.0) * np.float32(rng.uniform(0.8, 1.2)),
            palette.hue(rng, (0.1, 0.4), (0.4, 0.7)),
            colour(0.3, 0.45, 0.22) * np.float32(rng.uniform(0.6, 1.3)),
            horizon_m=rng.uniform(-0.5, 0.6),
            salt=int(rng.integers(100)),
        )
    else:
        texture = m.plain(colour(0.93, 0.97, 1.0), mottle=0.02)
    return Material(texture, gloss=0.0, emission=_PANE_GLOW * power, transmits_sun=True)


def _make_sun(room: Room, rng: Rng, power: float) -> Sun:
    """Make a sun that shines in through one of the windows."""
    walls = [w for w in room.walls if any(o.kind == "window" for o in w.openings)]
    wall = walls[rng.integers(len(walls))]
    outward = wall.yaw - math.pi / 2 + rng.uniform(-0.9, 0.9)
    height = rng.uniform(0.35, 0.9)
    towards = np.array([math.cos(outward), math.sin(outward), math.tan(height)])
    warm = np.array([1.0, 0.9, 0.75], np.float32)
    return Sun(towards / np.linalg.norm(towards), warm * np.float32(power * rng.uniform(1.2, 2.5)))


def _casing(mesh: MeshBuilder, o: Opening, material: Material, width: float, proud: float) -> None:
    """Add boards around an opening that stand `proud` metres out from the wall."""
    left, right = o.low - width, o.high + width
    foot = o.bottom if o.kind != "window" else o.bottom - width
    with mesh.one_surface():
        for x in (left, o.high):
            mesh.box((x, -0.01, foot), (x + width, proud, o.top + width), material)
        mesh.box((left, -0.01, o.top), (right, proud, o.top + width), material)
        if o.kind == "window":
            mesh.box((left, -0.01, foot), (right, proud, o.bottom), material)


def _build_door(room: Room, o: Opening, material: Material, rng: Rng) -> None:
    """Add a door with up to six raised panels, casing and a handle."""
    mesh, back = room.mesh, -o.recess_m
    mesh.box((o.low - 0.01, back - 0.03, -0.01), (o.high + 0.01, back, o.top + 0.01), material)
    columns, rows = ((0, 0), (1, 2), (2, 3), (1, 1))[rng.integers(4)]
    border = 0.11
    for i in range(columns):
        for j in range(rows):
            w, h = (o.high - o.low - border) / columns, (o.top - 2 * border) / rows
            x, z = o.low + border + i * w, border * 1.5 + j * h
            mesh.box((x, back - 0.01, z), (x + w - border, back + 0.012, z + h - border), material)
    x = o.low + 0.07 if rng.random() < 0.5 else o.high - 0.07
    metal, inside = palette.metal(rng), 0.11 if x < (o.low + o.high) / 2 else -0.11
    mesh.tube((x, back - 0.01, 1.03), (x, back + 0.05, 1.03), 0.011, metal, sides=6)
    mesh.tube((x, back + 0.05, 1.03), (x + inside, back + 0.05, 1.03), 0.01, metal, sides=6)
    _casing(mesh, o, room.trim, rng.uniform(0.05, 0.1), 0.018)


def _build_hall(room: Room, o: Opening, rng: Rng) -> None:
    """Add the far end of a short passage, and its light."""
    mesh, corner = room.mesh, (o.high + 0.01, -o.recess_m, -0.01)
    mesh.quad(corner, (o.low - o.high - 0.02, 0, 0), (0, 0, o.top + 0.02), palette.wall(rng))
    _casing(mesh, o, room.trim, rng.uniform(0.05, 0.1), 0.018)
    centre = mesh.to_world(((o.low + o.high) / 2, -o.recess_m * 0.6, o.top - 0.1))
    room.lights.append(Light(centre, np.full(3, rng.uniform(0.03, 0.3), np.float32), 0.05))


def _build_window(room: Room, o: Opening, pane: Material, frame: Material, rng: Rng) -> None:
    """Add a pane with frame, bars, sill and casing, and its daylight."""
    mesh, back, width, height = room.mesh, -o.recess_m, o.high - o.low, o.top - o.bottom
    corner = (o.high + 0.01, back, o.bottom - 0.01)
    mesh.quad(corner, (-width - 0.02, 0, 0), (0, 0, height + 0.02), pane, step_m=0.8)
    bar = rng.uniform(0.035, 0.065)
    with mesh.one_surface():
        for x in np.linspace(o.low, o.high, 2 + int(width > 1.0) + int(width > 1.6)):
            thick = bar * (0.7 if o.low < x < o.high else 1.0)
            mesh.box((x - thick, back - 0.01, o.bottom), (x + thick, back + 0.04, o.top), frame)
        for z in np.linspace(o.bottom, o.top, 2 + int(rng.random() < 0.4)):
            mesh.box((o.low, back - 0.01, z - bar), (o.high, back + 0.039, z + bar), frame)
    if o.bottom > 0.3:
        low, high = (o.low - 0.06, back, o.bottom - 0.03), (o.high + 0.06, 0.06, o.bottom + 0.004)
        mesh.box(low, high, room.trim)
    if rng.random() < 0.6:
        _casing(mesh, o, room.trim, rng.uniform(0.04, 0.09), 0.016)
    glow = pane.mean_colour() * (pane.emission * _DAYLIGHT)
    edges = (-width * 0.45, 0, 0), (0, 0, height * 0.45)
    half_u, half_v = (mesh.to_world(edge) - mesh.to_world((0, 0, 0)) for edge in edges)
    centre = mesh.to_world(((o.low + o.high) / 2, back + 0.06, (o.bottom + o.top) / 2))
    power = glow * np.float32(width * height / math.pi)
    room.lights.append(Light(centre, power, 0.01, half_u, half_v))


def _build_curtains(room: Room, wall: Wall, o: Opening, cloth: Material, rng: Rng) -> None:
    """Add two curtains on a rod."""
    mesh, rod = room.mesh, min(o.top + rng.uniform(0.08, 0.25), room.height_m - 0.06)
    foot = rng.uniform(0.02, 0.1) if rng.random() < 0.6 else max(o.bottom - 0.15, 0.05)
    reach, out = rng.uniform(0.15, 0.35), 0.09
    low, high = max(o.low - reach, 0.03), min(o.high + reach, wall.length_m - 0.03)
    mesh.tube((low, out, rod), (high, out, rod), 0.012, palette.metal(rng), sides=6)
    cover = rng.uniform(0.15, 0.32)
    for start, stop in ((low, low + cover * (high - low)), (high - cover * (high - low), high)):
        folds = max(2, round((stop - start) / rng.uniform(0.08, 0.14)))
        s = np.linspace(0, 1, folds * 6 + 1)
        z = np.linspace(foot, rod, 4)
        x = start + s * (stop - start)
        wave = 0.032 * np.sin(2 * math.pi * folds * s + rng.uniform(0, 6))
        points = np.empty((len(s), len(z), 3))
        points[..., 0] = x[::-1, None]
        points[..., 1] = out + wave[::-1, None] * np.linspace(1.2, 0.7, len(z))
        points[..., 2] = z
        slope = np.gradient(wave, x)[::-1]
        normals = np.stack([-slope, np.ones_like(s), np.zeros_like(s)], -1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        texture = np.stack(np.meshgrid(s * (stop - start) * 1.6, z, indexing="ij"), -1)
        mesh.grid(points, cloth, normals=np.repeat(normals[:, None], len(z), 1), texture_m=texture)


def _build_blind(mesh: MeshBuilder, o: Opening, rng: Rng) -> None:
    """Add a roller or venetian blind, partly lowered."""
    bottom = o.top - (o.top - o.bottom) * rng.uniform(0.15, 0.7)
    base = palette.hue(rng, (0.0, 0.2), (0.7, 0.95))
    slatted = rng.random() < 0.5
    texture = patterns.blind(base, slat_m=0.03) if slatted else m.fabric(base, depth=0.06)
    material = Material(texture, emission=0.25)
    mesh.box((o.low + 0.02, -0.03, bottom), (o.high - 0.02, -0.018, o.top - 0.01), material)
    mesh.box((o.low + 0.01, -0.045, o.top - 0.05), (o.high - 0.01, -0.005, o.top), material)
