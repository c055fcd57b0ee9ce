"""Repairs after a fork: the threads of the parent are gone, the locks they held are not.

A forked process (Linux's default start method before Python 3.14) has a copy of every thread pool
and none of its threads, so work that is handed to a pool never ends. Here the pools are made again
(`PerProcess`), reduced to the calling thread (torch's), or refused (OpenVINO's).
"""

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from spd.errors import SPDError

T = TypeVar("T")

_torch_was_loaded = False
_kept: "weakref.WeakSet[Any]" = weakref.WeakSet()
_locks: "weakref.WeakSet[SafeLock]" = weakref.WeakSet()


class ForkError(SPDError):
    """A library cannot compute in this forked process."""


class PerProcess(Generic[T]):
    """Something with threads of its own, opened again in a forked process at first use.

    The parent's copy is never released there: releasing it waits for threads that are gone.

    Args:
        open: opens it; called at once.
    """

    def __init__(self, open: Callable[[], T]) -> None:
        self._open = open
        self._held = _Held(open())

    def get(self) -> T:
        """The object of this process; two threads of a forked process may each open one."""
        if self._held.process != os.getpid():
            self._held = _Held(self._open())
        return self._held.value


class _Held(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value
        self.process = os.getpid()
        keep_in_forks(self)


def keep_in_forks(holder: object) -> None:
    """Never release an object in a forked process, where its release may wait for ever."""
    _kept.add(holder)


class SafeLock:
    """A lock that is free in a forked process, whichever thread of the parent held it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Replace the lock by a free one."""
        self._lock = threading.Lock()


def limit_torch(threads: int) -> None:
    """Set the number of torch's threads; if torch was loaded before a fork, it stays one."""
    import torch

    torch.set_num_threads(1 if _torch_was_loaded else threads)


def refuse_fork(process: int, what: str) -> None:
    """Refuse work in a process that was forked from the one that started its threads.

    Args:
        process: id of the process that started them.
        what: name of the library.

    Raises:
        ForkError: naming what to do.
    """
    if process != os.getpid():
        raise ForkError(
            f"{what} cannot compute in a forked process; start processes with "
            'multiprocessing.get_context("spawn"), or load the model with runtime="onnxruntime" '
            'or "torch" (docs/parallel.md)'
        )


def _after_fork() -> None:
    global _torch_was_loaded
    for lock in list(_locks):
        lock.renew()
    for holder in list(_kept):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(holder))
    torch = sys.modules.get("torch")
    set_threads = getattr(torch, "set_num_threads", None)
    if set_threads is not None:
        _torch_was_loaded = True
        set_threads(1)  # OpenMP would wait for threads of the parent; one thread needs none


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
