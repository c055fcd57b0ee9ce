"""Maps as small PNG files and the stops of their colour scale, for HTML pages."""

import io

import numpy as np
from matplotlib.colors import Colormap, Normalize, to_rgb
from PIL import Image

from spd.figures.canvas import NO_READING, Floats

_SHADES = 255  # plus one index for "no depth": a pixel is one byte


def map_png(values: Floats, scale: Normalize, colours: Colormap) -> bytes:
    """A map as a PNG file, one pixel per value; grey where it is not finite.

    Args:
        values: `[H, W]`.
        scale: the values at the two ends of the colours; values beyond are clamped.
        colours: from low to high.
    """
    known = np.isfinite(values)
    share = np.asarray(scale(np.where(known, values, 0.0)))
    shade = (np.clip(share, 0, 1) * (_SHADES - 1)).round().astype(np.uint8)
    picture = Image.fromarray(np.where(known, shade, np.uint8(_SHADES)))
    table = [*colours(np.linspace(0, 1, _SHADES))[:, :3], np.array(to_rgb(NO_READING))]
    picture.putpalette((np.array(table) * 255).round().astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def colour_stops(colours: Colormap, count: int = 9) -> tuple[str, ...]:
    """Evenly spaced colours from low to high, as `#rrggbb`."""
    table = (colours(np.linspace(0, 1, count))[:, :3] * 255).round().astype(int)
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in table)
