"""Memory limits, reservations for large work, and errors where memory runs out.

It does not import torch, because exported models run without it.
"""

from spd.memory.budget import (
    SMALLEST_LIMIT,
    MemoryLimitError,
    available_bytes,
    limit_memory,
    limit_this_process,
    own_this_process,
    reserved,
)
from spd.memory.shortage import OutOfMemoryError, in_parts, memory_for

__all__ = [
    "SMALLEST_LIMIT",
    "MemoryLimitError",
    "OutOfMemoryError",
    "available_bytes",
    "in_parts",
    "limit_memory",
    "limit_this_process",
    "memory_for",
    "own_this_process",
    "reserved",
]
