"""The memory limit of this process, and reservations for large work.

Work that needs much memory predicts how much and reserves it first. Work that cannot fit is refused
before it begins, with the predicted amount; work that does not fit beside other threads waits.
"""

import contextlib
import ctypes
import gc
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator

from spd.errors import ConfigError, shown
from spd.memory import machine
from spd.memory.shortage import OutOfMemoryError

SMALLEST_LIMIT = 256_000_000
"""Smallest limit in bytes that may be set: the program itself takes about 150 MB."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_PATIENCE_S = 120.0  # longest wait for the work of other threads
_SURE_S = 1.0  # how long half of the measured memory counts as left
_EVERYTHING = 1 << 62
_SPARE_BYTES = 48_000_000  # for Python's own objects and free lists

_changed = threading.Condition()
_limit: int | None = None
_process_is_ours = False
_outstanding: dict[int, int] = {}  # bytes reserved by each thread
_sure_bytes = 0  # that may be reserved without another measurement, which takes a while
_sure_until = 0.0


class MemoryLimitError(OutOfMemoryError):
    """Work needs more memory than is left, although no other work is running; it was not begun.

    Args:
        message: text of the error.
        needed_bytes: prediction of what the work needs.
    """

    def __init__(self, message: str, needed_bytes: int = 0) -> None:
        super().__init__(message)
        self.needed_bytes = needed_bytes


def parse_bytes(text: str | int) -> int:
    """A number of bytes from text such as `2GB`, `1.5 GiB`, `800M` or `2000000000`.

    Raises:
        ConfigError: if it has another form, or is below `SMALLEST_LIMIT`.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", str(text).lower())
    if found is None:
        raise ConfigError(f"memory must be a size such as 2GB, 1.5GiB or 800MB, got {shown(text)}")
    number, unit, binary = found.groups()
    size = int(min(float(number) * (_BINARY if binary else _UNITS)[unit], _EVERYTHING))
    if size < SMALLEST_LIMIT:
        raise ConfigError(
            f"memory must be at least {SMALLEST_LIMIT // 10**6} MB, which the program and a small "
            f"photo take, got {shown(text)}"
        )
    return size


def limit_memory(limit: str | int | None) -> None:
    """Set the memory limit of this process; None: only what the machine or container leaves.

    Args:
        limit: bytes, or text such as `2GB`.

    Raises:
        ConfigError: if it is not a size, or too small.
    """
    global _limit, _sure_until
    _sure_until = 0.0
    _limit = None if limit is None else parse_bytes(limit)


def own_this_process() -> None:
    """Let `limit_this_process` set limits of the operating system: this process runs a command."""
    global _process_is_ours
    _process_is_ours = True


def limit_this_process(limit: str | int | None) -> None:
    """Set the limit as `limit_memory` does, and in a command of SPD also `RLIMIT_DATA`.

    Only on Linux. With `RLIMIT_DATA`, a wrong prediction ends in an error, and the process is not
    killed. Child processes inherit it. It is not set in other programs, which import SPD.

    Raises:
        ConfigError: if it is not a size, or too small.
    """
    limit_memory(limit)
    left = available_bytes()
    if not _process_is_ours or sys.platform != "linux" or left is None:
        return
    import resource

    most = machine.data_bytes() + left
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if all(known == resource.RLIM_INFINITY or most < known for known in (soft, hard)):
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def available_bytes() -> int | None:
    """Memory that this process may still take; None where nothing limits it."""
    left = machine.left_bytes()
    if _limit is None:
        return left
    return max(0, min(_limit - machine.held_bytes(), _limit if left is None else left))


@contextlib.contextmanager
def reserved(needed_bytes: int, what: str, advice: str) -> Iterator[None]:
    """Reserve memory for the work of this context.

    While other threads hold reservations it may wait for them. Reservations of one thread may be
    nested.

    Args:
        needed_bytes: the most that the work adds to what the process holds.
        what: the work, as the subject of the message.
        advice: the remedy, as the end of the message.

    Raises:
        MemoryLimitError: if it does not fit although no other thread holds a reservation.
        OutOfMemoryError: if other threads left no room for two minutes.
    """
    me = threading.get_ident()
    _wait_for(needed_bytes, me, what, advice)
    try:
        yield
    finally:
        with _changed:
            _outstanding[me] -= needed_bytes  # 0 stays: the number of threads is small
            _changed.notify_all()


def _wait_for(needed_bytes: int, me: int, what: str, advice: str) -> None:
    global _sure_bytes, _sure_until
    last = time.monotonic() + _PATIENCE_S
    tidied = False
    with _changed:
        if needed_bytes <= _sure_bytes and time.monotonic() < _sure_until:
            _sure_bytes -= needed_bytes
            _outstanding[me] = _outstanding.get(me, 0) + needed_bytes
            return
        while True:
            others = sum(size for thread, size in _outstanding.items() if thread != me)
            left = available_bytes()
            if left is None or needed_bytes + others + _SPARE_BYTES <= left:
                _outstanding[me] = _outstanding.get(me, 0) + needed_bytes
                room = _EVERYTHING if left is None else left - needed_bytes - others - _SPARE_BYTES
                _sure_bytes, _sure_until = room // 2, time.monotonic() + _SURE_S
                return
            if not tidied:
                tidied = True
                _return_free_memory()
            elif others and time.monotonic() < last:
                _changed.wait(1.0)
            else:
                break
    needed = in_words(needed_bytes, math.ceil)  # never the same text as what is left
    rest = in_words(max(0, left - others - _SPARE_BYTES), math.floor)
    message = f"{what} needs about {needed} of memory, but only {rest} {_of_the_limit()}; {advice}"
    raise OutOfMemoryError(message) if others else MemoryLimitError(message, needed_bytes)


def _after_fork() -> None:
    """In a forked child nothing is reserved, and the lock may be held by a thread that is gone."""
    global _changed
    _changed = threading.Condition()
    _outstanding.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _of_the_limit() -> str:
    if _limit is None:
        return "can be used here"
    return f"of the limit of {in_words(_limit)} are left"


def in_words(size: int, rounded: Callable[[float], int] = round) -> str:
    """A number of bytes for people, such as `1.2 GB`."""
    if size >= 10**9:
        return f"{rounded(size / 1e7) / 100:g} GB"
    return f"{rounded(size / 1e6)} MB"


def _return_free_memory() -> None:
    """Let glibc return freed memory to the system, so that it does not count as held."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, TypeError, AttributeError):  # another system or C library
        return
