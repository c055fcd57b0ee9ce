"""Upholstered and other pieces: sofas, beds, a kitchen line, lamps, radiators, bins, boxes.

Pieces have the frame of `furniture`: x centred, y from back to front, z up.
"""

import math

import numpy as np

from spd.data.rooms import clutter, palette
from spd.data.rooms import materials as m
from spd.data.rooms.furniture import Piece, fronts
from spd.data.rooms.lighting import Light
from spd.data.rooms.materials import Material, Rng, colour
from spd.data.rooms.shell import Room


def sofa(rng: Rng, *, seats: int | None = None) -> Piece:
    """A sofa of two or three seats, or an armchair (one): seat at 0.40 to 0.46 m."""
    seats = int(rng.integers(2, 4)) if seats is None else seats
    arm = float(rng.uniform(0.1, 0.24))
    width = float(seats * rng.uniform(0.55, 0.7) + 2 * arm)
    depth, seat = float(rng.uniform(0.8, 0.98)), float(rng.uniform(0.4, 0.46))
    back, arm_top = float(rng.uniform(0.72, 0.92)), float(rng.uniform(0.54, 0.66))
    cover = palette.cloth(rng, patterned=0.2)
    soft = float(rng.uniform(0.12, 0.4))
    pillow_cloth = [palette.cloth(rng, patterned=0.7) for _ in range(2)]
    foot = palette.wood_material(rng)

    def build(room: Room) -> None:
        mesh, half = room.mesh, width / 2
        mesh.box((-half + 0.02, 0.03, 0.1), (half - 0.02, depth - 0.03, seat - 0.12), cover)
        for x in (-half + 0.08, half - 0.08):
            for y in (0.1, depth - 0.1):
                mesh.tube((x, y, 0), (x, y, 0.11), 0.022, foot)
        mesh.cushion((-half, 0, 0.1), (half, 0.26, back), cover, roundness=soft * 0.6)
        for x in (-half, half - arm):
            mesh.cushion((x, 0.02, 0.1), (x + arm, depth, arm_top), cover, roundness=soft)
        share = (width - 2 * arm) / seats
        for k in range(seats):
            x = -half + arm + k * share
            low, high = (x, 0.2, seat - 0.15), (x + share, depth - 0.01, seat + 0.02)
            mesh.cushion(low, high, cover, roundness=soft)
            low, high = (x + 0.01, 0.16, seat - 0.02), (x + share - 0.01, 0.38, back + 0.04)
            mesh.cushion(low, high, cover, roundness=soft + 0.1)
        for k in range(int(rng.integers(0, 1 + seats))):
            x = rng.uniform(-half + arm + 0.2, half - arm - 0.2)
            with mesh.placed(x=x, y=0.36, z=seat, yaw=rng.uniform(-0.4, 0.4)):
                size = rng.uniform(0.18, 0.23)
                low, high = (-size, 0, 0.0), (size, 0.15, 2 * size)
                mesh.cushion(low, high, pillow_cloth[k % 2], roundness=0.55)

    return Piece(width, depth, back, build, clearance_m=0.5)


def bed(rng: Rng) -> Piece:
    """A bed 0.9 to 1.8 m wide and 2.0 m long, its lying surface at 0.45 to 0.6 m."""
    width, length = float(rng.choice([0.9, 1.2, 1.4, 1.6, 1.8])), float(rng.uniform(1.98, 2.1))
    top = float(rng.uniform(0.45, 0.6))
    frame = palette.furniture_body(rng) if rng.random() < 0.7 else palette.cloth(rng, patterned=0)
    sheet = Material(m.fabric(palette.hue(rng, (0.0, 0.08), (0.85, 0.95)), depth=0.05))
    duvet, pillow = palette.cloth(rng, patterned=0.5), palette.cloth(rng, patterned=0.3)
    head = float(rng.uniform(0.75, 1.2))

    def build(room: Room) -> None:
        mesh, half = room.mesh, width / 2
        mesh.box((-half - 0.03, 0, 0.0), (half + 0.03, 0.05, head), frame)
        mesh.box((-half - 0.02, 0.04, 0.12), (half + 0.02, length, 0.3), frame)
        for x in (-half + 0.03, half - 0.03):
            mesh.box((x - 0.035, length - 0.09, 0), (x + 0.035, length - 0.02, 0.12), frame)
        low, high = (-half, 0.05, 0.26), (half, length - 0.02, top)
        mesh.cushion(low, high, sheet, roundness=0.12)
        start = rng.uniform(0.35, 0.75)
        low, high = (-half - 0.06, start, top - 0.24), (half + 0.06, length + 0.03, top + 0.07)
        mesh.cushion(low, high, duvet, roundness=0.22, rings=9)
        count = 1 if width < 1.3 else 2
        for k in range(count):
            x = (k - (count - 1) / 2) * 0.7
            with mesh.placed(x=x, y=0.08, z=top - 0.03, yaw=rng.uniform(-0.1, 0.1)):
                mesh.cushion((-0.33, 0.0, 0), (0.33, 0.42, 0.16), pillow, roundness=0.55)
        if rng.random() < 0.4:
            throw = palette.cloth(rng, patterned=0.6)
            low = (-half - 0.075, length - 0.75, top - 0.2)
            high = (half + 0.075, length - 0.25, top + 0.085)
            mesh.cushion(low, high, throw, roundness=0.2, rings=9)

    return Piece(width + 0.15, length + 0.05, head, build, clearance_m=0.5)


