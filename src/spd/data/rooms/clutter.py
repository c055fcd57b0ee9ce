"""Small objects: books, vases, bowls, plants, boxes, lamps and screens.

Every function builds at the origin of the current frame, standing on z = 0.
"""

import math
from collections.abc import Callable

import numpy as np

from spd.data.rooms import materials as m
from spd.data.rooms import palette, patterns
from spd.data.rooms.lighting import Light
from spd.data.rooms.materials import Material, Rng, colour
from spd.data.rooms.mesh import Point
from spd.data.rooms.shell import Room


def vase(room: Room, rng: Rng) -> None:
    """Build a vase, jar or bottle, 12 to 35 cm high."""
    height, belly = rng.uniform(0.12, 0.35), rng.uniform(0.035, 0.08)
    t = np.linspace(0, 1, 9)
    phase, sway = rng.uniform(0.3, 1.2), rng.uniform(0.2, 0.5)
    radius = belly * (1 - sway + sway * np.sin(math.pi * (t * 1.1 + phase * 0.3)))
    profile = [(0.0, 0.0), *zip(radius, t * height, strict=True), (radius[-1] * 0.8, height)]
    profile.append((radius[-1] * 0.75, height * 0.8))
    room.mesh.lathe(profile, palette.glossy(rng), sides=14)


def bowl(room: Room, rng: Rng) -> None:
    """Build a bowl or plate, sometimes with fruit."""
    radius, height = rng.uniform(0.08, 0.16), rng.uniform(0.015, 0.08)
    profile = [(radius * 0.4, 0.0), (radius * 0.8, height * 0.45), (radius, height)]
    profile += [(radius * 0.94, height), (radius * 0.7, height * 0.45), (0.0, height * 0.2)]
    room.mesh.lathe(profile, palette.glossy(rng), sides=16)
    for k in range(int(rng.integers(0, 4)) if height > 0.04 else 0):
        angle, r = 2.1 * k, rng.uniform(0.03, 0.04)
        x, y = 0.45 * radius * math.cos(angle), 0.45 * radius * math.sin(angle)
        low, high = (x - r, y - r, height * 0.4), (x + r, y + r, height * 0.4 + 2 * r)
        room.mesh.cushion(low, high, palette.glossy(rng), roundness=1.0, rings=5)


def mug(room: Room, rng: Rng) -> None:
    """Build a cup or glass."""
    r, h = rng.uniform(0.03, 0.045), rng.uniform(0.08, 0.13)
    profile = [(0.0, 0.0), (r * 0.9, 0.0), (r, h), (r * 0.9, h), (r * 0.8, h * 0.1), (0.0, h * 0.1)]
    room.mesh.lathe(profile, palette.glossy(rng), sides=12)


def carton(room: Room, rng: Rng) -> None:
    """Build a small box."""
    w, d, h = rng.uniform(0.06, 0.25), rng.uniform(0.05, 0.18), rng.uniform(0.03, 0.22)
    material = palette.glossy(rng) if rng.random() < 0.5 else palette.furniture_body(rng)
    room.mesh.box((-w / 2, -d / 2, 0), (w / 2, d / 2, h), material)


def book_pile(room: Room, rng: Rng) -> None:
    """Build a pile of one to five books."""
    z = 0.0
    for _ in range(int(rng.integers(1, 6))):
        w, d, h = rng.uniform(0.16, 0.26), rng.uniform(0.12, 0.19), rng.uniform(0.015, 0.04)
        with room.mesh.placed(z=z, yaw=rng.uniform(-0.3, 0.3)):
            cover = Material(m.plain(palette.hue(rng, (0.1, 0.8), (0.15, 0.9))), gloss=0.1)
            room.mesh.box((-w / 2, -d / 2, 0), (w / 2, d / 2, h), cover)
        z += h


def laptop(room: Room, rng: Rng) -> None:
    """Build an open laptop that faces +y."""
    shell = Material(m.plain(colour(*[rng.choice([0.2, 0.6, 0.75])] * 3)), gloss=0.2)
    room.mesh.box((-0.17, -0.12, 0), (0.17, 0.12, 0.018), shell)
    up = (0, -rng.uniform(0.04, 0.1), 0.22)
    _lit_panel(room, rng, (0.34, 0.225), (-0.17, -0.12, 0.018), up, shell)


