"""An experiment's folder as a report reads it: its summary, and who was compared with whom.

The numbers of a page are those of `summary.json` and are not worked out again. It is read as plain
JSON: the experiment's own modules need torch, and a page does not.
"""

import dataclasses
import datetime
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spd.errors import DataError
from spd.experiment.names import verdict_words

CONFIG, SUMMARY = "experiment.json", "summary.json"
COUNTS = (
    "train_rooms", "val_rooms", "held_out_rooms", "held_out_points", "edge_rooms", "seeds", "steps",
    "batch_size", "points_per_image",
)  # fmt: skip
VERDICTS = ("ahead", "behind", "undecided")


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over seeds."""

    mean: float
    std: float
    """Of one seed."""

    def text(self, digits: int) -> str:
        """Mean and deviation with so many digits after the point."""
        return f"{self.mean:.{digits}f} ± {self.std:.{digits}f}"


@dataclass(frozen=True, slots=True)
class Compared:
    """Two variants in one number."""

    number: str
    difference: float
    low: float
    high: float
    """Ends of the interval of the difference."""
    verdict: str
    """`ahead`, `behind` or `undecided`, of the first of the two, or how they are the same."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A variant against another, in every number that both have."""

    ours: str
    other: str
    numbers: tuple[Compared, ...]

    def of(self, number: str) -> Compared | None:
        """In that number, if both have it."""
        return next((one for one in self.numbers if one.number == number), None)


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention mass on the query's own surface, of one seed."""

    seed: int
    stage: int
    head: int | None
    """None: the mean of the heads."""
    band: str
    """Distance of the queries to the nearest depth edge."""
    mass: float
    uniform: float
    """What uniform weights would give."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What was found."""

    path: Path
    finished: datetime.datetime
    """By the time of `summary.json`."""
    config: Mapping[str, Any]
    extra: tuple[str, ...]
    """Further data that was scored on."""
    numbers: Mapping[str, Mapping[str, Spread]]
    """By variant, then by the number's name."""
    training: Mapping[str, Mapping[str, float]]
    """By variant: parameters, steps, and mean seconds."""
    pairs: tuple[Pair, ...]
    floors: Mapping[str, tuple[Mapping[str, Any], ...]]
    """By data set: what knowing nothing of the photos gets."""
    machine: Mapping[str, Any]
    """What the latency was measured on."""
    milliseconds: Mapping[str, Mapping[str, float]]
    """By variant, then by what was asked."""
    attention: tuple[Attention, ...]
    joint: Mapping[str, Mapping[str, Spread]] = dataclasses.field(default_factory=dict)
    """As `numbers`, of the models whose trunk was trained on too."""
    joint_pairs: tuple[Pair, ...] = ()

    def jointly(self) -> "Experiment":
        """The same experiment with the numbers of the models trained jointly in place of heads'."""
        config = {**self.config, "seeds": self.config["joint_seeds"]}
        return dataclasses.replace(self, config=config, numbers=self.joint, pairs=self.joint_pairs)

    @property
    def subject(self) -> str:
        """The variant that the others are compared with."""
        return self.pairs[0].ours if self.pairs else next(iter(self.numbers))

    @property
    def rivals(self) -> tuple[Pair, ...]:
        """The subject against each of those."""
        return tuple(pair for pair in self.pairs if pair.ours == self.subject)

    def names(self) -> list[str]:
        """Of every number that some variant has."""
        return list(dict.fromkeys(name for found in self.numbers.values() for name in found))

    def decided_best(self, number: str) -> str | None:
        """Who is better than all that the subject is compared with; None where that is open.

        Only verdicts decide it, and those are the subject's. So another is the best if the subject
        is behind it and ahead of everyone else: two that are both ahead were never compared.
        """
        verdicts = {
            pair.other: found.verdict
            for pair in self.rivals
            if (found := pair.of(number)) is not None
        }
        better = [other for other, verdict in verdicts.items() if verdict == "behind"]
        if not verdicts or set(verdicts.values()) - {"ahead", "behind"} or len(better) > 1:
            return None
        return better[0] if better else self.subject


