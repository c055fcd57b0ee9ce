"""Points shared out to the compiled kernel, a range to a thread."""

import ctypes
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float

from spd.models.kernel.build import Shape, kernel, weight_count
from spd.pixels import Size

PART = 96
"""Points given to a thread at once: a few of the kernel's blocks, some tenth of a millisecond."""

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def ask(
    shape: Shape,
    weights: Float[np.ndarray, " n"],
    maps: Sequence[Float[np.ndarray, "b h w d"]],
    image_size: Size,
    points: Float[np.ndarray, "b k 2"],
    threads: int,
) -> Float[np.ndarray, "b k"]:
    """Metres at every point.

    Args:
        shape: what the kernel is compiled for.
        weights: in the kernel's order (`spd.models.decoder.local_native.pack`), float32.
        maps: the stride-8 map, L2 and L1, float32, whole cells together.
        image_size: (height, width) that points are measured in.
        points: `(u, v)` that are known to lie inside, float32.
        threads: that share the points, the calling one among them.

    Raises:
        RuntimeError: if there is no kernel of that shape.
        ValueError: if these are not the weights of that shape.
    """
    library = kernel(shape)
    if isinstance(library, str):
        raise RuntimeError(library)
    if weights.shape != (weight_count(shape),):
        raise ValueError(f"{weight_count(shape)} weights are needed, got {weights.shape}")
    B, K = points.shape[:2]
    points = np.ascontiguousarray(points, dtype=np.float32)
    weights = np.ascontiguousarray(weights, dtype=np.float32)
    depth_m = np.empty((B, K), dtype=np.float32)
    cells = [np.ascontiguousarray(one, dtype=np.float32) for one in maps]
    sides = [side for one in cells for side in one.shape[1:3]]
    height, width = image_size
    per_pixel = [of for one in cells for of in (one.shape[2] / width, one.shape[1] / height)]
    sizes, scales = (ctypes.c_int32 * 6)(*sides), (ctypes.c_float * 6)(*per_pixel)

    def answer(part: tuple[int, int, int]) -> None:
        image, start, stop = part
        library.spd_query(
            *(one[image].ctypes.data for one in cells),
            sizes,
            scales,
            points[image, start:].ctypes.data,
            stop - start,
            weights.ctypes.data,
            depth_m[image, start:].ctypes.data,
        )

    _share(answer, B, K, threads)
    return depth_m


def _share(
    answer: Callable[[tuple[int, int, int]], None], images: int, points: int, threads: int
) -> None:
    """Ranges of points, in the calling thread and others."""
    threads = min(threads, math.ceil(images * points / PART))
    if threads <= 1:
        for image in range(images):
            answer((image, 0, points))
        return
    parts = [
        (image, start, min(start + PART, points))
        for image in range(images)
        for start in range(0, points, PART)
    ]
    waiting, lock = iter(parts), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                part = next(waiting, None)
            if part is None:
                return
            answer(part)

    others = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        if not other.cancel():  # one that never began found all threads at work for others
            other.result()


def _pool(threads: int) -> ThreadPoolExecutor:
    """Of this process: a forked one has none of its parent's threads."""
    return _pools.setdefault((os.getpid(), threads), ThreadPoolExecutor(threads, "spd-query"))
