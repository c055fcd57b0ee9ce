"""Times, shares and memory with units."""

from collections.abc import Mapping
from typing import Any


def spread(timing: Mapping[str, Any]) -> str:
    """Median, and the quartiles in the same unit."""
    unit, scale, digits = _unit(timing["median_s"])
    low, high = (f"{scale * s:.{digits}f}" for s in timing["quartiles_s"])
    return f"{scale * timing['median_s']:.{digits}f} {unit} ({low} to {high})"


def duration(taken_s: float) -> str:
    """Seconds or milliseconds."""
    unit, scale, digits = _unit(taken_s)
    return f"{scale * taken_s:.{digits}f} {unit}"


def _unit(taken_s: float) -> tuple[str, float, int]:
    if taken_s >= 1:
        return "s", 1.0, 2
    return "ms", 1e3, 0 if taken_s >= 0.1 else 1 if taken_s >= 0.01 else 2


def rate_share(macs: float, taken_s: float, rate: float) -> str:
    """Share of a rate of operations that these multiply-adds in this time reach."""
    return f"{2 * macs / taken_s / rate:.0%}"


def about(count: float) -> str:
    """A break-even with two significant digits."""
    return f"{float(f'{count:.2g}'):,.0f}"


def memory(count: float | None) -> str:
    """Bytes in MB or GB; a dash if unknown."""
    if count is None:
        return "–"
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
