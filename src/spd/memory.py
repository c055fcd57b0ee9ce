"""What does not fit into memory: asked for in smaller parts, or one clear error.

No torch here: an exported model is asked without it. Libraries say it in errors of many kinds that
have no class in common, so their words are what counts.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from spd.errors import SPDError

T = TypeVar("T")

_SAID = (
    "out of memory",  # torch on CUDA and MPS
    "DefaultCPUAllocator",  # torch on the CPU
    "Failed to allocate",  # ONNX Runtime, OpenVINO
    "bad_alloc",  # whatever C++ below them says
    "bad allocation",
)


class OutOfMemoryError(SPDError, MemoryError):
    """Memory does not suffice, and nothing that can be made smaller is left."""


@contextlib.contextmanager
def memory_for(what: str, advice: str) -> Iterator[None]:
    """Turn what any library raises for want of memory in here into one error; the rest passes.

    Raises:
        OutOfMemoryError: saying what does not fit, and what to do.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not _for_want_of_memory(error):
            raise
        raise OutOfMemoryError(f"{what} does not fit into memory; {advice}") from None


def in_parts(ask: Callable[[slice], T], count: int, size: int) -> list[T]:
    """What `ask` answers to each part of `count` things, in order; to one empty part if 0.

    Args:
        ask: answers a part.
        count: how many there are.
        size: of a part. For all that follow half of one for which memory does not suffice;
            what was answered before is kept.

    Raises:
        OutOfMemoryError: of `ask`, where it does not suffice for a single one.
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


def _for_want_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in _SAID)
