"""File names that are times, as TUM RGB-D has them: colour and depth were taken moments apart."""

import re
from bisect import bisect_left
from collections.abc import Sequence

FURTHEST_PAIR_US = 20_000
"""Colour and depth further apart than this, 0.02 s, are not paired; TUM's own tools agree."""
FURTHEST_STATED_US = 50_000
"""A pair that somebody states may be 0.05 s apart; beyond that it is a mistake."""


def timestamp_us(stem: str) -> int | None:
    """Microseconds of `1305031102.175304`, seconds since 1970 with a fraction; else None."""
    match = re.fullmatch(r"(\d{9,11})\.(\d+)", stem)
    if match is None:
        return None
    return int(match[1]) * 1_000_000 + int(match[2].ljust(6, "0")[:6])


def nearest(time_us: int, ascending_us: Sequence[int]) -> int | None:
    """The nearest of some ascending times, the earlier where two are as near; None of none."""
    after = bisect_left(ascending_us, time_us)
    return min(
        ascending_us[max(after - 1, 0) : after + 1],
        key=lambda other_us: abs(other_us - time_us),
        default=None,
    )
