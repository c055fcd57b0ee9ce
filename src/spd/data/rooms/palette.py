"""Random materials for walls, floors, furniture and cloth."""

import colorsys

import numpy as np

from spd.data.rooms import materials as m
from spd.data.rooms import patterns
from spd.data.rooms.materials import RGB, Material, Rng, colour

_WOODS = (
    (0.80, 0.64, 0.44), (0.68, 0.48, 0.30), (0.50, 0.33, 0.20), (0.35, 0.22, 0.14),
    (0.88, 0.78, 0.62), (0.58, 0.44, 0.32), (0.62, 0.36, 0.20), (0.76, 0.70, 0.60),
)  # fmt: skip


def hue(rng: Rng, saturation: tuple[float, float], value: tuple[float, float]) -> RGB:
    """Random colour, more often a warm one, with HSV saturation and value in the given ranges."""
    tone = rng.normal(0.09, 0.06) % 1.0 if rng.random() < 0.5 else rng.random()
    return colour(*colorsys.hsv_to_rgb(tone, rng.uniform(*saturation), rng.uniform(*value)))


def wood_colour(rng: Rng) -> RGB:
    """Colour of a common wood with a slight variation."""
    base = np.array(_WOODS[rng.integers(len(_WOODS))]) * rng.uniform(0.85, 1.1)
    return colour(*np.clip(base, 0.05, 0.95))


def wood_material(rng: Rng, base: RGB | None = None, *, along_u: bool = True) -> Material:
    """Varnished or oiled wood."""
    base = wood_colour(rng) if base is None else base
    grain = m.wood(base, contrast=rng.uniform(0.1, 0.35), along_u=along_u)
    return Material(grain, gloss=rng.uniform(0.0, 0.25), sharpness=rng.uniform(20, 90))


def furniture_body(rng: Rng) -> Material:
    """Wood or painted board for cabinets and tables."""
    if rng.random() < 0.65:
        return wood_material(rng, along_u=bool(rng.random() < 0.35))
    white = rng.random() < 0.5
    base = hue(rng, (0.0, 0.06), (0.82, 0.93)) if white else hue(rng, (0.0, 0.45), (0.12, 0.8))
    return Material(m.plain(base), gloss=rng.uniform(0.03, 0.3), sharpness=rng.uniform(20, 100))


def metal(rng: Rng) -> Material:
    """Bare, white or black metal for legs, handles and lamps."""
    shade = rng.choice([0.08, 0.15, 0.55, 0.7, 0.85])
    return Material(m.plain(colour(shade, shade, shade * 0.98)), gloss=0.5, sharpness=60.0)


def glossy(rng: Rng) -> Material:
    """Ceramic or plastic."""
    base = hue(rng, (0.0, 0.8), (0.2, 0.95))
    return Material(m.plain(base), gloss=rng.uniform(0.15, 0.5), sharpness=rng.uniform(40, 200))


def cloth(rng: Rng, *, patterned: float = 0.3) -> Material:
    """Cloth for upholstery, bedding, cushions and curtains, with the given share of patterns."""
    base = hue(rng, (0.03, 0.55), (0.2, 0.92))
    if rng.random() > patterned:
        return Material(m.fabric(base, depth=rng.uniform(0.05, 0.2)))
    second, third = hue(rng, (0.0, 0.6), (0.2, 0.95)), hue(rng, (0.0, 0.7), (0.1, 0.95))
    kind = rng.integers(3)
    if kind == 0:
        period_m, share = rng.uniform(0.04, 0.16), rng.uniform(0.2, 0.5)
        along_u = bool(rng.random() < 0.5)
        texture = patterns.stripes(base, second, period_m=period_m, share=share, along_u=along_u)
    elif kind == 1:
        texture = patterns.plaid(base, second, third, period_m=rng.uniform(0.08, 0.25))
    else:
        texture = _motif(rng, base, second, rng.uniform(0.06, 0.25), 7)
    return Material(texture)


def _motif(rng: Rng, base: RGB, figure: RGB, period_m: float, petals: int) -> m.Texture:
    count, salt = int(rng.integers(petals)), int(rng.integers(100))
    return patterns.motif(base, figure, period_m=period_m, petals=count, salt=salt)


