"""Running a function on many frames of a source in several processes."""

import concurrent.futures
import concurrent.futures.process
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from spd.data.source import Source
from spd.errors import DataError, SPDError
from spd.processes import process_pool, usable_cpus
from spd.terminal import interrupts_held

Result = TypeVar("Result")
Work = Callable[[Source, int], Result]
Progress = Callable[[int, int], None]
"""Called with the number of frames done and in total."""

CHUNK = 8
"""Frames sent to a process at once."""

_given: "tuple[Source, Work[Any]] | None" = None  # set once in each worker process


def map_frames(
    source: Source, numbers: Sequence[int], work: Work[Result], workers: int | None = None
) -> Iterator[Result | SPDError]:
    """`work(source, number)` for every number, in order; an `SPDError` is yielded as a value.

    `work` is a function of a module, or a `functools.partial` of one, so that it can be pickled.
    Without `workers` there is one process per core.

    Raises:
        DataError: if a process is killed, as happens when memory runs out.
    """
    workers = workers or usable_cpus()
    if workers == 1 or len(numbers) <= 2 * CHUNK:  # starting processes costs more than it saves
        yield from (_attempt(source, work, number) for number in numbers)
        return
    try:
        with process_pool(workers, _start, (source, work)) as pool:
            with interrupts_held():  # Ctrl-C during the start is raised at the end of the block
                results = pool.map(_in_worker, numbers, chunksize=CHUNK)
            yield from results
    except concurrent.futures.process.BrokenProcessPool:
        raise DataError(
            f"{source.path}: a worker process ended unexpectedly; is there enough memory? "
            "--workers 1 needs the least"
        ) from None


def _start(source: Source, work: Work[Any]) -> None:
    global _given
    _given = source, work


def _in_worker(number: int) -> Any:
    assert _given is not None
    return _attempt(*_given, number)


def _attempt(source: Source, work: Work[Result], number: int) -> Result | SPDError:
    try:
        return work(source, number)
    except SPDError as error:
        return error
