"""Memory that the machine, its control groups and the limits of this process leave.

Linux has all of it in files; on other systems, at most the size of the machine is known.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
_KIB = 1024
_UNLIMITED = 1 << 60  # larger numbers mean no limit in cgroup files
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_%s", "total_mapped_file")
_V2 = ("memory.max", "memory.current", "%s", "file_mapped")


def held_bytes() -> int:
    """Memory that this process holds now; 0 if it is unknown."""
    return _status().get("VmRSS", 0)


def left_bytes() -> int | None:
    """Memory that this process could still take, by the tightest of all limits; None: unknown.

    The limits are the machine's available memory and swap, every control group above this process
    (versions 1 and 2), and its `RLIMIT_AS` and `RLIMIT_DATA` (`ulimit -v`, `ulimit -d`).
    """
    return min((*_machine(), *_cgroups(), *_process_limits()), default=None)


def _machine() -> Iterator[int]:
    found = _numbers(PROC / "meminfo")
    if "MemAvailable" in found:
        yield found["MemAvailable"] + found.get("SwapFree", 0)
    elif sys.platform == "darwin":  # only the total is known, not what other programs use
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cgroups() -> Iterator[int]:
    """Memory that each control group of this process leaves; its page cache counts as free."""
    for folder, version in cgroup_folders("memory"):
        yield from _left_in(folder, *(_V2 if version == 2 else _V1))


def cgroup_folders(controller: str) -> Iterator[tuple[Path, int]]:
    """Folders of the control groups above this process, innermost first, each with its version.

    Args:
        controller: name of the controller, such as `memory` or `cpu`.
    """
    try:
        lines = (PROC / "self" / "cgroup").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        if line.count(":") < 2:  # written by no kernel, but by some sandboxes
            continue
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts, version = (CGROUPS, CGROUPS / "unified"), 2
        elif controller in controllers.split(","):
            mounts, version = (CGROUPS / controller, CGROUPS / controllers), 1
        else:
            continue
        for mount in mounts:
            below = mount / path.strip("/")
            for folder in (below, *below.parents):  # a container may see its own group as the root
                if folder.is_relative_to(mount):
                    yield folder, version


def _left_in(folder: Path, limit: str, usage: str, kind: str, mapped: str) -> Iterator[int]:
    """Memory that one group leaves; files that were read count as free, programs' own do not."""
    try:
        most, used = (int((folder / name).read_text()) for name in (limit, usage))
    except (OSError, ValueError):  # absent, or `max`
        return
    if most < _UNLIMITED:
        known = _numbers(folder / "memory.stat")
        cached = sum(known.get(kind % name, 0) for name in ("inactive_file", "active_file"))
        yield max(0, most - used + max(0, cached - known.get(mapped, 0)))


def _process_limits() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows
        return
    held = _status()
    for limit, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY and name in held:
            yield max(0, soft - held[name])


def data_bytes() -> int:
    """Memory that counts against `RLIMIT_DATA`: private and writable, touched or not."""
    return _status().get("VmData", 0)


def _status() -> dict[str, int]:
    return _numbers(PROC / "self" / "status")


def _numbers(path: Path) -> dict[str, int]:
    """Lines `name: number kB` or `name number` of a file, in bytes; empty without the file."""
    found = {}
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[1].isdecimal():
            unit = _KIB if words[-1] == "kB" else 1
            found[words[0].rstrip(":")] = int(words[1]) * unit
    return found
