"""Messages of `spd train` in several processes: an error is printed once, not by each of them."""

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

WAIT_S = 20.0
"""Seconds that the other processes leave to the main one to fail too. torchrun ends them then.

Processes of one start may be seconds apart, since each of them imports PyTorch.
"""


def is_another_process(argv: Sequence[str]) -> bool:
    """Whether this is a process of a launched training other than the main one."""
    several = os.environ.get("WORLD_SIZE", "1") not in ("", "1")
    return argv[:1] == ["train"] and several and os.environ.get("RANK", "0") not in ("", "0")


@contextmanager
def errors_of_main_first(argv: Sequence[str]) -> Iterator[None]:
    """Let an error of another process than the main one wait until the main one has had its own.

    Where the main process fails too, torchrun ends this one meanwhile, so that nothing is printed
    twice. Where only this one fails, such as at a frame of its own, its error follows.
    """
    if not is_another_process(argv):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the main process has the same ones
        try:
            yield
        except Exception:  # also the broken connection to a main process that has ended
            time.sleep(WAIT_S)
            raise
