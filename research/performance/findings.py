"""Look up rows of a result by name, and compute ratios and break-evens."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from research.performance.yardstick import REFERENCE_S, SIZE, SLACK, Yardstick

FORMAT = "spd-benchmark-1"
"""Format of a result in JSON."""
Row = Mapping[str, Any]
NAMES = {
    "default": "SPD",
    "folded": "SPD, plain torch",
    "literal": "literal specification",
    "v15.1": "v15.1 (convolutional)",
    "onnxruntime": "SPD in ONNX Runtime",
    "openvino": "SPD in OpenVINO",
    "spd": "SPD",
    "peer": "Depth Anything V2",
    "encoder": "encoder alone",
}
"""Names of forms and networks in tables and plots."""


class Findings:
    """Rows of a result of `inference_benchmark` by name; None for what was not measured."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = result

    @property
    def rate(self) -> float:
        """Floating-point operations per second of a matrix product, measured with the yardstick."""
        return float(self.result["yardstick"]["rate"])

    @property
    def where(self) -> str:
        """Processor and threads."""
        about = self.result["machine"]
        threads = about["threads"]
        plural = "" if threads == 1 else "s"
        return f"{about['processor']} ({about['vector_instructions']}), {threads} thread{plural}"

    @property
    def size(self) -> str:
        """Size of the image, such as 350x476."""
        return "x".join(str(side) for side in self.result["size"])

    def rows(self, part: str) -> list[Row]:
        """The rows of a part; empty if it was not measured."""
        return self.result.get(part) or []

    def query(self, form: str, points: int) -> Row | None:
        """The row of a form at one K."""
        return self._one("query", form=form, points=points)

    def counts(self) -> list[int]:
        """Every K, increasing."""
        return sorted({row["points"] for row in self.rows("query")})

    def one_pass(self, what: str, form: str) -> Row | None:
        """The row of a dense map or a training pass."""
        return self._one("passes", what=what, form=form)

    def pipeline(self, network: str, runtime: str, precision: str = "float32") -> Row | None:
        """The row of a network from an image to depths."""
        return self._one("pipelines", network=network, runtime=runtime, precision=precision)

    def curve(self, form: str) -> list[tuple[float, float]]:
        """(K, seconds) of a form."""
        found = [row for row in self.rows("query") if row["form"] == form]
        return sorted((float(row["points"]), seconds(row)) for row in found)

    def literal_s(self, what: str, literal: Row | None) -> float | None:
        """Seconds of a literal form, capped at the slowest accepted yardstick.

        In turns with SPD it can be slower than alone, which would flatter SPD.
        """
        if literal is None or what not in REFERENCE_S or tuple(self.result["size"]) != SIZE:
            return None if literal is None else seconds(literal)
        allowed_s = SLACK * Yardstick.of(self.result["yardstick"]).expected_s(what)
        return min(seconds(literal), allowed_s)

    def literal_note(self, literal: Row | None) -> str:
        """Note to a ratio to the literal query, if its time was capped."""
        counted_s = self.literal_s("query", literal)
        if literal is None or counted_s is None or counted_s == seconds(literal):
            return ""
        took, counts = (f"{1e3 * s:.1f}" for s in (seconds(literal), counted_s))
        return f"; of the literal form's {took} ms {counts} count"

    def limit_s(self, macs: float) -> float:
        """Seconds of these multiply-adds at the rate of a matrix product."""
        return 2 * macs / self.rate

    def why_not(self, word: str) -> str:
        """Why the case with this word in its name was left out."""
        reasons = [row["why"] for row in self.rows("left_out") if word in row["what"]]
        return reasons[0] if reasons else "not part of this run"

    def meetings(self) -> dict[str, float | None]:
        """The K from which another way is faster, by its description; None: at no measured K."""
        spd = self.curve("default")
        dense = self.one_pass("dense", "default")
        encode, peer = self.pipeline("spd", "torch"), self.pipeline("peer", "torch")
        found: dict[str, float | None] = {}
        if spd and dense:
            found["as long as SPD's dense map"] = meeting(spd, lambda _: seconds(dense))
        if spd and encode and peer:
            left = seconds(peer) - seconds(encode, "encode")
            found["image and points as long as the peer's map"] = meeting(spd, lambda _: left)
        return found

    def _one(self, part: str, **wanted: Any) -> Row | None:
        found = [row for row in self.rows(part) if all(row.get(k) == v for k, v in wanted.items())]
        return found[0] if found else None


def seconds(row: Row, of: str | None = None) -> float:
    """Median seconds of a row, or of the timing stored in it under `of`."""
    timing = row[of] if of else row.get("whole", row)
    return float(timing["median_s"])


def over(other_s: float | None, own: Row | None) -> float | None:
    """Seconds `other_s` over the seconds of `own`."""
    return None if other_s is None or own is None else other_s / seconds(own)


def ratio(other: Row | None, own: Row | None) -> float | None:
    """Seconds of `other` over the seconds of `own`."""
    return None if other is None or own is None else seconds(other) / seconds(own)


def meeting(curve: list[tuple[float, float]], other: Callable[[float], float]) -> float | None:
    """Where a curve first rises above another, by linear interpolation of logarithms.

    None if it never does, or if the other is not positive.
    """
    before: tuple[float, float] | None = None
    for count, own in curve:
        if other(count) <= 0:
            return None
        gap = math.log(own / other(count))
        if gap >= 0:
            if before is None:
                return count
            share = -before[1] / (gap - before[1])
            return math.exp(before[0] + share * (math.log(count) - before[0]))
        before = (math.log(count), gap)
    return None
