"""Handling of insufficient memory: work in smaller parts, or one clear error.

Libraries report it in errors of many unrelated classes, so this module looks at their messages.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from spd.errors import SPDError

T = TypeVar("T")

_MESSAGES = (
    "out of memory",  # torch on CUDA and MPS
    "DefaultCPUAllocator",  # torch on the CPU
    "Failed to allocate",  # ONNX Runtime, OpenVINO
    "can't alloc",  # OpenVINO
    "bad_alloc",  # C++ code below any of them
    "bad allocation",
)


class OutOfMemoryError(SPDError, MemoryError):
    """Memory does not suffice, and the work cannot be divided further."""


@contextlib.contextmanager
def memory_for(what: str, advice: str) -> Iterator[None]:
    """Convert any library's out-of-memory error raised in this context; others pass unchanged.

    Args:
        what: the work, as the subject of the message.
        advice: the remedy, as the end of the message.

    Raises:
        OutOfMemoryError: naming the work and the remedy.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(f"{what} needs more memory than is available; {advice}") from None


def in_parts(ask: Callable[[slice], T], count: int, size: int) -> list[T]:
    """Call `ask` for consecutive parts of `count` things and return the answers in order.

    A part that does not fit into memory is halved, and so are all later ones. If `count` is 0,
    `ask` is called once, with an empty slice.

    Args:
        ask: computes the answer for a slice.
        count: number of things.
        size: things per part, at most.

    Raises:
        OutOfMemoryError: from `ask`, if a single thing does not fit.
    """
    answers: list[T] = []
    start = 0
    while start < count or not answers:
        part = slice(start, min(start + size, count))
        try:
            answers.append(ask(part))
        except OutOfMemoryError:
            if part.stop - start <= 1:
                raise
            size = (part.stop - part.start) // 2
        else:
            start = part.stop
    return answers


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in _MESSAGES)
