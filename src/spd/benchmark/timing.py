"""Median and quartiles of the time of a call; torch's own timer where torch is installed."""

import dataclasses
import importlib.util
import statistics
import time
from collections.abc import Callable

FEWEST, MOST = 3, 200
"""Calls that the loop without torch makes at least and at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one call."""

    median_s: float
    quartiles_s: tuple[float, float]
    """First and third quartile."""
    repeats: int
    """Number of measurements; each averages several calls where calls are short."""


def time_call(call: Callable[[], object], seconds: float, threads: int) -> Timing:
    """Time a call repeatedly after a warm-up call that does not count.

    Args:
        call: the work.
        seconds: total time to measure for; a call that takes longer is measured 3 times.
        threads: threads of torch.
    """
    call()
    if importlib.util.find_spec("torch") is None:
        return _summary(_loop(call, seconds))
    from torch.utils.benchmark import Timer

    timer = Timer("call()", globals={"call": call}, num_threads=threads)
    times = list(timer.blocked_autorange(min_run_time=seconds).times)
    while len(times) < FEWEST:
        times += timer.timeit(1).times
    return _summary(times)


def _loop(call: Callable[[], object], seconds: float) -> list[float]:
    times: list[float] = []
    while len(times) < FEWEST or (sum(times) < seconds and len(times) < MOST):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def _summary(times: list[float]) -> Timing:
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(middle, (low, high), len(times))
