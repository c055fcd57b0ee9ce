"""Results of earlier runs: finished parts, and photos of parts whose rows are now different.

For each part, `state/` contains a record: the part's digest, and the path and a key of each photo.
A key depends on the photo's size and modification time, not on a digest of its content, because
reading all photos again from a network drive would take about as long as the batch itself.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spd.batch.grouping import BatchPlan, PhotoPoints
from spd.batch.part_files import TableForm, read_answers
from spd.batch.parts import part_path
from spd.batch.tasks import TaskAnswer
from spd.errors import BatchError
from spd.files import LISTED_BYTES, file_sha256, read_json, write_bytes, write_text

STATE = "state"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """Results of earlier runs."""

    parts: frozenset[int]
    """Parts that need no work."""
    answers: dict[str, TaskAnswer]
    """Answers of single photos, by key, from parts whose rows are now different."""
    changed: int
    """Number of photos queried again, because file, focal length or points changed."""
    added: int
    """Number of photos without a result of an earlier run."""
    removed: tuple[str, ...]
    """Photos of earlier runs that are not in the input any more."""


def photo_keys(photo_points: PhotoPoints) -> list[str]:
    """One key per photo, which changes with the photo's file, focal length or points."""
    keys = []
    starts, points = photo_points.starts.tolist(), photo_points.points
    files: dict[str, tuple[int, int] | None] = {}
    for number, path in enumerate(photo_points.paths.tolist()):
        if path not in files:
            files[path] = _size_and_time(path)
        of_file = repr((path, files[path], float(photo_points.focal_px[number])))
        digest = hashlib.sha256(of_file.encode("utf-8", "surrogatepass"))
        digest.update(points[starts[number] : starts[number + 1]].tobytes())
        keys.append(digest.hexdigest()[:32])
    return keys


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None  # the row gets an error; a photo that appears later changes the key
    return found.st_size, found.st_mtime_ns


def find_finished(
    folder: Path, form: TableForm, plan: BatchPlan, keys: Sequence[str], input_sha256: str
) -> Finished:
    """Find what earlier runs have finished of the rows of this one.

    Raises:
        BatchError: if a part is damaged, or no photo of the earlier runs is in the input.
    """
    records = _read_records(folder, form)
    wanted = {str(path) for path in plan.photo_points.paths}
    before = {path for record in records.values() for path, _, _ in record["photos"]}
    if before and wanted.isdisjoint(before):
        raise BatchError(
            f"{folder} contains a batch with different photos; choose a different --out"
        )
    parts = frozenset(
        part
        for part, record in records.items()
        if part < plan.parts and record["content"] == part_content(plan, part, keys, input_sha256)
    )
    needed = {
        keys[photo]
        for part in range(plan.parts)
        if part not in parts
        for photo in plan.photos_of(part)
    }
    answers: dict[str, TaskAnswer] = {}
    answered = set()
    for part, record in records.items():
        found = {key for _, key, _ in record["photos"]}
        answered |= found
        if part not in parts and not found.isdisjoint(needed):
            answers |= _answers_of(part_path(folder, part, form), record, needed)
    asked = {
        path
        for path, key in zip(plan.photo_points.paths.tolist(), keys, strict=True)
        if key not in answered
    }
    removed = tuple(sorted(before - wanted))
    return Finished(parts, answers, len(asked & before), len(asked - before), removed)


def part_content(plan: BatchPlan, part: int, keys: Sequence[str], input_sha256: str) -> str:
    """Digest of everything that a part depends on, except the settings in `batch.json`."""
    digest = hashlib.sha256(input_sha256.encode())
    digest.update("".join(keys[photo] for photo in plan.photos_of(part)).encode())
    digest.update(plan.rows_of(part).tobytes())
    return digest.hexdigest()


def write_with_record(
    folder: Path,
    form: TableForm,
    part: int,
    plan: BatchPlan,
    keys: Sequence[str],
    content: str,
    written: bytes,
) -> None:
    """Write a part and its record; a run killed at any time leaves both, or no part."""
    remove_part(folder, form, part)
    points = plan.photo_points
    counts = np.diff(points.starts)
    photos = [
        [str(points.paths[photo]), keys[photo], int(counts[photo])]
        for photo in plan.photos_of(part)
    ]
    sha256 = hashlib.sha256(written).hexdigest()
    record = {"sha256": sha256, "content": content, "photos": photos}
    write_text(_record_path(folder, part), json.dumps(record) + "\n")
    write_bytes(part_path(folder, part, form), written)


def remove_part(folder: Path, form: TableForm, part: int) -> None:
    """Delete a part, and then its record."""
    part_path(folder, part, form).unlink(missing_ok=True)
    _record_path(folder, part).unlink(missing_ok=True)


def stale_parts(folder: Path, parts: int) -> list[int]:
    """Numbers of recorded parts beyond the current number of parts."""
    return [part for part in _recorded(folder) if part >= parts]


def _record_path(folder: Path, part: int) -> Path:
    return folder / STATE / f"part-{part:06d}.json"


def _recorded(folder: Path) -> list[int]:
    names = (path.stem.removeprefix("part-") for path in (folder / STATE).glob("part-*.json"))
    return sorted(int(name) for name in names if name.isdecimal())


def _read_records(folder: Path, form: TableForm) -> dict[int, dict[str, Any]]:
    """Records of the parts that exist; each part is read whole and its digest compared.

    Raises:
        BatchError: if a part or its record is damaged.
    """
    records = {}
    for part in _recorded(folder):
        path = part_path(folder, part, form)
        if not path.exists():
            continue
        try:
            record = read_json(_record_path(folder, part), LISTED_BYTES)
            undamaged = record["sha256"] == file_sha256(path)
            record["photos"] = [(str(p), str(key), int(rows)) for p, key, rows in record["photos"]]
            records[part] = {"content": str(record["content"]), "photos": record["photos"]}
        except (OSError, ValueError, LookupError, TypeError, OverflowError):
            undamaged = False
        if not undamaged:
            raise BatchError(f"{path} is damaged; delete it and run the command again")
    return records


def _answers_of(path: Path, record: dict[str, Any], needed: set[str]) -> dict[str, TaskAnswer]:
    """Results of the needed photos in a part."""
    table = read_answers(path)
    answers, first = {}, 0
    for _, key, rows in record["photos"]:
        if key in needed:
            own = slice(first, first + rows)
            answers[key] = TaskAnswer(
                task=-1,
                points=np.stack([table["u"][own], table["v"][own]], axis=1),
                depth_m=table["depth_m"][own],
                range_m=table["range_m"][own],
                errors=table["error"][own],
                warnings=[],
            )
        first += rows
    return answers
