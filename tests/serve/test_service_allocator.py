"""Large blocks that are freed go back to the system, in a process that asked for it."""

import platform
import subprocess
import sys

import pytest

# What the heap's end keeps is given back from the end alone: a small block that stays above a
# freed one holds it. So: many large blocks, each followed by a small one that stays.
PROGRAM = """
import ctypes, sys
import psutil
from spd.serve.allocator import MAPPED_BYTES, return_large_blocks

if sys.argv[1] == "returned":
    assert return_large_blocks()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
library.free(library.malloc(8 * 2**20))  # which by default raises the size that is mapped
for _ in range(4000):
    library.malloc(1000)  # fills the holes that imports left, which would take the small blocks
large = []
before = psutil.Process().memory_info().rss
for _ in range(100):
    large.append(library.malloc(2**20))
    ctypes.memset(large[-1], 1, 2**20)
    ctypes.memset(library.malloc(1000), 1, 1000)  # stays
for block in large:
    library.free(block)
print((psutil.Process().memory_info().rss - before) / 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_large_blocks_between_small_ones_that_stay_are_returned():
    kept_mb = {}
    for name in ("default", "returned"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=True
        )
        kept_mb[name] = float(done.stdout)
    assert kept_mb["returned"] < 5, kept_mb  # of 100
    assert kept_mb["default"] > 50, kept_mb  # else there is nothing to mend any more
