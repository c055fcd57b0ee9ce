"""Worker processes and threads, the CPUs they may use, and repairs after a fork."""

from spd.processes.cpus import (
    threads_to_use,
    usable_cpus,
    use_threads,
    use_usable_cpus,
    wait_passively,
)
from spd.processes.ending import end_at_sigterm, ignore_sigterm, unfinished
from spd.processes.forks import (
    PerProcess,
    SafeLock,
    keep_in_forks,
    limit_torch,
    refuse_fork,
)
from spd.processes.pools import on_threads, process_pool

__all__ = [
    "PerProcess",
    "SafeLock",
    "end_at_sigterm",
    "ignore_sigterm",
    "keep_in_forks",
    "limit_torch",
    "on_threads",
    "process_pool",
    "refuse_fork",
    "threads_to_use",
    "unfinished",
    "usable_cpus",
    "use_threads",
    "use_usable_cpus",
    "wait_passively",
]