def wall(rng: Rng) -> Material:
    """Paint in most rooms, else wallpaper, brick, panelling or rough plaster."""
    light = rng.random() < 0.75
    base = hue(rng, (0.0, 0.22), (0.72, 0.95)) if light else hue(rng, (0.1, 0.5), (0.35, 0.8))
    kind = rng.random()
    if kind < 0.58:
        return Material(m.plain(base, mottle=rng.uniform(0.004, 0.03)), gloss=0.02)
    if kind < 0.68:
        return Material(m.fabric(base, depth=rng.uniform(0.04, 0.12), size_m=0.012))
    second = np.clip(base * rng.uniform(0.55, 1.25), 0, 0.9).astype(np.float32)
    if kind < 0.78:
        period = rng.uniform(0.05, 0.4)
        return Material(patterns.stripes(base, second, period_m=period, share=0.5, along_u=False))
    if kind < 0.9:
        return Material(_motif(rng, base, second, rng.uniform(0.12, 0.5), 8))
    if kind < 0.95:
        return brick(rng)
    body = wood_colour(rng)
    return Material(m.planks(body, width_m=0.12, length_m=3.0, contrast=0.2, salt=3))


def brick(rng: Rng) -> Material:
    """A brick wall, red or painted."""
    painted = rng.random() < 0.4
    base = hue(rng, (0.0, 0.1), (0.7, 0.9)) if painted else colour(0.6, 0.33, 0.24)
    grout = base * 0.8 if painted else colour(0.65, 0.62, 0.58)
    salt = int(rng.integers(99))
    return Material(m.tiles(base, base * 0.85, grout, size_m=(0.25, 0.075), salt=salt, brick=True))


def wall_tiles(rng: Rng) -> Material:
    """Glazed tiles behind a kitchen counter."""
    base = hue(rng, (0.0, 0.35), (0.6, 0.95))
    size = float(rng.choice([0.1, 0.15, 0.2]))
    grout, salt = colour(0.7, 0.7, 0.68), int(rng.integers(99))
    texture = m.tiles(base, base, grout, size_m=(size, size), salt=salt, brick=False)
    return Material(texture, gloss=0.3, sharpness=120.0)


def floor(rng: Rng) -> Material:
    """Boards, parquet, tiles, carpet or stone."""
    kind, salt = rng.random(), int(rng.integers(1000))
    if kind < 0.5:
        texture = m.planks(
            wood_colour(rng),
            width_m=rng.uniform(0.07, 0.2),
            length_m=rng.uniform(0.5, 2.0),
            contrast=rng.uniform(0.1, 0.4),
            salt=salt,
        )
        return Material(texture, gloss=rng.uniform(0.05, 0.4), sharpness=rng.uniform(10, 60))
    if kind < 0.72:
        base = hue(rng, (0.0, 0.3), (0.35, 0.85))
        second = base if rng.random() < 0.7 else hue(rng, (0.0, 0.3), (0.15, 0.9))
        size = float(rng.choice([0.2, 0.3, 0.45, 0.6]))
        grout = np.asarray(base * rng.uniform(0.4, 0.9), np.float32)
        texture = m.tiles(base, second, grout, size_m=(size, size), salt=salt, brick=False)
        return Material(texture, gloss=rng.uniform(0.1, 0.5), sharpness=rng.uniform(20, 120))
    if kind < 0.92:
        base = hue(rng, (0.02, 0.4), (0.25, 0.75))
        return Material(m.fabric(base, depth=rng.uniform(0.15, 0.35), size_m=0.01))
    base = hue(rng, (0.0, 0.15), (0.5, 0.9))
    return Material(m.marble(base, base * 0.6), gloss=0.4, sharpness=80.0)


def ceiling(rng: Rng) -> Material:
    """A nearly white ceiling, sometimes of boards or office tiles."""
    base = hue(rng, (0.0, 0.06), (0.85, 0.97))
    kind = rng.random()
    if kind < 0.8:
        return Material(m.plain(base, mottle=0.006))
    if kind < 0.9:
        return Material(m.tiles(base, base, base * 0.6, size_m=(0.6, 0.6), salt=4, brick=False))
    return Material(m.planks(wood_colour(rng), width_m=0.14, length_m=4.0, contrast=0.15, salt=5))