def monitor(room: Room, rng: Rng) -> None:
    """Build a flat monitor on a foot that faces +y."""
    body = Material(m.plain(colour(0.08, 0.08, 0.09)), gloss=0.3)
    room.mesh.box((-0.11, -0.09, 0), (0.11, 0.09, 0.015), body)
    room.mesh.box((-0.025, -0.04, 0), (0.025, -0.01, 0.2), body)
    width = rng.uniform(0.48, 0.65)
    height = 0.6 * width
    _lit_panel(room, rng, (width, height), (-width / 2, 0, 0.1), (0, -0.01, height), body)


def _lit_panel(
    room: Room, rng: Rng, size_m: tuple[float, float], corner: Point, up: Point, body: Material
) -> None:
    """Build a thin case from `corner` along x and `up`, with a screen on its front (+y)."""
    start, along = np.array(corner), np.array([size_m[0], 0, 0])
    back = np.array([0, -0.015, 0])
    for a, b in ((start, start + up), (start + along, start + up + along)):
        room.mesh.beam(a + back / 2, b + back / 2, 0.014, body)
    room.mesh.quad(start + back, along, up, body)
    room.mesh.quad(start + up, along, back, body)
    colours = np.stack([palette.hue(rng, (0.2, 0.8), (0.2, 0.9)) for _ in range(2)])
    lit = rng.random() < 0.6
    face = patterns.screen(size_m, colours, int(rng.integers(100))) if lit else body.texture
    material = Material(face, gloss=0.4, sharpness=300.0, emission=0.6 if lit else 0.0)
    room.mesh.quad(start + along, -along, up, material)


def plant(room: Room, rng: Rng, *, height: float | None = None) -> None:
    """Build a potted plant of `height` metres; None: a random small one."""
    height = float(rng.uniform(0.2, 0.45)) if height is None else height
    pot_r, pot_h = height * rng.uniform(0.12, 0.2), height * rng.uniform(0.22, 0.35)
    profile = [(0.0, 0.0), (pot_r * 0.75, 0.0), (pot_r, pot_h), (pot_r * 0.9, pot_h)]
    room.mesh.lathe([*profile, (0.0, pot_h * 0.9)], palette.glossy(rng), sides=14)
    green = colour(rng.uniform(0.12, 0.35), rng.uniform(0.35, 0.55), rng.uniform(0.1, 0.25))
    leaf = Material(m.fabric(green, depth=0.2, size_m=0.02), gloss=0.1)
    count = int(rng.integers(14, 40))
    for k in range(count):
        turn, rise = 2.4 * k + rng.uniform(0, 0.6), rng.uniform(0.35, 1.0)
        stem_top = pot_h + (height - pot_h) * rise * 0.8
        spread = height * rng.uniform(0.1, 0.35) * (1.2 - 0.5 * rise)
        with room.mesh.placed(z=0, yaw=turn):
            _leaf(room, leaf, stem_top, spread, height * rng.uniform(0.1, 0.2))
    room.mesh.tube((0, 0, pot_h * 0.8), (0, 0, height * 0.8), 0.008 + 0.01 * height, leaf, sides=5)


def _leaf(room: Room, leaf: Material, z: float, spread: float, length: float) -> None:
    """Build a bent leaf that leaves the stem at height `z` along +x."""
    t = np.array([0.0, 0.35, 0.7, 1.0])
    half = length * 0.28 * np.array([0.15, 1.0, 0.8, 0.05])
    centre = np.stack(
        [spread * 0.3 + (spread + length) * t, 0 * t, z + length * (t - 1.3 * t * t)], -1
    )
    side = np.array([0, 1.0, 0.25])
    points = np.stack([centre - half[:, None] * side, centre + half[:, None] * side], axis=1)
    room.mesh.grid(points, leaf)


def table_lamp(room: Room, rng: Rng) -> None:
    """Build a table lamp with a shade, lit with probability 0.6."""
    height, r = rng.uniform(0.35, 0.6), rng.uniform(0.1, 0.17)
    foot = [(0.0, 0.0), (r * 0.6, 0.0), (r * 0.5, 0.02), (0.015, 0.04), (r * 0.35, height * 0.25)]
    room.mesh.lathe([*foot, (0.012, height * 0.5), (0.012, height * 0.8)], palette.glossy(rng))
    lamp_shade(room, rng, height * 0.55, height, r, lit=bool(rng.random() < 0.6))


