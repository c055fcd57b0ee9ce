"""Answer one task: a few photos and their points. Every engine runs this code."""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from spd.batch.maps import MapFiles
from spd.errors import InputError, SPDError
from spd.files import storable
from spd.pixels import inside_image, outside_error
from spd.predictors.model_options import AnyPredictor, ModelLocation


@contextlib.contextmanager
def restored_threads(location: ModelLocation) -> Iterator[None]:
    """Restore the number of torch's threads, which loading the model sets, after the block."""
    if location.runtime != "torch":
        yield
        return
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A few photos and their points."""

    number: int
    paths: list[str]
    focal_px: list[float | None]
    counts: list[int]
    """Number of points of each photo."""
    points: np.ndarray
    """`[N, 2]`, photo by photo, in pixels or in fractions."""
    in_fractions: bool
    """Whether points are fractions of width and height."""
    maps: MapFiles | None
    """Depth map files to write; None: no maps."""

    def photos(self) -> Iterator["Task"]:
        """Split the task into one task per photo."""
        blocks = np.split(self.points, np.cumsum(self.counts)[:-1])
        for number, points in enumerate(blocks):
            yield dataclasses.replace(
                self,
                paths=[self.paths[number]],
                focal_px=[self.focal_px[number]],
                counts=[len(points)],
                points=points,
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskAnswer:
    """Answer to a task; arrays and errors have one entry for each point."""

    task: int
    """The task's number."""
    points: np.ndarray
    """`[N, 2]` in pixels; NaN for a grid on a photo that could not be read."""
    depth_m: np.ndarray
    """`[N]` float32; NaN where there is an error."""
    range_m: np.ndarray
    """`[N]` float32; NaN also where the focal length is not known."""
    errors: list[str | None]
    warnings: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """The predictor's warnings, each with the photo's path."""

    @classmethod
    def joined(cls, answers: Sequence["TaskAnswer"]) -> "TaskAnswer":
        """Join the answers to the parts of a task, in their order."""
        return cls(
            task=answers[0].task,
            points=np.concatenate([answer.points for answer in answers]),
            depth_m=np.concatenate([answer.depth_m for answer in answers]),
            range_m=np.concatenate([answer.range_m for answer in answers]),
            errors=[error for answer in answers for error in answer.errors],
            warnings=[pair for answer in answers for pair in answer.warnings],
        )


def answer_task(predictor: "AnyPredictor", task: Task) -> TaskAnswer:
    """Encode each photo once and query all its points; an error becomes part of its rows."""
    return TaskAnswer.joined([_with_warnings(predictor, photo) for photo in task.photos()])


def _with_warnings(predictor: "AnyPredictor", photo: Task) -> TaskAnswer:
    """Answer a task of one photo, with all its warnings, also those of earlier photos."""
    predictor.warn_again()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = _answer_photo(predictor, photo)
    texts = dict.fromkeys(storable(str(warning.message)) for warning in caught)
    return dataclasses.replace(
        answer, warnings=[(text, storable(photo.paths[0])) for text in texts]
    )


def answer_of_dead(photo: Task) -> TaskAnswer:
    """The answer for one photo whose process died: an error of all its rows."""
    return _unreadable(
        photo,
        f"{photo.paths[0]} cannot be read: the process that asked it died, perhaps in a decoder or "
        "for lack of memory; save it again with another program, or scale it down",
    )


def _unreadable(photo: Task, reason: str) -> TaskAnswer:
    """An error of all rows of a photo; points in fractions have no pixels without it."""
    points = np.full_like(photo.points, np.nan) if photo.in_fractions else photo.points
    return _failed(photo, points, reason)


def _failed(photo: Task, points: np.ndarray, reason: str) -> TaskAnswer:
    """Give all points of a photo one error; its map of an earlier run is removed."""
    if photo.maps is not None:
        photo.maps.remove(photo.paths[0], photo.focal_px[0])
    unknown = np.full(len(points), np.nan, dtype=np.float32)
    return TaskAnswer(
        task=photo.number,
        points=points,
        depth_m=unknown,
        range_m=unknown,
        errors=[storable(reason)] * len(points),
    )


def _answer_photo(predictor: "AnyPredictor", photo: Task) -> TaskAnswer:
    """Answer a task of one photo."""
    path, focal_px, points = photo.paths[0], photo.focal_px[0], photo.points
    try:
        scene = predictor.encode(path, focal_px=focal_px)
        if photo.in_fractions:
            points = points * (scene.size[1], scene.size[0]) - 0.5
        depth_m = scene.depth_at(points, outside="nan")
        map_m = scene.depth_map(fast=True) if photo.maps is not None else None
    except Exception as error:  # no error of one photo may end the batch
        known = isinstance(error, SPDError)
        reason = " ".join((str(error) if known else f"{type(error).__name__}: {error}").split())
        return _unreadable(photo, reason)
    if photo.maps is not None and map_m is not None:
        try:  # a full disk is not the photo's fault, and ends the batch
            photo.maps.write(path, focal_px, map_m)
        except InputError as error:
            return _failed(photo, points, str(error))
    range_m = np.full(len(points), np.nan, dtype=np.float32)
    if scene.intrinsics is not None:
        range_m = (depth_m * scene.intrinsics.ray_lengths(points)).astype(np.float32)
    inside = inside_image(points[:, 0], points[:, 1], scene.size)
    errors = [
        None if valid else _outside(u, v, scene.size)
        for valid, (u, v) in zip(inside.tolist(), points.tolist(), strict=True)
    ]
    return TaskAnswer(
        task=photo.number, points=points, depth_m=depth_m, range_m=range_m, errors=errors
    )


def _outside(u: float, v: float, size: tuple[int, int]) -> str:
    """The error of a point outside the photo, without its number, which is not the row's."""
    return str(outside_error(0, u, v, size)).replace("point 0 is", "the point is", 1)
