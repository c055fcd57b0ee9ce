"""File names that are time stamps, as in TUM RGB-D, where colour and depth differ slightly."""

import re
from bisect import bisect_left
from collections.abc import Sequence

FURTHEST_PAIR_US = 20_000
"""Largest gap, 0.02 s, at which colour and depth are paired; TUM's own tools use it too."""
FURTHEST_STATED_US = 50_000
"""Largest gap, 0.05 s, within a pair that the user lists; a larger one is a mistake."""


def timestamp_us(stem: str) -> int | None:
    """Microseconds of a time since 1970; None for any other name.

    It is written in seconds with a fraction (`1305031102.175304`), or as 13, 16 or 19 digits:
    milliseconds, microseconds or nanoseconds.
    """
    match = re.fullmatch(r"(\d{9,11})\.(\d+)|(1\d{9})(\d{3}|\d{6}|\d{9})", stem)
    if match is None:
        return None
    seconds, fraction = match[1] or match[3], match[2] or match[4]
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6])


def nearest(time_us: int, ascending_us: Sequence[int]) -> int | None:
    """Nearest of several ascending times, the earlier one of two at equal distance.

    Returns None for an empty sequence.
    """
    after = bisect_left(ascending_us, time_us)
    return min(
        ascending_us[max(after - 1, 0) : after + 1],
        key=lambda other_us: abs(other_us - time_us),
        default=None,
    )
