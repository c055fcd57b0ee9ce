"""The CPUs that this process may use, and the number of threads that follows from them."""

import operator
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from spd.errors import ConfigError, shown
from spd.memory.machine import cgroup_folders
from spd.processes.forks import limit_torch

THREADS = "OMP_NUM_THREADS"
"""Environment variable with the number of threads of all numeric libraries."""

MOST_THREADS = 1024
"""More threads than any machine has CPUs; starting a million would end the process."""

_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


def usable_cpus() -> int:
    """CPUs that this process may use: its affinity and the CPU quotas of its control groups.

    A quota of one and a half CPUs counts as one: the system would pause some of two threads.
    """
    return max(1, min((_allowed(), *(int(cpus) for cpus in _quotas()))))


def threads_to_use(threads: int | None = None) -> int:
    """Number of threads: the given one, else `OMP_NUM_THREADS`, else one per usable CPU.

    Raises:
        ConfigError: if the given one is not a whole number from 1 to 1,024.
    """
    if threads is not None:
        return _checked(threads)
    first = os.environ.get(THREADS, "").split(",")[0].strip()  # further ones are of nested teams
    known = first.isdecimal() and len(first) < 10 and int(first) > 0
    return min(int(first), MOST_THREADS) if known else usable_cpus()


def use_threads(threads: int | None) -> None:
    """Set the number of threads of this process and of those it starts; None: no change.

    Raises:
        ConfigError: if it is not a whole number from 1 to 1,024.
    """
    if threads is None:
        return
    threads = _checked(threads)
    os.environ[THREADS] = str(threads)
    if sys.modules.get("torch") is not None:
        limit_torch(threads)


def use_usable_cpus() -> None:
    """Let numeric libraries use as many threads as CPUs, unless the user has set their number.

    They follow the affinity, but not the quota of a container.
    """
    if usable_cpus() < _allowed():
        os.environ.setdefault(THREADS, str(usable_cpus()))


def wait_passively() -> None:
    """Let the threads of OpenMP sleep soon while they wait, unless the user has set how they wait.

    Threads that spin for long take the CPUs of other work: a training step beside one busy process
    took up to 28 times as long. Threads that never spin are slow to wake: on an idle machine, the
    step took twice as long (docs/parallel.md has the times). OpenMP reads this when torch is
    imported, so call it before.
    """
    if not any(name in os.environ for name in _WAITING):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ["GOMP_SPINCOUNT"] = "1500"  # GNU's OpenMP: about a tenth of a millisecond
        os.environ["KMP_BLOCKTIME"] = "0"  # Intel's OpenMP, which some builds of torch use


def _checked(threads: int) -> int:
    try:
        count = 0 if isinstance(threads, bool) else operator.index(threads)
    except Exception:  # whatever the given object raises
        count = 0
    if not 1 <= count <= MOST_THREADS:
        raise ConfigError(
            f"threads must be a whole number from 1 to {MOST_THREADS}, got {shown(threads)}"
        )
    return count


def _allowed() -> int:
    """CPUs of the affinity; of the machine where the system has none."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13; also obeys PYTHON_CPU_COUNT
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas() -> Iterator[float]:
    """CPUs that each control group of this process allows, in versions 1 and 2."""
    for folder, version in cgroup_folders("cpu"):
        if version == 2:
            words = _text(folder / "cpu.max").split()
        else:
            words = [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        # "max" and -1 mean no limit
        if len(words) == 2 and all(word.isdecimal() and int(word) for word in words):
            yield int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
