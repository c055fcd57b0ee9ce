"""The encode queue: one thread encodes waiting photos of one input size together.

A batch costs less than its photos one after the other, and no photo's depth depends on the others
in its batch beyond float32 rounding.
"""

import dataclasses
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

from spd.scenes.scene import PhotoScene
from spd.serve.metrics import Metrics
from spd.serve.photo import PhotoInput
from spd.serve.refusals import busy, stopping

if TYPE_CHECKING:
    from spd.predictors.model_options import AnyPredictor

BATCH_PIXELS = 1_000_000
"""Pixels of all inputs of a batch; attention's memory grows with each."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Job:
    photo: PhotoInput
    future: "Future[PhotoScene]"


class EncodeQueue:
    """Photos that wait to be encoded, oldest first.

    Args:
        predictor: encodes them.
        most_waiting: limit on waiting photos; more are refused.
        batch_images: limit on photos encoded together.
        metrics: receives the size and time of each batch.
    """

    def __init__(
        self, predictor: "AnyPredictor", most_waiting: int, batch_images: int, metrics: Metrics
    ) -> None:
        self._predictor = predictor
        self._most_waiting = most_waiting
        self._batch_images = batch_images
        self._metrics = metrics
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="spd-encode", daemon=True)

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        """Start encoding."""
        self._thread.start()

    def submit(self, photo: PhotoInput) -> "Future[PhotoScene]":
        """Add a photo; cancel the future before its turn and it is not encoded.

        Raises:
            RefusalError: if too many wait, or the queue is closed.
        """
        with self._changed:
            if self._closed:
                raise stopping()
            if len(self._waiting) >= self._most_waiting:
                self._waiting = deque(job for job in self._waiting if not job.future.cancelled())
            if len(self._waiting) >= self._most_waiting:
                raise busy(
                    f"{len(self._waiting)} photos are already waiting to be encoded; post this one "
                    "again later"
                )
            job = _Job(photo, Future())
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Refuse waiting photos; the batch that is being encoded continues to its end."""
        with self._changed:
            self._closed = True
            refused, self._waiting = self._waiting, deque()
            self._changed.notify()
        for job in refused:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(stopping())

    def _run(self) -> None:
        while jobs := self._take():
            jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._answer(jobs)

    def _take(self) -> list[_Job]:
        """The oldest job and others of its input size; empty when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return []
            first = self._waiting.popleft()
            size = first.photo.input_size
            fitting = [job for job in self._waiting if size and job.photo.input_size == size]
            room = self._batch_images - 1
            if size is not None:
                room = min(room, BATCH_PIXELS // (size[0] * size[1]) - 1)
            others = fitting[: max(0, room)]
            for job in others:
                self._waiting.remove(job)
            return [first, *others]

    def _answer(self, jobs: list[_Job]) -> None:
        started = time.perf_counter()
        try:
            scenes = self._predictor.encode_many([job.photo.item for job in jobs])
        except BaseException as error:  # whatever it is, the waiting requests must get it
            if isinstance(error, MemoryError) and len(jobs) > 1:
                for job in jobs:
                    self._answer([job])
                return
            for job in jobs:
                job.future.set_exception(error)
            return
        self._metrics.batch.observe(len(jobs))
        self._metrics.encode_seconds.observe(time.perf_counter() - started)
        for job, scene in zip(jobs, scenes, strict=True):
            job.future.set_result(scene)
