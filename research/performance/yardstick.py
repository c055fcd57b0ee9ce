"""Whether the literal form runs here as fast as it should; if not, nothing is measured against it.

A slow yardstick makes everything look fast. What it took on two cores is scaled by what this
machine multiplies at the same moment. Apart from what measures it, so that a page is written
without loading torch.
"""

import dataclasses
from typing import Any

from spd.errors import MeasurementError

SIZE = (350, 476)
POINTS = 1024
REFERENCE_S = {"query": 0.0406, "dense": 0.938}
"""What the specification's form took, written plainly, on two cores of `REFERENCE_RATE`."""
REFERENCE_RATE = 136e9
SLACK = 1.2


@dataclasses.dataclass(frozen=True, slots=True)
class Yardstick:
    """The two literal times against those that are expected at the measured rate."""

    rate: float
    """Floating-point operations a second."""
    measured_s: dict[str, float]
    """Medians of `query` and `dense`."""

    @classmethod
    def of(cls, measured: dict[str, Any]) -> "Yardstick":
        """From what `research.performance.cases.measure_yardstick` returned."""
        times = {name: float(measured[name]["median_s"]) for name in REFERENCE_S}
        return cls(float(measured["rate"]), times)

    def expected_s(self, name: str) -> float:
        """The reference at the rate measured here."""
        return REFERENCE_S[name] * REFERENCE_RATE / self.rate

    def slowness(self, name: str) -> float:
        """How many times as long as expected it took."""
        return self.measured_s[name] / self.expected_s(name)

    @property
    def fast_enough(self) -> bool:
        """Whether anything may be measured by it."""
        return max(self.slowness(name) for name in REFERENCE_S) <= SLACK

    def refusal(self, load: str) -> MeasurementError:
        """The error for one that is not, naming both times, both expected ones, and what to do."""
        took, expected = (
            " and ".join(f"{1e3 * seconds(name):,.1f} ms ({what})" for name, what in _NAMED)
            for seconds in (self.measured_s.__getitem__, self.expected_s)
        )
        return MeasurementError(
            f"the literal form took {took}, more than {SLACK} times the {expected} expected at the "
            f"{self.rate / 1e9:.0f} GFLOP/s measured here, so ratios to it would flatter; end "
            f"other programs and try again (load average {load}), or look around with --quick"
        )


_NAMED = (("query", f"K = {POINTS:,}"), ("dense", f"dense, {SIZE[0]}x{SIZE[1]}"))