def kitchen(rng: Rng) -> Piece:
    """A kitchen line: base units 0.9 m high, tiles, often wall units, sometimes a fridge."""
    length = float(rng.uniform(1.6, 3.4))
    base, face = palette.furniture_body(rng), palette.furniture_body(rng)
    stone = m.marble(palette.hue(rng, (0.0, 0.2), (0.25, 0.85)), colour(0.3, 0.3, 0.3))
    worktop = Material(stone, gloss=0.3, sharpness=80.0)
    fridge = bool(rng.random() < 0.5 and length > 2.2)
    splash = palette.wall_tiles(rng)
    upper = bool(rng.random() < 0.75)

    def build(room: Room) -> None:
        mesh, half = room.mesh, length / 2
        end = half - (0.66 if fridge else 0.0)
        span = end + half
        with mesh.placed(x=-half + span / 2):
            units = max(2, round(span / 0.55))
            fronts(room, span, 0.58, 0.87, base, (units, 1), rng, foot=0.1, face=face)
            mesh.box((-span / 2, 0, 0.87), (span / 2, 0.63, 0.905), worktop)
            mesh.box((-span / 2, 0, 0.905), (span / 2, 0.008, 1.45), splash)
            if upper:
                with mesh.placed(z=1.45):
                    fronts(room, span, 0.34, 0.68, base, (units, 1), rng, foot=0.0, face=face)
            x = rng.uniform(-span / 4, span / 4)
            steel = Material(m.plain(colour(0.55, 0.55, 0.56)), gloss=0.5)
            mesh.box((x - 0.25, 0.1, 0.9), (x + 0.25, 0.5, 0.909), steel)
            mesh.tube((x, 0.1, 0.9), (x, 0.1, 1.18), 0.012, steel)
            mesh.tube((x, 0.1, 1.17), (x, 0.28, 1.14), 0.011, steel)
            clutter.scatter(room, rng, (x + 0.3, 0.05), (span / 2, 0.6), 0.905, 5)
            clutter.scatter(room, rng, (-span / 2, 0.05), (x - 0.3, 0.6), 0.905, 5)
        if fridge:
            with mesh.placed(x=half - 0.32):
                white = Material(m.plain(colour(*[rng.choice([0.9, 0.65, 0.3])] * 3)), gloss=0.3)
                fronts(room, 0.6, 0.62, rng.uniform(1.6, 2.0), white, (1, 2), rng, foot=0.03)

    return Piece(length, 0.65, 2.13 if upper or fridge else 0.95, build, clearance_m=0.7)


def floor_lamp(rng: Rng) -> Piece:
    """A standing lamp 1.4 to 1.8 m high."""
    height, r = float(rng.uniform(1.4, 1.8)), float(rng.uniform(0.14, 0.24))
    metal = palette.metal(rng)

    def build(room: Room) -> None:
        with room.mesh.placed(y=r):
            foot = [(0.0, 0.0), (0.14, 0.0), (0.13, 0.025), (0.012, 0.035), (0.011, height - 0.05)]
            room.mesh.lathe(foot, metal, sides=14)
            lit = bool(rng.random() < 0.6)
            clutter.lamp_shade(room, rng, height - 0.3, height, r, lit=lit, power=0.9)

    return Piece(2 * r, 2 * r, height, build)


def floor_plant(rng: Rng) -> Piece:
    """A potted plant standing on the floor, 0.6 to 1.5 m high."""
    height = float(rng.uniform(0.6, 1.5))

    def build(room: Room) -> None:
        with room.mesh.placed(y=0.25):
            clutter.plant(room, rng, height=height)

    return Piece(0.5, 0.5, height, build)


def bin_or_basket(rng: Rng) -> Piece:
    """A waste bin or laundry basket."""
    r, h = float(rng.uniform(0.11, 0.2)), float(rng.uniform(0.25, 0.55))
    material = palette.glossy(rng)

    def build(room: Room) -> None:
        profile = [(r * 0.8, 0.0), (r, h), (r * 0.96, h), (r * 0.77, 0.02), (0.0, 0.02)]
        room.mesh.lathe(profile, material, centre=(0, r), sides=18)

    return Piece(2 * r, 2 * r, h, build)


def boxes(rng: Rng) -> Piece:
    """One to three cartons, stacked askew."""
    card = Material(m.plain(colour(0.72, 0.56, 0.38), mottle=0.05))
    tape = Material(m.plain(colour(0.8, 0.7, 0.5)), gloss=0.3)
    sizes = [
        rng.uniform((0.3, 0.25, 0.2), (0.55, 0.45, 0.4)) for _ in range(int(rng.integers(1, 4)))
    ]

    def build(room: Room) -> None:
        z = 0.0
        for w, d, h in sizes:
            with room.mesh.placed(y=0.25, z=z, yaw=rng.uniform(-0.25, 0.25)):
                room.mesh.box((-w / 2, -d / 2, 0), (w / 2, d / 2, h), card)
                room.mesh.box(
                    (-w / 2 - 1e-3, -0.025, h * 0.7), (w / 2 + 1e-3, 0.025, h + 1e-3), tape
                )
            z += h

    return Piece(0.62, 0.55, float(sum(size[2] for size in sizes)), build)


