"""Patterned textures: stripes, checks, wallpaper, rugs, pictures, screens and window views.

As in `materials`, a texture maps `[2, N]` coordinates in metres to linear RGB `[3, N]`.
"""

import numpy as np

from spd.data.rooms.materials import (
    RGB,
    Texture,
    blend,
    cell_random,
    clouds,
    edge_line,
    grain,
    tint,
)


def stripes(first: RGB, second: RGB, *, period_m: float, share: float, along_u: bool) -> Texture:
    """Two-colour stripes for wallpaper, cushions and curtains."""
    axis = 1 if along_u else 0

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        line = edge_line(p[axis], period_m, share * period_m, footprint_m)
        return _woven(blend(first[:, None], second[:, None], line), p, footprint_m)

    return texture


def plaid(base: RGB, second: RGB, third: RGB, *, period_m: float) -> Texture:
    """Crossing bands of two colours over a base colour."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        wide = edge_line(p[0], period_m, period_m * 0.35, footprint_m)
        wide = 0.4 * (wide + edge_line(p[1], period_m, period_m * 0.35, footprint_m))
        thin = edge_line(p[0] + period_m / 2, period_m, period_m * 0.07, footprint_m)
        thin = np.maximum(
            thin, edge_line(p[1] + period_m / 2, period_m, period_m * 0.07, footprint_m)
        )
        body = blend(base[:, None], second[:, None], wide)
        return _woven(blend(body, third[:, None], 0.7 * thin), p, footprint_m)

    return texture


def motif(base: RGB, figure: RGB, *, period_m: float, petals: int, salt: int) -> Texture:
    """Wallpaper with a flower-like figure on a staggered lattice."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        q = p / period_m
        q0 = q[0] + 0.5 * (np.floor(q[1]) % 2)
        x, y = q0 % 1.0 - 0.5, q[1] % 1.0 - 0.5
        radius, angle = np.hypot(x, y), np.arctan2(y, x) + salt
        edge = 0.22 + 0.12 * np.cos(petals * angle)
        soft = np.maximum(footprint_m / period_m, 0.02)
        cover = np.clip((edge - radius) / soft + 0.5, 0, 1)
        return blend(base[:, None], figure[:, None], cover)

    return texture


def rug(base: RGB, second: RGB, third: RGB, *, size_m: tuple[float, float], salt: int) -> Texture:
    """A rug with its origin in a corner: border bands and, on most, a field of lozenges."""
    width, height = size_m

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        u, v = p
        inset = np.minimum(np.minimum(u, width - u), np.minimum(v, height - v))
        lozenge = np.abs(u / 0.4 % 1.0 - 0.5) + np.abs(v / 0.4 % 1.0 - 0.5)
        field = lozenge < (0.28 if salt % 3 else 0.0)
        body = np.where(field, second[:, None], base[:, None])
        if salt % 4 == 1:
            oval = np.hypot((u - width / 2) / width, (v - height / 2) / height) < 0.25
            body = np.where(oval, third[:, None], body)
        band = (inset > 0.06) & (inset < 0.2)
        dash = (np.floor((u + v) / 0.12) % 2 == 0) & band
        body = np.where(band, third[:, None], body)
        body = np.where(dash, second[:, None], body)
        return _woven(body, p, footprint_m, depth=0.25, size_m=0.012)

    return texture


