"""Placement of labels inside a panel without overlaps."""

import dataclasses
import math
from collections.abc import Sequence

_DIRECTIONS = 16
_RINGS = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Rectangle:
    """An upright rectangle in pixels; y grows downward."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> "Rectangle":
        """The rectangle of this size centred at (x, y)."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlaps(self, other: "Rectangle") -> bool:
        """Whether their interiors intersect."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def within(self, width: float, height: float) -> bool:
        """Whether it lies inside a panel of this size."""
        inside_x = self.left >= 0 and self.right <= width
        return inside_x and self.top >= 0 and self.bottom <= height


def place_labels(
    markers: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    radius: float,
    panel: tuple[float, float],
) -> list[Rectangle | None]:
    """A rectangle for each marker's label, or None where no place is free.

    Places close to the marker are tried first, its right side before others, then farther rings.

    Args:
        markers: centres (x, y) in pixels of the panel.
        sizes: (width, height) of each label, its margin included.
        radius: of the markers.
        panel: (width, height) of the panel.
    """
    taken = [Rectangle.around(x, y, 2 * radius, 2 * radius) for x, y in markers]
    placed: list[Rectangle | None] = []
    for (x, y), size in zip(markers, sizes, strict=True):
        free = None
        for dx, dy in _offsets(size, radius):
            candidate = Rectangle.around(x + dx, y + dy, *size)
            if candidate.within(*panel) and not any(candidate.overlaps(box) for box in taken):
                free = candidate
                taken.append(candidate)
                break
        placed.append(free)
    return placed


def _offsets(size: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    """Centres of the label relative to the marker, the best place first."""
    width, height = size
    places = []
    for ring in range(_RINGS):
        away = radius * 1.1 + ring * height / 2
        for turn in sorted(range(_DIRECTIONS), key=lambda turn: min(turn, _DIRECTIONS - turn)):
            angle = 2 * math.pi * turn / _DIRECTIONS
            right, down = math.cos(angle), math.sin(angle)
            places.append((right * (away + width / 2), down * (away + height / 2)))
    return places