def unfinished(path: Path, missing: str) -> DataError:
    """The error about a folder whose experiment was stopped."""
    return DataError(
        f"{path} holds an experiment that is not finished (no {missing}); the same command goes "
        f"on: spd experiment -o {path}, with the --set and --data that began it"
    )


def read_experiment(path: Path) -> Experiment:
    """Read an experiment's summary.

    Raises:
        DataError: if the experiment is not finished, or its summary is damaged.
    """
    file = path / SUMMARY
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        finished = datetime.datetime.fromtimestamp(file.stat().st_mtime, tz=datetime.UTC)
        return _experiment(path, finished, found)
    except FileNotFoundError:
        raise unfinished(path, SUMMARY) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            f"{file} is damaged; the same command writes it anew: spd experiment -o {path}, with "
            "the --set and --data that began it"
        ) from None


def _experiment(path: Path, finished: datetime.datetime, found: Mapping[str, Any]) -> Experiment:
    numbers, joint = _numbers(found["numbers"]), _numbers(found.get("joint", {}))
    training = {
        name: {key: _finite(of[key]) for key in ("parameters", "steps", "seconds")}
        for name, of in found["training"].items()
    }
    if not numbers or numbers.keys() != training.keys():
        raise ValueError("no variant, or others trained than scored")
    config = found["config"]
    _ = [int(config[key]) for key in COUNTS], _finite(config["lr"])
    _ = joint and (int(config["joint_seeds"]), int(config["joint_steps"]))
    _ = config["trunk_weights"], [str(change) for change in config["trunk"]]
    latency = found["latency"]["milliseconds"]
    return Experiment(
        path=path,
        finished=finished,
        config=config,
        extra=tuple(str(data) for data in found["extra"]),
        numbers=numbers,
        training=training,
        pairs=_pairs(found["comparisons"], numbers),
        floors={data: _floors(of) for data, of in found["floors"].items()},
        machine=dict(found["latency"]["machine"]),
        milliseconds={v: {k: _finite(ms) for k, ms in of.items()} for v, of in latency.items()},
        attention=tuple(_attention(one) for one in found["attention"]),
        joint=joint,
        joint_pairs=_pairs(found.get("joint_comparisons", []), joint),
    )


def _numbers(found: Mapping[str, Any]) -> dict[str, dict[str, Spread]]:
    return {
        name: {n: Spread(_finite(one["mean"]), _finite(one["std"])) for n, one in of.items()}
        for name, of in found.items()
    }


def _pairs(
    comparisons: list[Mapping[str, Any]], numbers: Mapping[str, Mapping[str, Spread]]
) -> tuple[Pair, ...]:
    """Comparisons taken together by whom they compare, in order."""
    by_names: dict[tuple[str, str], list[Compared]] = {}
    for one in comparisons:
        if one["verdict"] not in VERDICTS:
            raise ValueError(f"no verdict {one['verdict']!r}")
        names = str(one["ours"]), str(one["other"])
        if not set(names) <= numbers.keys():
            raise ValueError(f"{' against '.join(names)}: not both have numbers")
        number = str(one["number"])
        difference, low, high = (_finite(one[key]) for key in ("difference", "low", "high"))
        mean = numbers[names[0]][number].mean
        verdict = verdict_words(number, one["verdict"], (low, high), mean)
        compared = Compared(number, difference, low, high, verdict)
        by_names.setdefault(names, []).append(compared)
    return tuple(Pair(*names, tuple(found)) for names, found in by_names.items())


def _floors(of: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], ...]:
    floors = tuple((of or {}).values())
    for floor in floors:
        _ = floor["name"], floor["origin"]
        _ = [_finite(floor[key]) for key in ("abs_rel", "rmse", "delta1")]
        _ = [_finite(value) for value in floor.get("bands", {}).values()]
    return floors


def _attention(one: Mapping[str, Any]) -> Attention:
    head = None if one["head"] is None else int(one["head"])
    mass, uniform = _finite(one["mass"]), _finite(one["uniform"])
    return Attention(int(one["seed"]), int(one["stage"]), head, str(one["band"]), mass, uniform)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not finite")
    return number
