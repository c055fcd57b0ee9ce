"""Check that evaluations are comparable: only metrics of the same readings are."""

import dataclasses
import hashlib
from collections.abc import Sequence

from spd.errors import DataError
from spd.report.scored_image import ScoredImage
from spd.report.stored_evaluation import StoredEvaluation


def check_comparable(several: Sequence[StoredEvaluation]) -> None:
    """Refuse evaluations of different images, views or protocols.

    Readings are compared when they are read, by :func:`truth_digest`.

    Raises:
        DataError: names the folders and the difference.
    """
    first = several[0]
    for other in several[1:]:
        pair = f"{other.path} is not comparable with {first.path}"
        views = [r.metrics.get("view", "whole") for r in (other, first)]
        if views[0] != views[1]:
            raise DataError(
                f"{pair}: it was evaluated with --view {views[0]}, expected {views[1]}; evaluate "
                "both with the same view"
            )
        if other.metrics["protocol"] != first.metrics["protocol"]:
            raise DataError(
                f"{pair}: its first protocol is “{other.metrics['protocol']}”, expected "
                f"“{first.metrics['protocol']}”; score both under the same protocol (spd score "
                "FOLDER --protocol NAME), and evaluate models with different training cameras with "
                "--view whole"
            )
        different = sorted(set(first.names) ^ set(other.names))
        if different:
            raise DataError(
                f"{pair}: {len(different)} images are scored in only one of the two, for "
                f"example {different[0]!r}; compare evaluations of the same data"
            )


def other_readings(first: StoredEvaluation, other: StoredEvaluation, image: str) -> DataError:
    """The error for evaluations whose readings of an image differ, with the cause if known."""
    drawn = [(r.settings.get("max_points"), r.settings.get("seed")) for r in (other, first)]
    cause = "compare evaluations of the same data"
    if drawn[0] != drawn[1]:
        draws = ["all pixels" if m is None else f"max_points {m}, seed {s}" for m, s in drawn]
        cause = f"{draws[0]} in the first, {draws[1]} in the second; draw the same pixels in both"
    return DataError(
        f"{other.path} and {first.path} were scored at different pixels of {image}: {cause}"
    )


def shared_protocols(several: Sequence[StoredEvaluation]) -> list[str]:
    """The protocols under which all evaluations scored equally many images and readings."""
    keys = ("protocol", "count", "points")
    return [
        name
        for name, numbers in several[0].by_protocol.items()
        if all(
            other.by_protocol.get(name, {}).get(key) == numbers.get(key)
            for other in several
            for key in keys
        )
    ]


def truth_digest(image: ScoredImage) -> bytes:
    """A digest of the readings of an image and their pixels."""
    digest = hashlib.sha256(image.pixel_index.tobytes())
    digest.update(image.truth_m.tobytes())
    return digest.digest()


def labelled(several: Sequence[StoredEvaluation]) -> tuple[StoredEvaluation, ...]:
    """The evaluations with distinct labels: the model's name, else the folder."""
    labels = [r.label for r in several]
    if len(set(labels)) < len(labels):
        labels = [r.path.resolve().name for r in several]
    if len(set(labels)) < len(labels):
        labels = [str(r.path) for r in several]
    return tuple(
        dataclasses.replace(r, label=name) for r, name in zip(several, labels, strict=True)
    )
