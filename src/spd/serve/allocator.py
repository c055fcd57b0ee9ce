"""Set up the C library's allocator so that a service that runs for months does not grow.

glibc maps a large block separately and unmaps it when it is freed, but each such free raises the
size from which blocks count as large. Soon images and feature maps lie in the heaps, between small
blocks that stay, and fragmentation grows. `docs/serving.md` has the measurements.
"""

import ctypes

MAPPED_BYTES = 256 * 1024
"""Blocks of this size and more are mapped, and unmapped when freed."""
ARENAS = 4
"""Most heaps; glibc's default is eight a core, each with free memory of its own."""

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_M_ARENA_MAX = -8


def return_large_blocks() -> bool:
    """Fix both for this process, best before threads start; False if the library is not glibc."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows does not open the process itself as a library
        return False
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    mapped = library.mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
    arenas = library.mallopt(_M_ARENA_MAX, ARENAS)
    return bool(mapped and arenas)
