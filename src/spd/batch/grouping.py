"""Rows brought together by photo, so that each is encoded once, and cut into parts and tasks.

How rows are cut depends on them and on `photos_per_part` alone, never on how many processes
compute: part 7 holds the same rows whoever writes it, which is why parts say what is done.
"""

import dataclasses
from typing import Any

import numpy as np

from spd.batch.asking import Question
from spd.batch.inputs import Rows, path_text
from spd.batch.maps import Maps

ROWS_PER_PART = 100_000  # a part is closed when it has so many, whatever its photos
PHOTOS_PER_TASK = 16  # what a process is handed at a time


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Every photo with its points, one after the other; small enough to be sent to processes."""

    paths: Any
    """Of each photo, absolute; an array of pyarrow, in bytes."""
    focal_px: np.ndarray
    """Of each photo; NaN where not known."""
    starts: np.ndarray
    """Where the points of each photo begin, and after the last where they end."""
    points: np.ndarray
    """`[N, 2]`, photo by photo."""
    in_fractions: bool
    """Whether points are fractions of width and height in place of pixels."""
    tasks: np.ndarray
    """`[T, 2]` first photo of a task, and the first that it has no more."""
    maps: Maps | None
    """Where maps of photos go, if anywhere."""

    def of_task(self, task: int) -> Question:
        """What a task is about."""
        first, end = (int(n) for n in self.tasks[task])
        starts = self.starts[first : end + 1]
        focal_px = [None if np.isnan(f) else float(f) for f in self.focal_px[first:end]]
        return Question(
            task=task,
            paths=[path_text(p) for p in self.paths.slice(first, end - first).to_pylist()],
            focal_px=focal_px,
            counts=np.diff(starts).tolist(),
            points=self.points[starts[0] : starts[-1]],
            in_fractions=self.in_fractions,
            first_photo=first,
            maps=self.maps,
        )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Which rows are where."""

    questions: Questions
    order: np.ndarray
    """The rows of the input, photo by photo in order of first appearance."""
    part_rows: np.ndarray
    """Where the rows of each part begin in that order, and after the last where they end."""
    part_tasks: np.ndarray
    """The same of its tasks."""

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self.part_rows) - 1

    @property
    def photos(self) -> int:
        """How many are encoded."""
        return len(self.questions.starts) - 1

    def rows_of(self, part: int) -> np.ndarray:
        """The rows of the input that a part answers, in its order."""
        return self.order[self.part_rows[part] : self.part_rows[part + 1]]

    def maps_of(self, part: int) -> list[str] | None:
        """The name of the map that each row of a part has, if its photo could be read."""
        questions = self.questions
        if questions.maps is None:
            return None
        rows = np.arange(self.part_rows[part], self.part_rows[part + 1])
        photos = np.searchsorted(questions.starts, rows, side="right") - 1
        return [
            questions.maps.name(n, path_text(questions.paths[n].as_py())) for n in photos.tolist()
        ]

    def tasks_of(self, part: int) -> range:
        """The tasks whose answers, one after the other, are the part."""
        return range(int(self.part_tasks[part]), int(self.part_tasks[part + 1]))


def plan_rows(
    rows: Rows, photos_per_part: int, *, in_fractions: bool = False, maps: Maps | None = None
) -> Plan:
    """Bring rows together that ask one photo at one focal length, and cut them into parts."""
    order, starts = _by_photo(rows)
    firsts = order[starts[:-1]]
    part_photos = _cut(starts, photos_per_part)
    tasks, part_tasks = _tasks(part_photos)
    return Plan(
        Questions(
            rows.path.take(firsts),
            rows.focal_px[firsts],
            starts,
            rows.points[order],
            in_fractions,
            tasks,
            maps,
        ),
        order,
        starts[part_photos],
        part_tasks,
    )


def _by_photo(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """The rows photo by photo, and where each photo's begin."""
    import pyarrow as pa

    paths = rows.path if isinstance(rows.path, pa.ChunkedArray) else pa.chunked_array([rows.path])
    path = paths.dictionary_encode().unify_dictionaries().combine_chunks()
    codes = path.indices.to_numpy().astype(np.int64)
    focals, focal = np.unique(rows.focal_px, return_inverse=True)  # NaNs are one
    _, first, photo = np.unique(codes * len(focals) + focal, return_index=True, return_inverse=True)
    appearance = np.empty(len(first), dtype=np.int64)
    appearance[np.argsort(first)] = np.arange(len(first))
    photo = appearance[photo]
    counts = np.bincount(photo)
    return np.argsort(photo, kind="stable"), np.concatenate([[0], np.cumsum(counts)])


def _cut(starts: np.ndarray, photos_per_part: int) -> np.ndarray:
    """The first photo of every part, and their number."""
    photos = len(starts) - 1
    cuts = [0]
    while cuts[-1] < photos:
        full = int(np.searchsorted(starts, starts[cuts[-1]] + ROWS_PER_PART))
        cuts.append(min(cuts[-1] + photos_per_part, full, photos))
    return np.array(cuts)


def _tasks(part_photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All tasks as ranges of photos, and the first task of every part."""
    tasks: list[tuple[int, int]] = []
    first_of_part = [0]
    for first, end in zip(part_photos[:-1].tolist(), part_photos[1:].tolist(), strict=True):
        tasks += [(n, min(n + PHOTOS_PER_TASK, end)) for n in range(first, end, PHOTOS_PER_TASK)]
        first_of_part.append(len(tasks))
    return np.array(tasks), np.array(first_of_part)
