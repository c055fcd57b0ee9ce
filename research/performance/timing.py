"""Medians of calls that take turns, peak memory of a call, and the matrix-product rate."""

import concurrent.futures
import dataclasses
import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

from spd.terminal import interrupts_held

P = ParamSpec("P")
T = TypeVar("T")
Name = TypeVar("Name", bound=Hashable)

LEAST_REPEATS = 3
MOST_REPEATS = 200
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # what the kernel's documentation writes there to reset VmHWM


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure a case."""

    repeats: int = 15
    """Fewest calls, unless they take longer than `seconds`."""
    seconds: float = 20.0
    """Most seconds of a case; at least three calls are made however long they take."""
    short_s: float = 0.5
    """Fewest seconds of a case, but at most 200 calls."""

    def is_enough(self, calls: int, spent_s: float) -> bool:
        """Whether a case may end after this many calls that took `spent_s` together."""
        if calls < LEAST_REPEATS:
            return False
        if spent_s > self.seconds or calls >= MOST_REPEATS:
            return True
        return calls >= self.repeats and spent_s >= self.short_s


def take_turns(
    jobs: Mapping[Name, Callable[[], object]], effort: Effort
) -> dict[Name, dict[str, Any]]:
    """Median and quartiles of every job in seconds, after warm-up calls that do not count.

    Every job is called once, then every job again: a slow minute slows all of them. Warm-up is two
    calls of a job, or one that takes a second.
    """
    for work in jobs.values():
        started = time.perf_counter()
        work()
        if time.perf_counter() - started < 1:
            work()
    seconds: dict[Name, list[float]] = {name: [] for name in jobs}
    left = list(jobs)
    while left:
        for name in left:
            started = time.perf_counter()
            jobs[name]()
            seconds[name].append(time.perf_counter() - started)
        left = [n for n in left if not effort.is_enough(len(seconds[n]), sum(seconds[n]))]
    return {name: summary(times) for name, times in seconds.items()}


def summary(seconds: list[float]) -> dict[str, Any]:
    """Median, quartiles and number of times, for JSON."""
    low, middle, high = (
        statistics.quantiles(seconds, n=4, method="inclusive")
        if len(seconds) > 1
        else (seconds[0],) * 3
    )
    return {"median_s": middle, "quartiles_s": [low, high], "repeats": len(seconds)}


def extra_bytes(work: Callable[[], object]) -> int | None:
    """Peak memory that a call adds to the process, in bytes; None if the system cannot tell.

    It is that of the whole process, so allocations of every library count. Measure one call per
    process: memory that the allocator kept from earlier calls would not be counted.
    """
    gc.collect()
    if not _STATUS.is_file() or not _CLEAR.is_file():
        return None
    try:
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return None
    before = _status("VmRSS")
    work()
    return max(0, _status("VmHWM") - before)


def matrix_rate(seconds: float = 1.0, size: int = 2048) -> float:
    """Median floating-point operations per second of a float32 matrix product in torch."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty_like(a)
    effort = Effort(repeats=LEAST_REPEATS, seconds=seconds, short_s=seconds)
    with torch.inference_mode():
        timed = take_turns({"product": lambda: torch.mm(a, b, out=out)}, effort)["product"]
    return 2 * size**3 / timed["median_s"]


def in_own_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a call in a new process, without state of other cases.

    Raises:
        concurrent.futures.process.BrokenProcessPool: if it was killed, such as for lack of memory.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        with interrupts_held():
            result = pool.submit(function, *args, **kwargs)
        return result.result()


def _status(key: str) -> int:
    for line in _STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 0
