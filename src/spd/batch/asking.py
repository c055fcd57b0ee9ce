"""The one place where a batch asks a network; every engine runs this, in one process or many."""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from spd.batch.cells import storable
from spd.batch.maps import Maps
from spd.errors import InputError, SPDError
from spd.pixels import inside_image, outside_error
from spd.predictors.loading import find_export, load, runtime_of

if TYPE_CHECKING:  # at run time this loads torch
    from spd.predictors.loading import AnyPredictor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """What answers, and on what; None is the default."""

    model: str | None = None
    device: str | None = None
    runtime: str | None = None
    precision: str | None = None
    threads: int | None = None
    """Of each process."""

    def open(self) -> "AnyPredictor":
        """The predictor.

        Raises:
            CheckpointError: if there is none.
            ConfigError: if it does not run there.
        """
        runtime = runtime_of(self.model, self.runtime)
        if runtime != "torch" and self.threads is not None:
            from spd.runtimes.predictor import open_export

            precision = self.precision or "float32"
            return open_export(find_export(self.model), runtime, precision, self.threads)
        return load(self.model, device=self.device, runtime=runtime, precision=self.precision)

    def limit(self) -> None:
        """Let torch take so many threads in this process, for good."""
        if self.threads is not None and runtime_of(self.model, self.runtime) == "torch":
            import torch

            torch.set_num_threads(self.threads)

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """Let it take so many in here."""
        if self.threads is None or runtime_of(self.model, self.runtime) != "torch":
            yield
            return
        import torch

        before = torch.get_num_threads()
        self.limit()
        try:
            yield
        finally:
            torch.set_num_threads(before)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """A few photos and their points."""

    task: int
    paths: list[str]
    focal_px: list[float | None]
    counts: list[int]
    """How many of the points are each photo's."""
    points: np.ndarray
    in_fractions: bool
    first_photo: int
    """The number of the first of them in the batch."""
    maps: Maps | None
    """Where maps of them go, if anywhere."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a task came to, a row a point."""

    task: int
    points: np.ndarray
    """In pixels; NaN where a grid was asked of a photo that could not be read."""
    depth_m: np.ndarray
    """float32; NaN where there is an error."""
    range_m: np.ndarray
    """float32; NaN also where the focal length is not known."""
    errors: list[str | None]
    notes: list[str]
    """What the predictor warned of."""


def ask(predictor: "AnyPredictor", question: Question) -> Answer:
    """Encode each photo once and ask all its points; what goes wrong is kept beside its rows."""
    blocks = np.split(question.points, np.cumsum(question.counts)[:-1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answered = [
            _ask_photo(predictor, question, number, points) for number, points in enumerate(blocks)
        ]
    return Answer(
        task=question.task,
        points=np.concatenate([points for points, *_ in answered]),
        depth_m=np.concatenate([depth_m for _, depth_m, _, _ in answered]),
        range_m=np.concatenate([range_m for _, _, range_m, _ in answered]),
        errors=[error and storable(error) for *_, errors in answered for error in errors],
        notes=list(dict.fromkeys(storable(str(warning.message)) for warning in caught)),
    )


def _ask_photo(
    predictor: "AnyPredictor", question: Question, number: int, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str | None]]:
    unknown = np.full(len(points), np.nan, dtype=np.float32)
    try:
        scene = predictor.encode(question.paths[number], focal_px=question.focal_px[number])
        if question.in_fractions:
            points = points * (scene.size[1], scene.size[0]) - 0.5
        depth_m = scene.depth_at(points, outside="nan")
        map_m = scene.depth_map(fast=True) if question.maps is not None else None
    except Exception as error:  # one photo must not end the batch, whatever it hits
        known = isinstance(error, SPDError)
        reason = " ".join((str(error) if known else f"{type(error).__name__}: {error}").split())
        if question.in_fractions:
            points = np.full_like(points, np.nan)
        return points, unknown, unknown, [reason] * len(points)
    if question.maps is not None and map_m is not None:
        try:  # a disk that is full is no fault of the photo, and ends the batch
            question.maps.write(question.first_photo + number, question.paths[number], map_m)
        except InputError as error:
            return points, unknown, unknown, [str(error)] * len(points)
    inside = inside_image(points[:, 0], points[:, 1], scene.size)
    range_m = unknown
    if scene.intrinsics is not None:
        range_m = (depth_m * scene.intrinsics.ray_lengths(points)).astype(np.float32)
    errors = [
        None if fine else _outside(u, v, scene.size)
        for fine, (u, v) in zip(inside.tolist(), points.tolist(), strict=True)
    ]
    return points, depth_m, range_m, errors


def _outside(u: float, v: float, size: tuple[int, int]) -> str:
    """The words for a point outside, without its number: rows are in another order here."""
    return str(outside_error(0, u, v, size)).replace("point 0 is", "the point is", 1)
