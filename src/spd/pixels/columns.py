"""Columns of tables by the names that people give them."""

import functools
import re
from collections.abc import Sequence

from spd.errors import PointError, listed, shortened

_PIXEL_WORDS = ("px", "pixel", "pixels")
_PAIRS = (("u", "v"), ("x", "y"), ("col", "row"), ("column", "row"))
_NOT_PIXELS = {"z", "w", "h", "width", "height"}
"""Columns beside which x and y are metres in space, or the corner of a box."""

POINT_COLUMNS = "columns u and v, one of each (or x and y, or column and row, in pixels)"
"""Columns of a table of points, for messages."""


def plain_name(name: str) -> str:
    """A column's name without capitals, blanks, brackets and BOM: `Focal [px]` is `focal_px`."""
    words = re.findall(r"[^\W_]+", name.lower())
    return "_".join("px" if word in _PIXEL_WORDS else word for word in words)


@functools.lru_cache(maxsize=256)
def point_columns(names: tuple[str, ...], *, only_uv: bool = False) -> tuple[int, int] | None:
    """Positions of the columns u and v among the names of a table; None where it has none.

    Capitals, blanks and a unit of pixels, as in `U (px)`, do not matter. Without u and v, x and y
    are taken, then column and row, unless `only_uv`.

    Raises:
        PointError: if a column is named twice, or x and y stand beside z or a box's size.
    """
    plain = [_without_unit(name) for name in names]
    pairs = _PAIRS[:1] if only_uv or "u" in plain or "v" in plain else _PAIRS[1:]
    for u, v in pairs:
        if u not in plain or v not in plain:
            continue
        given = f"has columns {named(names)}"
        if plain.count(u) > 1 or plain.count(v) > 1:
            raise PointError(f"{given}; expected {POINT_COLUMNS}")
        if u == "x" and not _NOT_PIXELS.isdisjoint(plain):
            raise PointError(
                f"{given}, so x and y may not be a pixel; name the pixel's columns u and v"
            )
        return plain.index(u), plain.index(v)
    return None


def holds_pixels(name: str) -> bool:
    """Whether a column of this name may hold coordinates or a focal length in pixels."""
    return _without_unit(name) in {"focal", *(axis for pair in _PAIRS for axis in pair)}


def _without_unit(name: str) -> str:
    return plain_name(name).removesuffix("_px").removeprefix("px_")


def named(names: Sequence[str]) -> str:
    """Names of columns for a message."""
    return shortened(listed([repr(name.strip()) for name in names], 12))