def lamp_shade(
    room: Room, rng: Rng, low: float, high: float, radius: float, *, lit: bool, power: float = 0.45
) -> None:
    """Build an open lamp shade from z = `low` to `high`, and its light if it is lit."""
    base = palette.hue(rng, (0.05, 0.4), (0.8, 0.97))
    shade = Material(m.fabric(base, depth=0.05), emission=1.6 if lit else 0.0)
    top = radius * rng.uniform(0.55, 1.0)
    profile = [(radius, low), (top, high), (top * 0.97, high), (radius * 0.97, low + 1e-3)]
    room.mesh.lathe(profile, shade, sides=20)
    if lit:
        centre = room.mesh.to_world((0, 0, (low + high) / 2))
        warm = np.array([1.0, 0.82, 0.58], np.float32) * np.float32(power * rng.uniform(0.5, 1.5))
        reach = math.hypot(radius, (high - low) / 2)
        room.lights.append(Light(centre, warm, reach))


SMALL: tuple[tuple[Callable[[Room, Rng], None], float, float], ...] = (
    (vase, 0.18, 0.09), (bowl, 0.15, 0.16), (mug, 0.17, 0.05), (carton, 0.14, 0.14),
    (book_pile, 0.18, 0.15), (plant, 0.1, 0.15), (table_lamp, 0.08, 0.17),
)  # fmt: skip
"""Objects on tables and shelves: builder, probability, radius in metres."""


def scatter(
    room: Room,
    rng: Rng,
    low: tuple[float, float],
    high: tuple[float, float],
    z: float,
    count: int,
    *,
    headroom_m: float = math.inf,
) -> None:
    """Put up to `count` small objects on a rectangle without overlaps."""
    weights = np.array([share for _, share, _ in SMALL])
    taken: list[tuple[float, float, float]] = []
    for _ in range(count):
        build, _, radius = SMALL[rng.choice(len(SMALL), p=weights / weights.sum())]
        if high[0] - low[0] < 2 * radius or high[1] - low[1] < 1.2 * radius:
            continue
        if headroom_m < 0.5 and build in (table_lamp, plant, vase):
            continue
        x = rng.uniform(low[0] + radius, high[0] - radius)
        y = rng.uniform(low[1] + 0.6 * radius, max(high[1] - 0.6 * radius, low[1] + 0.6 * radius))
        if any(math.hypot(x - a, y - b) < radius + c for a, b, c in taken):
            continue
        taken.append((x, y, radius))
        with room.mesh.placed(x, y, z, yaw=rng.uniform(-math.pi, math.pi)):
            build(room, rng)


def book_row(room: Room, rng: Rng, low: float, high: float, depth: float, headroom: float) -> None:
    """Build upright books along x from `low` to at most `high`, spines towards +y at y = 0."""
    x = low
    family = palette.hue(rng, (0.1, 0.7), (0.2, 0.9))
    tallest = min(headroom - 0.02, 0.32)
    shelf_covers = [_cover(rng, family, tallest) for _ in range(5)]
    while True:
        width = rng.uniform(0.018, 0.05)
        if x + width > high:
            return
        tall = tallest * rng.uniform(0.65, 1.0)
        deep = min(depth - 0.01, rng.uniform(0.12, 0.2))
        cover = shelf_covers[rng.integers(len(shelf_covers))]
        room.mesh.box((x, -deep, 0), (x + width - 0.001, 0.0, tall), cover)
        x += width


def _cover(rng: Rng, family: np.ndarray, height: float) -> Material:
    base = family if rng.random() < 0.2 else palette.hue(rng, (0.05, 0.85), (0.12, 0.92))
    label = np.clip(base * rng.choice([0.35, 0.6, 1.7, 2.5]), 0, 0.9).astype(np.float32)
    salt = int(rng.integers(100))
    return Material(patterns.book_spine(base, label, height_m=height, salt=salt), gloss=0.1)
