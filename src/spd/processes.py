"""Worker processes, for whatever shares work among them."""

import concurrent.futures
import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def process_pool(
    workers: int, initializer: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """A pool of processes that is shut down, with its waiting work, at the end of the block."""
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, initializer, arguments)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
