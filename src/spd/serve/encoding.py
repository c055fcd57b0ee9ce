"""The queue before the network: one thread takes those waiting whose inputs have one size.

Together they cost less than one after the other, and no photo's answer depends on its company
beyond float32's rounding.
"""

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from spd.scenes.photo_predictor import Prepared
from spd.scenes.scene import PhotoScene
from spd.serve.metrics import Metrics
from spd.serve.photo import Ready, Unplanned
from spd.serve.refusals import busy, stopping

if TYPE_CHECKING:
    from spd.predictors.loading import AnyPredictor

BATCH_PIXELS = 1_000_000
"""Of all inputs of a batch; attention's memory grows with each."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Job:
    ready: Ready
    future: "Future[PhotoScene]"


class EncodeQueue:
    """Photos that wait for the network, oldest first.

    Args:
        predictor: whose network.
        most_waiting: photos; more are refused.
        batch_images: encoded together at most.
        metrics: gets batches and their time.
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
        """Begin to take photos."""
        self._thread.start()

    def submit(self, ready: Ready) -> "Future[PhotoScene]":
        """Wait for the network; a future that is cancelled before its turn costs nothing.

        Raises:
            RefusalError: if too many wait, or the queue is closed.
        """
        with self._changed:
            if self._closed:
                raise stopping()
            if len(self._waiting) >= self._most_waiting:
                self._waiting = deque(job for job in self._waiting if not job.future.cancelled())
            if len(self._waiting) >= self._most_waiting:
                raise busy(f"{len(self._waiting)} photos wait already; post this one again later")
            job = _Job(ready, Future())
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Refuse those who wait; what is with the network goes on to its end."""
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
        """The oldest and those that fit to it; nothing when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return []
            first = self._waiting.popleft()
            size = first.ready.input_size
            fitting = [job for job in self._waiting if size and job.ready.input_size == size]
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
            scenes = self._encode([job.ready.item for job in jobs])
        except BaseException as error:  # whatever it is, those who wait must hear of it
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

    def _encode(self, items: Sequence[Prepared | Unplanned]) -> Sequence[PhotoScene]:
        together = [item for item in items if isinstance(item, Prepared)]
        if together:
            encode_many: Callable[[Sequence[Prepared]], Sequence[PhotoScene]]
            encode_many = self._predictor.encode_many  # type: ignore[union-attr]  # see Prepared
            return encode_many(together)
        return [
            self._predictor.encode(
                item.photo,
                focal_px=item.camera.focal_px,
                fov_deg=item.camera.fov_deg,
                intrinsics=item.camera.intrinsics,
            )
            for item in items
            if isinstance(item, Unplanned)
        ]
