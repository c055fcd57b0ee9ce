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
        if other.metrics["protocol"] != first.metrics["protocol"]:
            raise DataError(
                f"{pair}: protocol {other.metrics['protocol_name']}, not "
                f"{first.metrics['protocol_name']}, comes first in it; "
                f"score both under one (spd score {other.path} --protocol "
                f"{first.metrics['protocol_name']})"
            )
        different = sorted(set(first.names) ^ set(other.names))
        if different:
            raise DataError(
                f"{pair}: {len(different)} images are scored in one alone, such as "
                f"{different[0]!r}; compare evaluations of the same data"
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
