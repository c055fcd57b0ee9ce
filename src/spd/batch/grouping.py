"""Group rows by photo, so that each photo is encoded once, and cut them into parts and tasks.

The parts depend on the rows and on `photos_per_part` alone, never on the number of processes.
"""

import dataclasses
import itertools

import numpy as np

from spd.batch.inputs import Rows
from spd.batch.maps import MapFiles
from spd.batch.tasks import Task

ROWS_PER_PART = 100_000  # limit of a part, whatever its number of photos
PHOTOS_PER_TASK = 16  # photos that a process gets at a time


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PhotoPoints:
    """All photos with their points; small enough to be sent to processes."""

    paths: np.ndarray
    """Absolute path of each photo, `[P]` of `str`."""
    focal_px: np.ndarray
    """`[P]`; NaN where not known."""
    starts: np.ndarray
    """`[P + 1]` first point of each photo, and the number of points."""
    points: np.ndarray
    """`[N, 2]`, photo by photo."""
    in_fractions: bool
    """Whether points are fractions of width and height in place of pixels."""
    tasks: np.ndarray
    """`[T, 2]` range of photos of each task: first, and one past the last."""
    maps: MapFiles | None
    """Depth map files to write; None: no maps."""

    def task(self, number: int) -> Task:
        """The photos and points of one task."""
        first, end = (int(n) for n in self.tasks[number])
        starts = self.starts[first : end + 1]
        return Task(
            number=number,
            paths=self.paths[first:end].tolist(),
            focal_px=[None if np.isnan(f) else float(f) for f in self.focal_px[first:end]],
            counts=np.diff(starts).tolist(),
            points=self.points[starts[0] : starts[-1]],
            in_fractions=self.in_fractions,
            maps=self.maps,
        )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class BatchPlan:
    """Rows and tasks of each part."""

    photo_points: PhotoPoints
    order: np.ndarray
    """`[N]` input row of each point, photo by photo in order of first appearance."""
    part_photos: np.ndarray
    """First photo of each part, and the number of photos."""
    part_rows: np.ndarray
    """First entry of `order` for each part, and the number of entries."""
    part_tasks: np.ndarray
    """First task of each part, and the number of tasks."""

    @property
    def parts(self) -> int:
        """Number of parts."""
        return len(self.part_rows) - 1

    @property
    def photos(self) -> int:
        """Number of photos to encode."""
        return len(self.photo_points.starts) - 1

    def rows_of(self, part: int) -> np.ndarray:
        """Input rows of a part, in the part's order."""
        return self.order[self.part_rows[part] : self.part_rows[part + 1]]

    def maps_of(self, part: int) -> list[str] | None:
        """Map name for each row of a part; None for a batch without maps."""
        photo_points = self.photo_points
        if photo_points.maps is None:
            return None
        counts = np.diff(photo_points.starts)
        return [
            name
            for photo in self.photos_of(part)
            for name in [self.map_of(photo)] * int(counts[photo])
        ]

    def map_of(self, photo: int) -> str:
        """Name of a photo's map file; only for a batch with maps."""
        focal_px = self.photo_points.focal_px[photo]
        assert self.photo_points.maps is not None
        return self.photo_points.maps.name(
            self.photo_points.paths[photo], None if np.isnan(focal_px) else float(focal_px)
        )

    def photos_of(self, part: int) -> range:
        """The photos of a part."""
        return range(int(self.part_photos[part]), int(self.part_photos[part + 1]))

    def tasks_of(self, part: int) -> range:
        """The tasks whose answers, in order, make up the part."""
        return range(int(self.part_tasks[part]), int(self.part_tasks[part + 1]))


def plan_rows(
    rows: Rows, photos_per_part: int, *, in_fractions: bool = False, maps: MapFiles | None = None
) -> BatchPlan:
    """Group rows of one photo at one focal length, and cut the groups into parts and tasks."""
    order, starts = _by_photo(rows)
    firsts = order[starts[:-1]]
    part_photos = _cut(starts, photos_per_part)
    tasks, part_tasks = _tasks(part_photos, np.zeros(len(starts) - 1, dtype=bool))
    paths, focal_px, points = rows.path[firsts], rows.focal_px[firsts], rows.points[order]
    photo_points = PhotoPoints(paths, focal_px, starts, points, in_fractions, tasks, maps)
    return BatchPlan(photo_points, order, part_photos, starts[part_photos], part_tasks)


def separate_answered(plan: BatchPlan, answered: np.ndarray) -> BatchPlan:
    """Split the tasks, so that each has only photos of `answered` `[P]`, or none of them."""
    tasks, part_tasks = _tasks(plan.part_photos, answered)
    photo_points = dataclasses.replace(plan.photo_points, tasks=tasks)
    return dataclasses.replace(plan, photo_points=photo_points, part_tasks=part_tasks)


def _by_photo(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Row order photo by photo `[N]`, and the first entry of each photo `[P + 1]`."""
    known: dict[str, int] = {}
    codes = np.array([known.setdefault(path, len(known)) for path in rows.path], dtype=np.int64)
    focals, focal = np.unique(rows.focal_px, return_inverse=True)  # NaNs are one
    _, first, photo = np.unique(codes * len(focals) + focal, return_index=True, return_inverse=True)
    appearance = np.empty(len(first), dtype=np.int64)
    appearance[np.argsort(first)] = np.arange(len(first))
    photo = appearance[photo]
    return np.argsort(photo, kind="stable"), np.cumsum([0, *np.bincount(photo)])


def _cut(starts: np.ndarray, photos_per_part: int) -> np.ndarray:
    """First photo of every part, and the number of photos."""
    photos = len(starts) - 1
    cuts = [0]
    while cuts[-1] < photos:
        full = int(np.searchsorted(starts, starts[cuts[-1]] + ROWS_PER_PART))
        cuts.append(min(cuts[-1] + photos_per_part, full, photos))
    return np.array(cuts)


def _tasks(part_photos: np.ndarray, answered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photo range of each task, and the first task of every part with the number of tasks."""
    tasks: list[tuple[int, int]] = []
    first_of_part = [0]
    for first, end in itertools.pairwise(part_photos.tolist()):
        changes = np.flatnonzero(np.diff(answered[first:end])) + 1 + first
        for start, stop in itertools.pairwise([first, *changes.tolist(), end]):
            steps = range(start, stop, PHOTOS_PER_TASK)
            tasks += [(n, min(n + PHOTOS_PER_TASK, stop)) for n in steps]
        first_of_part.append(len(tasks))
    return np.array(tasks), np.array(first_of_part)
