"""Check that the literal form runs as fast here as expected; otherwise refuse to measure.

A slow baseline would flatter everything compared with it. The expected time is that on two
reference cores, scaled by the matrix-product rate measured here at the same moment.
"""

import dataclasses
from typing import Any

from spd.errors import MeasurementError

SIZE = (350, 476)
POINTS = 1024
REFERENCE_S = {"query": 0.0406, "dense": 0.938}
"""Seconds of the specification's form on two cores that multiply at `REFERENCE_RATE`."""
REFERENCE_RATE = 136e9
SLACK = 1.2


@dataclasses.dataclass(frozen=True, slots=True)
class Yardstick:
    """The two literal times and the rate they were measured at."""

    rate: float
    """Floating-point operations per second."""
    measured_s: dict[str, float]
    """Medians of `query` and `dense`."""

    @classmethod
    def of(cls, measured: dict[str, Any]) -> "Yardstick":
        """Read a result of `research.performance.cases.measure_yardstick`."""
        times = {name: float(measured[name]["median_s"]) for name in REFERENCE_S}
        return cls(float(measured["rate"]), times)

    def expected_s(self, name: str) -> float:
        """The reference time scaled to the rate measured here."""
        return REFERENCE_S[name] * REFERENCE_RATE / self.rate

    def slowness(self, name: str) -> float:
        """Measured time over expected time."""
        return self.measured_s[name] / self.expected_s(name)

    @property
    def fast_enough(self) -> bool:
        """Whether both times are within `SLACK` of the expected ones."""
        return max(self.slowness(name) for name in REFERENCE_S) <= SLACK

    def refusal(self, load: str) -> MeasurementError:
        """The error for a slow yardstick, with both times and both expected ones."""
        took, expected = (
            " and ".join(f"{1e3 * seconds(name):,.1f} ms ({what})" for name, what in _NAMED)
            for seconds in (self.measured_s.__getitem__, self.expected_s)
        )
        return MeasurementError(
            f"the literal form took {took}, more than {SLACK} times the {expected} expected at the "
            f"{self.rate / 1e9:.0f} GFLOP/s measured here, so ratios to it would flatter; end "
            f"other programs and try again (load average {load})"
        )


_NAMED = (("query", f"K = {POINTS:,}"), ("dense", f"dense, {SIZE[0]}x{SIZE[1]}"))
