"""Messages of `spd train` in several processes: an error is printed once, not by each of them."""

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

WAIT_S = 20.0
"""Seconds that other processes wait for the main one to fail too; torchrun then ends them.

Each process imports PyTorch, so they may start seconds apart.
"""


def is_another_process(argv: Sequence[str]) -> bool:
    """True in every process of a launched training but the main one."""
    several = os.environ.get("WORLD_SIZE", "1") not in ("", "1")
    return argv[:1] == ["train"] and several and os.environ.get("RANK", "0") not in ("", "0")


@contextmanager
def errors_of_main_first(argv: Sequence[str]) -> Iterator[None]:
    """Delay an error of any process but the main one, so that the same error is printed once.

    If the main process fails too, torchrun ends this one during the delay. If only this one fails,
    such as at a frame that only it reads, its error follows.
    """
    if not is_another_process(argv):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the main process prints the same ones
        try:
            yield
        except Exception:  # also the broken connection to a main process that has ended
            time.sleep(WAIT_S)
            raise
