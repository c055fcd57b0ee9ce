"""The end of a worker process that is told to end in the middle of its work."""

import os
import shutil
import signal
from types import FrameType

unfinished: set[str] = set()
"""Temporary folders that this process is writing into."""


def end_now(code: int) -> None:
    """End this process at once, without what it has half written."""
    for folder in list(unfinished):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(code)


def end_at_sigterm() -> None:
    """End this process by SIGTERM without a message and without half-written files.

    Whoever sends it to a whole process group sends it to the workers too.
    """
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    end_now(128 + number)


def ignore_sigterm(worker: int) -> None:
    """Leave SIGTERM to the main process, which ends its workers; for torch's DataLoader.

    Args:
        worker: number of the worker.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
