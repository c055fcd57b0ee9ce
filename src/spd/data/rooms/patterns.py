"""Textures that show something: stripes, checks, wallpaper, rugs, pictures, screens, views.

Same contract as in `materials`: surface coordinates in metres in, linear RGB out.
"""

import numpy as np

from spd.data.rooms.materials import RGB, Texture, cell_random, clouds, edge_line, grain


def stripes(first: RGB, second: RGB, *, period_m: float, share: float, along_u: bool) -> Texture:
    """Two-colour stripes, as on wallpaper, cushions and curtains."""
    axis = 1 if along_u else 0

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        line = edge_line(p[:, axis], period_m, share * period_m, footprint_m)[:, None]
        return _woven(first * (1 - line) + second * line, p, footprint_m)

    return texture


def plaid(base: RGB, second: RGB, third: RGB, *, period_m: float) -> Texture:
    """Crossing bands of two colours over a ground."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        wide = edge_line(p[:, 0], period_m, period_m * 0.35, footprint_m)
        wide = 0.4 * (wide + edge_line(p[:, 1], period_m, period_m * 0.35, footprint_m))
        thin = edge_line(p[:, 0] + period_m / 2, period_m, period_m * 0.07, footprint_m)
        thin = np.maximum(
            thin, edge_line(p[:, 1] + period_m / 2, period_m, period_m * 0.07, footprint_m)
        )
        body = base * (1 - wide[:, None]) + second * wide[:, None]
        return _woven(body * (1 - 0.7 * thin[:, None]) + third * 0.7 * thin[:, None], p, footprint_m)

    return texture


def motif(base: RGB, figure: RGB, *, period_m: float, petals: int, salt: int) -> Texture:
    """Wallpaper: a flower-like figure on a staggered lattice."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        q = p / period_m
        q0 = q[:, 0] + 0.5 * (np.floor(q[:, 1]) % 2)
        x, y = q0 % 1.0 - 0.5, q[:, 1] % 1.0 - 0.5
        radius, angle = np.hypot(x, y), np.arctan2(y, x) + salt
        edge = 0.22 + 0.12 * np.cos(petals * angle)
        soft = np.maximum(footprint_m / period_m, 0.02)
        cover = np.clip((edge - radius) / soft + 0.5, 0, 1)[:, None]
        return (base * (1 - cover) + figure * cover).astype(np.float32)

    return texture


def rug(base: RGB, second: RGB, third: RGB, *, size_m: tuple[float, float], salt: int) -> Texture:
    """A rug with its origin in a corner: border bands and, on most, a field of lozenges."""
    width, height = size_m

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        u, v = p[:, 0], p[:, 1]
        inset = np.minimum(np.minimum(u, width - u), np.minimum(v, height - v))
        lozenge = np.abs(u / 0.4 % 1.0 - 0.5) + np.abs(v / 0.4 % 1.0 - 0.5)
        field = (lozenge < (0.28 if salt % 3 else 0.0))[:, None]
        body = np.where(field, second, base)
        if salt % 4 == 1:
            oval = np.hypot((u - width / 2) / width, (v - height / 2) / height) < 0.25
            body = np.where(oval[:, None], third, body)
        band = (inset > 0.06) & (inset < 0.2)
        dash = (np.floor((u + v) / 0.12) % 2 == 0) & band
        body = np.where(band[:, None], third, body)
        body = np.where(dash[:, None], second, body)
        return _woven(body, p, footprint_m, depth=0.25, size_m=0.012)

    return texture


def picture(size_m: tuple[float, float], palette: np.ndarray, *, kind: int, salt: int) -> Texture:
    """A poster or painting, origin bottom left: landscape, blocks, circles, or a portrait."""
    width, height = size_m

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        q = p / np.array([width, height], np.float32)
        x, y = q[:, 0], q[:, 1]
        if kind == 0:
            return _landscape(x, y, palette, salt)
        if kind == 1:
            i, j = np.floor(x * (2 + salt % 3)), np.floor((y + 0.21 * (i_odd(x, salt))) * 3)
            pick = (cell_random(i.astype(int), j.astype(int), salt)[:, 0] * 5).astype(int)
            return palette[pick]
        body = np.broadcast_to(palette[0], (len(p), 3)).copy()
        for k in range(1, 5):
            cx, cy, r = cell_random(np.array([k]), salt, 5)[0]
            aspect = height / width
            inside = np.hypot(x - 0.15 - 0.7 * cx, (y - 0.15 - 0.7 * cy) * aspect) < 0.1 + 0.22 * r
            body[inside] = palette[k]
        return body * (1 + 0.08 * clouds(p, 0.2))[:, None].astype(np.float32)

    return texture


