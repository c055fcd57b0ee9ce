"""The C library's allocator, told to give large blocks back: a service runs for months.

glibc raises the size from which a block is a mapping of its own, and so returned when it is freed,
whenever such a block is freed: soon images and feature maps lie in its heaps, between small things
that stay, and memory grows by what is lost between them. `docs/serving.md` has the figures.
"""

import ctypes

MAPPED_BYTES = 256 * 1024
"""From this size on a block is mapped, and unmapped when it is freed."""
ARENAS = 4
"""Heaps at most; by default glibc takes eight a core, each with free memory of its own."""

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_M_ARENA_MAX = -8


def return_large_blocks() -> bool:
    """Fix both for this process, best before threads start; whether its C library is glibc."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no library of the process
        return False
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    mapped = library.mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
    arenas = library.mallopt(_M_ARENA_MAX, ARENAS)
    return bool(mapped and arenas)
