"""Who lets the network be asked: this process, several of this machine, or Ray's.

An engine takes tasks and gives their answers in any order; it neither writes nor decides anything.
"""

import concurrent.futures
import multiprocessing
import os
import threading
from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from spd.batch.asking import Answer, Computation, Question, ask
from spd.batch.grouping import Questions
from spd.errors import BatchError, SPDError
from spd.terminal import interrupts_held

if TYPE_CHECKING:
    from spd.predictors.loading import AnyPredictor

_AHEAD = 3  # tasks a process has waiting, so that it never waits itself


def answers_here(
    computed: Computation, questions: Questions, tasks: Sequence[int]
) -> Generator[Answer, None, None]:
    """In this process."""
    with computed.limited():
        predictor = computed.open()
        for task in tasks:
            yield ask(predictor, questions.of_task(task))


def answers_of_processes(
    computed: Computation, questions: Questions, tasks: Sequence[int], workers: int
) -> Generator[Answer, None, None]:
    """In `workers` processes of this machine, each with the network.

    Raises:
        BatchError: if one of them dies.
    """
    pool = concurrent.futures.ProcessPoolExecutor(
        min(workers, len(tasks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(computed,),
    )
    waiting: set[concurrent.futures.Future[Answer]] = set()
    todo = iter(tasks)
    try:
        while True:
            with interrupts_held():  # processes are started as tasks come in
                for task in todo:
                    waiting.add(pool.submit(_ask, questions.of_task(task)))
                    if len(waiting) >= _AHEAD * workers:
                        break
            if not waiting:
                return
            done, waiting = concurrent.futures.wait(
                waiting, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise BatchError(
            "a process died, perhaps for want of memory; the same command goes on, with fewer "
            "--workers if it happens again"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_predictor: "AnyPredictor | SPDError"


def _start(computed: Computation) -> None:
    """Load the network once; and end when the process that asks has been killed."""
    global _predictor
    threading.Thread(target=_end_with_parent, daemon=True).start()
    computed.limit()
    try:
        _predictor = computed.open()
    except SPDError as error:  # raised here it would say no more than that a process died
        _predictor = error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _ask(question: Question) -> Answer:
    if isinstance(_predictor, SPDError):
        raise _predictor
    return ask(_predictor, question)
