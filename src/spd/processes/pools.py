"""Pools of processes and threads, for whatever shares work among them."""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from spd.processes.ending import end_at_sigterm, end_now
from spd.terminal import interrupts_held

Part = TypeVar("Part")
Answer = TypeVar("Answer")
_LAST_S = 5.0  # for the main thread of a worker whose parent is gone


@contextlib.contextmanager
def process_pool(
    workers: int, initializer: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """A pool of processes that is shut down, with its waiting work, at the end of the block.

    The processes also end when this one is killed.
    """
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    with interrupts_held():  # this starts the resource tracker, a process
        pool = concurrent.futures.ProcessPoolExecutor(
            workers, context, _start, (initializer, arguments)
        )
    try:
        yield pool
    finally:
        with _cancelled_work_untold():
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _cancelled_work_untold() -> Iterator[None]:
    """Silence the pool's thread where a signal ends the workers while their work is cancelled.

    It then sets an error on a cancelled future, and Python prints the traceback of that.
    """
    told = threading.excepthook

    def tell(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not concurrent.futures.InvalidStateError:
            told(args)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = told


def _start(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    end_at_sigterm()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)  # the main thread ends without what it has half written
    time.sleep(_LAST_S)
    end_now(1)


def on_threads(
    answer: Callable[[Part], Answer], parts: Sequence[Part], threads: int
) -> list[Answer]:
    """Answers for all parts, in their order, from the calling thread and `threads - 1` others.

    All callers share the other threads. After an error no further part begins, and the running
    ones end before it is raised.
    """
    threads = min(threads, len(parts))
    if threads <= 1:
        return [answer(part) for part in parts]
    answers: dict[int, Answer] = {}
    waiting, lock = iter(range(len(parts))), threading.Lock()

    def work() -> None:
        try:
            while True:
                with lock:
                    number = next(waiting, None)
                if number is None:
                    return
                answers[number] = answer(parts[number])
        finally:
            with lock:
                list(waiting)  # none are left, after an error too

    others = [_pool().submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        begun = [other for other in others if not other.cancel()]
        concurrent.futures.wait(begun)
    for other in begun:
        other.result()
    return [answers[number] for number in range(len(parts))]


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
    """The other threads; as many as the machine has CPUs, because callers may ask for more."""
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "spd-share")


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