def pouf(rng: Rng) -> Piece:
    """A pouf, ball or floor cushion."""
    r, cloth = float(rng.uniform(0.2, 0.32)), palette.cloth(rng, patterned=0.5)
    height = float(rng.uniform(0.3, 0.45))

    def build(room: Room) -> None:
        low, high = (-r, 0, 0), (r, 2 * r, height)
        room.mesh.cushion(low, high, cloth, roundness=float(rng.uniform(0.4, 1.0)), rings=9)

    return Piece(2 * r, 2 * r, height, build)


def toy_or_bag(rng: Rng) -> Piece:
    """An object left on the floor: a bag, a pair of shoes, a ball or books."""
    kind, cloth = int(rng.integers(4)), palette.cloth(rng)

    def build(room: Room) -> None:
        mesh = room.mesh
        with mesh.placed(y=0.2):
            if kind == 0:
                mesh.cushion((-0.16, -0.1, 0), (0.16, 0.1, 0.42), cloth, roundness=0.5)
                mesh.cushion((-0.11, 0.06, 0.04), (0.11, 0.16, 0.24), cloth, roundness=0.4)
            elif kind == 1:
                for x in (-0.08, 0.06):
                    mesh.cushion((x - 0.045, -0.14, 0), (x + 0.045, 0.14, 0.07), cloth, rings=6)
                    mesh.cushion((x - 0.04, -0.14, 0), (x + 0.04, 0.0, 0.11), cloth, rings=6)
            elif kind == 2:
                mesh.cushion((-0.11, -0.11, 0), (0.11, 0.11, 0.22), cloth, roundness=1.0, rings=10)
            else:
                clutter.book_pile(room, rng)

    return Piece(0.4, 0.4, 0.3, build)


def radiator(rng: Rng, width: float) -> Piece:
    """A ribbed radiator from 0.12 m above the floor to 0.55 to 0.72 m."""
    height = float(rng.uniform(0.55, 0.72))
    white = Material(m.plain(colour(0.9, 0.9, 0.88)), gloss=0.15)

    def build(room: Room) -> None:
        with room.mesh.one_surface():
            for x in np.arange(-width / 2, width / 2 - 0.05, 0.06):
                room.mesh.box((x, 0.03, 0.12), (x + 0.045, 0.1, height), white)
            for z in (0.16, height - 0.06):
                room.mesh.box((-width / 2, 0.045, z), (width / 2, 0.085, z + 0.03), white)

    return Piece(width, 0.12, height, build)


def hanging_lamp(room: Room, rng: Rng, x: float, y: float) -> None:
    """Build a ceiling light over (x, y): a pendant, a bowl or a panel, usually lit."""
    top = room.ceiling_at(x, y)
    lit = bool(rng.random() < 0.8) or not room.lights
    warm = np.array([1.0, rng.uniform(0.82, 0.98), rng.uniform(0.6, 0.95)], np.float32)
    power = warm * np.float32(rng.uniform(0.8, 2.2))
    kind = rng.random() if room.slope is None else 1.0
    with room.mesh.placed(x, y, 0, yaw=rng.uniform(0, math.pi)):
        if kind < 0.4:
            r = rng.uniform(0.12, 0.24)
            glass = Material(m.plain(colour(0.95, 0.93, 0.88)), emission=3.0 if lit else 0.0)
            bowl = [(0.0, top - 0.1), (r * 0.7, top - 0.085), (r, top - 0.03), (r, top)]
            room.mesh.lathe(bowl, glass, sides=24)
            reach, z = 0.12, top - 0.16
        elif kind < 0.55:
            glass = Material(m.plain(colour(0.97, 0.97, 0.95)), emission=3.0 if lit else 0.0)
            room.mesh.box((-0.6, -0.15, top - 0.05), (0.6, 0.15, top), glass)
            reach, z = 0.1, top - 0.17
        else:
            drop = min(rng.uniform(0.35, 0.8), top - 1.75)
            wire = palette.metal(rng)
            room.mesh.tube((0, 0, top - drop), (0, 0, top + 0.1), 0.006, wire, sides=5)
            low = top - drop - 0.2
            clutter.lamp_shade(room, rng, low, low + 0.22, rng.uniform(0.15, 0.28), lit=False)
            bulb = Material(m.plain(colour(1.0, 0.93, 0.8)), emission=5.0 if lit else 0.0)
            low_corner, high_corner = (-0.035, -0.035, low + 0.06), (0.035, 0.035, low + 0.13)
            room.mesh.cushion(low_corner, high_corner, bulb, roundness=1.0, rings=6)
            reach, z = 0.07, low + 0.07
        if lit:
            centre = room.mesh.to_world((0, 0, z))
            room.lights.append(Light(centre, power, reach))
