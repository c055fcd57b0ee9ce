"""Mean and standard deviation of every number over seeds, and comparisons of variants.

A comparison is decided where the 95 % interval of the difference over seeds (Welch) excludes zero.
The seeds are of the heads: the trunk and the rooms are the same for all, so the interval does not
cover another trunk.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from research.experiment.config import ExperimentConfig
from research.experiment.heads import Head
from research.experiment.joint import JointModel
from research.experiment.names import HIGHER_IS_BETTER
from research.experiment.scores import baselines_of, numbers_of
from spd.files import write_text

Verdict = Literal["ahead", "behind", "undecided"]
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """Statistics of one number over seeds."""

    mean: float
    std: float
    """Sample standard deviation, which is that of one seed."""
    values: tuple[float, ...]

    def text(self, digits: int) -> str:
        """Mean ± standard deviation with `digits` digits after the decimal point."""
        return f"{self.mean:.{digits}f} ± {self.std:.{digits}f}"


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Two variants compared in one number."""

    number: str
    ours: str
    """v15.2, with all its steps or a tenth of them."""
    other: str
    difference: float
    """Our mean minus the other's."""
    low: float
    high: float
    """Upper end of the interval; `low` is the lower end."""
    verdict: Verdict
    """Whether `ours` is ahead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """All results, as tables and pictures use them."""

    config: dict[str, Any]
    extra: tuple[str, ...]
    numbers: dict[str, dict[str, Spread]]
    """By variant, then by the number's name."""
    training: dict[str, dict[str, float]]
    """By variant: parameters, steps, and mean seconds."""
    comparisons: tuple[Comparison, ...]
    baselines: dict[str, Any]
    latency: dict[str, Any]
    attention: list[dict[str, Any]]
    joint: dict[str, dict[str, Spread]] = dataclasses.field(default_factory=dict)
    """Numbers of the models whose trunk was trained too; empty if there are none."""
    joint_comparisons: tuple[Comparison, ...] = ()

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    def compared(self, number: str, other: str) -> Comparison | None:
        """The comparison of v15.2 with `other` in that number, or None."""
        found = (c for c in self.comparisons if (c.number, c.other) == (number, other))
        return next(found, None)


def summarise(
    folder: Path,
    config: ExperimentConfig,
    extra: Sequence[str],
    heads: Sequence[Head],
    joint: Sequence[JointModel] = (),
) -> Summary:
    """Summarise the files of all stages."""
    numbers = {
        name: _spreads([numbers_of(h) for h in _of(heads, name)]) for name in config.variants
    }
    jointly = {
        str(name): _spreads([numbers_of(one) for one in joint if one.variant.name == name])
        for name in config.variants
        if any(one.variant.name == name for one in joint)
    }
    training = {}
    for name in config.variants:
        about = [head.about() for head in _of(heads, name)]
        training[str(name)] = {
            "parameters": about[0]["parameters"],
            "steps": about[0]["steps"],
            "seconds": float(np.mean([one["seconds"] for one in about])),
        }
    return Summary(
        config=config.to_dict(),
        extra=tuple(extra),
        numbers={str(name): found for name, found in numbers.items()},
        training=training,
        comparisons=tuple(_comparisons({str(k): v for k, v in numbers.items()})),
        baselines=baselines_of(heads[0]),
        latency=json.loads((folder / "latency.json").read_text(encoding="utf-8")),
        attention=json.loads((folder / "attention.json").read_text(encoding="utf-8")),
        joint=jointly,
        joint_comparisons=tuple(_comparisons(jointly)),
    )


def compare(number: str, names: tuple[str, str], ours: Spread, other: Spread) -> Comparison:
    """Compare two variants by Welch's interval of the difference of their means."""
    from scipy.stats import t

    difference = ours.mean - other.mean
    variances = [one.std**2 / len(one.values) for one in (ours, other)]
    freedom = sum(v**2 / (len(s.values) - 1) for v, s in zip(variances, (ours, other), strict=True))
    half = 0.0
    if freedom > 0:  # else the interval has no width
        freedom = sum(variances) ** 2 / freedom
        half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * sum(variances) ** 0.5
    low, high = difference - half, difference + half
    higher = number.startswith(HIGHER_IS_BETTER)
    verdict: Verdict = "undecided"
    if low > 0 or high < 0:
        verdict = "ahead" if (difference > 0) == higher else "behind"
    return Comparison(number, *names, difference, low, high, verdict)


def _comparisons(numbers: dict[str, dict[str, Spread]]) -> list[Comparison]:
    pairs = [("v15.2", other) for other in numbers if other != "v15.2" and "tenth" not in other]
    pairs.append(("v15.2, a tenth", "v15.2 dense, a tenth"))
    return [
        compare(name, (ours, other), numbers[ours][name], numbers[other][name])
        for ours, other in pairs
        if {ours, other} <= numbers.keys()
        for name in numbers[ours]
        if name in numbers[other]
    ]


def _of(heads: Sequence[Head], name: str) -> list[Head]:
    return [head for head in heads if head.variant.name == name]


def _spreads(rows: Sequence[dict[str, float | None]]) -> dict[str, Spread]:
    found = {}
    for name in rows[0]:
        values = [value for row in rows if (value := row.get(name)) is not None]
        if len(values) == len(rows):
            found[name] = Spread(
                float(np.mean(values)), float(np.std(values, ddof=1)), tuple(values)
            )
    return found
