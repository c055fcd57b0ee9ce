"""Engines run tasks in this process or in several processes of this machine (`ray_engine`: Ray's).

An engine yields the answers in any order and writes nothing.
"""

import dataclasses
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool

from spd.batch.grouping import PhotoPoints
from spd.batch.tasks import Task, TaskAnswer, answer_task, limited_threads
from spd.errors import BatchError, SPDError
from spd.memory import SMALLEST_LIMIT, available_bytes, limit_this_process
from spd.photos.opening import quiet_decoders
from spd.predictors.model_options import AnyPredictor, ModelLocation
from spd.processes import process_pool, threads_to_use, use_threads
from spd.terminal import interrupts_held

_AHEAD = 3  # tasks queued for each process, so that it never waits


def answers_here(
    location: ModelLocation, photo_points: PhotoPoints, tasks: Sequence[int]
) -> Generator[TaskAnswer, None, None]:
    """Answer the tasks in this process."""
    with limited_threads(location):
        predictor = location.load()
        for task in tasks:
            yield answer_task(predictor, photo_points.task(task))


def answers_of_processes(
    location: ModelLocation, photo_points: PhotoPoints, tasks: Sequence[int], workers: int
) -> Generator[TaskAnswer, None, None]:
    """Answer the tasks in `workers` processes of this machine, each with the network.

    Raises:
        BatchError: if a process dies.
    """
    waiting: set[Future[TaskAnswer]] = set()
    todo = iter(tasks)
    try:
        with process_pool(min(workers, len(tasks)), _start, (_share(location, workers),)) as pool:
            while True:
                with interrupts_held():  # submitting a task may start a process
                    for task in todo:
                        waiting.add(pool.submit(_answer, photo_points.task(task)))
                        if len(waiting) >= _AHEAD * workers:
                            break
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
    except BrokenProcessPool:
        raise BatchError(
            "a worker process died, perhaps for lack of memory; run the same command again to "
            "continue, with fewer --workers if it happens again"
        ) from None


def _share(location: ModelLocation, workers: int) -> ModelLocation:
    """The location for a worker, with its share of the threads and of the memory."""
    options, left = location.options, available_bytes()
    if options.threads is None:
        options = dataclasses.replace(options, threads=max(1, threads_to_use() // workers))
    if left is not None:
        options = dataclasses.replace(options, memory=max(SMALLEST_LIMIT, left // workers))
    return dataclasses.replace(location, options=options)


_predictor: AnyPredictor | SPDError


def _start(location: ModelLocation) -> None:
    """Load the network once."""
    global _predictor
    use_threads(location.options.threads)
    limit_this_process(location.options.memory)
    quiet_decoders()
    try:
        _predictor = location.load()
    except SPDError as error:  # raised here it would only be reported as a dead process
        _predictor = error


def _answer(task: Task) -> TaskAnswer:
    if isinstance(_predictor, SPDError):
        raise _predictor
    return answer_task(_predictor, task)
