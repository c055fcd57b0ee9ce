"""Whether evaluations may stand side by side: only numbers of the same readings compare."""

import dataclasses
import hashlib
from collections.abc import Sequence

from spd.errors import DataError
from spd.report.results import Results
from spd.report.scored import Scored


def check_comparable(several: Sequence[Results]) -> None:
    """Refuse evaluations of other images, other draws or another protocol.

    Readings themselves are compared when they are read, by :func:`truth_digest`.

    Raises:
        DataError: naming the folders and what differs.
    """
    first = several[0]
    for other in several[1:]:
        pair = f"{other.path} does not compare with {first.path}"
        views = [r.metrics.get("view", "whole") for r in (other, first)]
        if views[0] != views[1]:
            raise DataError(
                f"{pair}: it was evaluated with --view {views[0]}, the other with --view "
                f"{views[1]}; evaluate both with one"
            )
        if other.metrics["protocol"] != first.metrics["protocol"]:
            raise DataError(f"{pair}: {_protocols(other, first)}")
        different = sorted(set(first.names) ^ set(other.names))
        if different:
            raise DataError(
                f"{pair}: {len(different)} images are scored in one alone, such as "
                f"{different[0]!r}; compare evaluations of the same data"
            )


def _protocols(other: Results, first: Results) -> str:
    """How the protocols that come first differ; those of one name differ by the model's camera."""
    names = [results.metrics["protocol_name"] for results in (other, first)]
    if names[0] == names[1]:
        return (
            f"it was scored as “{other.metrics['protocol']}”, the other as "
            f"“{first.metrics['protocol']}”; evaluate both with --view whole"
        )
    return (
        f"protocol {names[0]}, not {names[1]}, comes first in it; score both under one "
        f"(spd score {other.path} --protocol {names[1]})"
    )


def other_readings(first: Results, other: Results, image: str) -> DataError:
    """The refusal of evaluations whose readings of an image differ, with the cause if known."""
    drawn = [(r.settings.get("max_points"), r.settings.get("seed")) for r in (other, first)]
    cause = "compare evaluations of the same data"
    if drawn[0] != drawn[1]:
        most = ["without --max-points" if m is None else f"with --max-points {m}" for m, _ in drawn]
        if most[0] == most[1]:
            most = [f"{words} and seed {s}" for words, (_, s) in zip(most, drawn, strict=True)]
        cause = f"the first is {most[0]}, the second {most[1]}; evaluate both alike"
    return DataError(
        f"{other.path} and {first.path} were scored against other readings of {image}: {cause}"
    )


def shared_protocols(several: Sequence[Results]) -> list[str]:
    """Those under which every evaluation scored as many images and readings, the first first."""
    first = several[0].by_protocol
    what = ("protocol", "count", "points")
    return [
        name
        for name, numbers in first.items()
        if all(
            other.by_protocol.get(name, {}).get(key) == numbers.get(key)
            for other in several
            for key in what
        )
    ]


def truth_digest(image: Scored) -> bytes:
    """Equal for the same readings of the same image."""
    digest = hashlib.sha256(image.pixel_index.tobytes())
    digest.update(image.truth_m.tobytes())
    return digest.digest()


def labelled(several: Sequence[Results]) -> tuple[Results, ...]:
    """With labels that differ: by the model's name, else by the evaluation's folder."""
    labels = [results.label for results in several]
    if len(set(labels)) == len(labels):
        return tuple(several)
    labels = [results.path.resolve().name for results in several]
    if len(set(labels)) < len(labels):
        labels = [str(results.path) for results in several]
    return tuple(
        dataclasses.replace(r, label=name) for r, name in zip(several, labels, strict=True)
    )
