"""Engines run tasks in this process or in several processes of this machine (`ray_engine`: Ray's).

An engine yields the answers in any order and writes nothing.
"""

import collections
import dataclasses
import json
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from spd.batch.grouping import PhotoPoints
from spd.batch.tasks import Task, TaskAnswer, answer_of_dead, answer_task, restored_threads
from spd.errors import BatchError, SPDError
from spd.files import LISTED_BYTES, read_json, storable, write_text
from spd.memory import SMALLEST_LIMIT, available_bytes, limit_this_process
from spd.photos.opening import quiet_decoders
from spd.predictors.model_options import AnyPredictor, ModelLocation
from spd.processes import process_pool, threads_to_use, use_threads
from spd.terminal import interrupts_held

ASKED = "asked.json"
"""File in a batch's folder: photos that its only process is asking, gone when it ends."""
_AHEAD = 3  # tasks queued for each process, so that it never waits


def answers_here(
    location: ModelLocation, photo_points: PhotoPoints, tasks: Sequence[int], folder: Path
) -> Generator[TaskAnswer, None, None]:
    """Answer the tasks in this process.

    A decoder that crashes, or the system's out-of-memory killer, ends this process with no word, so
    the photos of a task are noted in the batch's `folder`. The next run asks what is noted in a
    process of its own.

    Raises:
        BatchError: if a process cannot load the network.
    """
    noted = folder / ASKED
    before = _noted_photos(noted)
    wanted = {task: photo_points.task(task) for task in tasks} if before else {}
    suspects = [
        task for task in wanted.values() if not before.isdisjoint(map(storable, task.paths))
    ]
    yield from _answers_alone(_share(location, 1), suspects)
    asked = {task.number for task in suspects}
    try:
        with restored_threads(location):
            predictor = location.load()
            for number in tasks:
                if number not in asked:
                    task = photo_points.task(number)
                    write_text(noted, json.dumps([storable(path) for path in task.paths]))
                    yield answer_task(predictor, task)
    finally:
        noted.unlink(missing_ok=True)


def _noted_photos(noted: Path) -> set[str]:
    try:
        return {str(path) for path in read_json(noted, LISTED_BYTES)}
    except (OSError, ValueError, TypeError):  # no run died
        return set()


def answers_of_processes(
    location: ModelLocation, photo_points: PhotoPoints, tasks: Sequence[int], workers: int
) -> Generator[TaskAnswer, None, None]:
    """Answer the tasks in `workers` processes of this machine, each with the network.

    After the death of a process the photos that were being asked are asked again one at a time; a
    photo whose process dies again has an error.

    Raises:
        BatchError: if a process cannot load the network.
    """
    todo = collections.deque(tasks)
    location = _share(location, workers)
    while todo:
        asked: dict[Future[TaskAnswer], int] = {}
        try:
            yield from _answers_together(location, photo_points, todo, workers, asked)
        except BrokenProcessPool:
            suspects = [photo_points.task(number) for number in sorted(asked.values())]
            yield from _answers_alone(location, suspects)


def _answers_together(
    location: ModelLocation,
    photo_points: PhotoPoints,
    todo: collections.deque[int],
    workers: int,
    asked: dict[Future[TaskAnswer], int],
) -> Generator[TaskAnswer, None, None]:
    """Answer tasks; those without an answer stay in `todo`, or in `asked` once they were begun."""
    with process_pool(min(workers, len(todo)), _start, (location,)) as pool:
        while todo or asked:
            with interrupts_held():  # submitting a task may start a process
                while todo and len(asked) < _AHEAD * workers:
                    future = pool.submit(_answer, photo_points.task(todo[0]))
                    asked[future] = todo.popleft()
            for future in wait(asked, return_when=FIRST_COMPLETED).done:
                answer = future.result()
                del asked[future]
                yield answer


def _answers_alone(
    location: ModelLocation, tasks: Sequence[Task]
) -> Generator[TaskAnswer, None, None]:
    """Answer tasks photo by photo in one process; a photo whose process dies has an error."""
    photos = collections.deque(photo for task in tasks for photo in task.photos())
    answers: dict[int, list[TaskAnswer]] = collections.defaultdict(list)
    while photos:
        with process_pool(1, _start, (location,)) as pool:
            try:
                with interrupts_held():  # it starts the process
                    loaded = pool.submit(_load)
                loaded.result()
            except BrokenProcessPool:
                raise BatchError(
                    "a worker process died while it loaded the model, perhaps for lack of memory; "
                    "run the same command again to continue, with fewer --workers if it happens "
                    "again"
                ) from None
            alive = True
            while photos and alive:
                try:
                    answer = pool.submit(_answer, photos[0]).result()
                except BrokenProcessPool:
                    answer, alive = answer_of_dead(photos[0]), False
                photo = photos.popleft()
                answers[photo.number].append(answer)
                if not photos or photos[0].number != photo.number:
                    yield TaskAnswer.joined(answers.pop(photo.number))


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


def _load() -> None:
    """Do nothing beyond the loading of the network by `_start`."""


def _answer(task: Task) -> TaskAnswer:
    if isinstance(_predictor, SPDError):
        raise _predictor
    return answer_task(_predictor, task)