def picture(size_m: tuple[float, float], palette: np.ndarray, *, kind: int, salt: int) -> Texture:
    """A poster or painting, origin bottom left: landscape, blocks, circles, or a portrait."""
    width, height = size_m

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        x, y = np.clip(p[0] / width, 0, 1), np.clip(p[1] / height, 0, 1)
        if kind == 0:
            return _landscape(x, y, palette, salt)
        if kind == 1:
            column = np.floor(x * (2 + salt % 3)).astype(int)
            row = np.floor((y + 0.21 * (column % 2)) * 3).astype(int)
            return palette[(cell_random(column, row, salt)[0] * 5).astype(int)].T
        body = np.repeat(palette[0][:, None], len(x), axis=1)
        for k in range(1, 5):
            cx, cy, r = cell_random(np.array([k]), salt, 5)[:, 0]
            aspect = height / width
            inside = np.hypot(x - 0.15 - 0.7 * cx, (y - 0.15 - 0.7 * cy) * aspect) < 0.1 + 0.22 * r
            body[:, inside] = palette[k][:, None]
        return body * (1 + np.float32(0.08) * clouds(p, 0.2))

    return texture


def _landscape(x: np.ndarray, y: np.ndarray, palette: np.ndarray, salt: int) -> np.ndarray:
    line = np.stack([x * 0.4 + salt, np.full_like(x, salt * 0.37)])
    body = blend(palette[0][:, None], palette[1][:, None], y)
    for k, level in ((2, 0.55), (3, 0.38), (4, 0.2)):
        ridge = level + 0.06 * clouds(line + np.float32(k), 0.3 / (5 - k))
        body = np.where(y < ridge, palette[k][:, None], body)
    return body.astype(np.float32)


def outdoors(sky: RGB, ground: RGB, leaves: RGB, *, horizon_m: float, salt: int) -> Texture:
    """View through a window (v up from the sill): bright sky over trees and ground."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        v, q = p[1], p + np.float32(salt)
        flat = q * np.array([[1.0], [0.2]], np.float32)
        tree = horizon_m + 0.35 + 0.16 * clouds(flat, 0.25)
        haze = np.clip((v - horizon_m) / 1.5, 0, 1)
        body = tint(sky, 0.8 + 0.2 * haze + 0.03 * np.maximum(clouds(q, 0.6), 0))
        foliage = tint(leaves, np.clip(1 + 0.5 * clouds(q, 0.08), 0.2, 2))
        body = np.where(v < tree, foliage, body)
        body = np.where(v < horizon_m, tint(ground, 1 + 0.1 * clouds(q, 0.2)), body)
        return np.clip(body, 0, 1.5)

    return texture


def blind(base: RGB, *, slat_m: float) -> Texture:
    """Closed slats of a blind."""

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        phase = p[1] / slat_m % 1.0
        fade = np.clip(slat_m / np.maximum(4 * footprint_m, 1e-4), 0, 1)
        return tint(base, 1 - 0.45 * fade * (phase - 0.5))

    return texture


def screen(size_m: tuple[float, float], palette: np.ndarray, salt: int) -> Texture:
    """A lit monitor: a desktop with a few windows, each with lines of text."""
    width, height = size_m

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        x, y = np.clip(p[0] / width, 0, 1), np.clip(p[1] / height, 0, 1)
        body = blend(palette[0][:, None], palette[1][:, None], y)
        for k in range(2):
            x0, y0, s = cell_random(np.array([k]), salt, 9)[:, 0] * 0.4
            inside = (x > x0) & (x < x0 + 0.35 + s) & (y > y0 + 0.05) & (y < y0 + 0.5)
            text = (np.floor(y * 40) % 2 == 0) & (x > x0 + 0.03) & (grain(p, 0.01) > -0.3)
            page = np.where(text, 0.35, 0.9)
            body = np.where(inside, page, body)
        return body.astype(np.float32)

    return texture


def book_spine(base: RGB, label: RGB, *, height_m: float, salt: int) -> Texture:
    """A book cover with one or two bands across it (v is up)."""
    low = height_m * (0.15 + 0.1 * (salt % 3))

    def texture(p: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        v = p[1] % height_m
        band = (np.abs(v - low) < 0.012) | (np.abs(v - height_m * 0.75) < 0.03 * (salt % 2))
        return np.where(band, label[:, None], base[:, None])

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
    return body * np.clip(shade, 0.3, 1.8).astype(np.float32)