def i_odd(x: np.ndarray, salt: int) -> np.ndarray:
    """1 in every second column of a block picture."""
    return np.floor(x * (2 + salt % 3)) % 2


def _landscape(x: np.ndarray, y: np.ndarray, palette: np.ndarray, salt: int) -> np.ndarray:
    line = np.stack([x * 0.4 + salt, np.full_like(x, salt * 0.37)], axis=-1)
    body = palette[0] + (palette[1] - palette[0]) * y[:, None]
    for k, level in ((2, 0.55), (3, 0.38), (4, 0.2)):
        ridge = level + 0.06 * clouds(line + np.float32(k), 0.3 / (5 - k))
        body = np.where((y < ridge)[:, None], palette[k], body)
    return body.astype(np.float32)


def outdoors(sky: RGB, ground: RGB, leaves: RGB, *, horizon_m: float, salt: int) -> Texture:
    """What is seen through a window (v up from the sill): sky over trees and ground, bright."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        v = p[:, 1]
        q = p + np.float32(salt)
        tree = horizon_m + 0.35 + 0.16 * clouds(q * np.array([1.0, 0.2], np.float32), 0.25)
        haze = np.clip((v - horizon_m) / 1.5, 0, 1)[:, None]
        body = sky * (0.8 + 0.2 * haze) + 0.03 * np.maximum(clouds(q, 0.6), 0)[:, None]
        foliage = leaves * np.clip(1 + 0.5 * clouds(q, 0.08), 0.2, 2)[:, None]
        body = np.where((v < tree)[:, None], foliage, body)
        body = np.where((v < horizon_m)[:, None], ground * (1 + 0.1 * clouds(q, 0.2))[:, None], body)
        return np.clip(body, 0, 1.5).astype(np.float32)

    return texture


def blind(base: RGB, *, slat_m: float) -> Texture:
    """Closed slats with light between them."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        phase = p[:, 1] / slat_m % 1.0
        fade = np.clip(slat_m / np.maximum(4 * footprint_m, 1e-4), 0, 1)
        return (base * (1 - 0.45 * fade * (phase - 0.5))[:, None]).astype(np.float32)

    return texture


def screen(size_m: tuple[float, float], palette: np.ndarray, salt: int) -> Texture:
    """A lit monitor: a desktop with a few windows, each with lines of text."""
    width, height = size_m

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        x, y = p[:, 0] / width, p[:, 1] / height
        body = palette[0] + (palette[1] - palette[0]) * y[:, None]
        for k in range(2):
            x0, y0, s = cell_random(np.array([k]), salt, 9)[0] * 0.4
            inside = (x > x0) & (x < x0 + 0.35 + s) & (y > y0 + 0.05) & (y < y0 + 0.5)
            text = (np.floor(y * 40) % 2 == 0) & (x > x0 + 0.03) & (grain(p, 0.01) > -0.3)
            page = np.where(text[:, None], 0.35, 0.9)
            body = np.where(inside[:, None], page, body)
        return body.astype(np.float32)

    return texture


def book_spine(base: RGB, label: RGB, *, height_m: float, salt: int) -> Texture:
    """A cover with one or two bands across it (v is up)."""
    low = height_m * (0.15 + 0.1 * (salt % 3))

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        v = p[:, 1] % height_m
        band = (np.abs(v - low) < 0.012) | (np.abs(v - height_m * 0.75) < 0.03 * (salt % 2))
        return np.where(band[:, None], label, base).astype(np.float32)

    return texture


def _woven(
    body: np.ndarray,
    p: np.ndarray,
    footprint_m: np.ndarray,
    *,
    depth: float = 0.08,
    size_m: float = 0.004,
) -> np.ndarray:
    visible = np.clip(size_m / np.maximum(footprint_m, 1e-4), 0.15, 1.0)
    shade = 1 + depth * visible * grain(p, size_m)
    return (body * np.clip(shade, 0.3, 1.8)[:, None]).astype(np.float32)
