"""Calls of the compiled kernel, with the points divided among threads."""

import ctypes
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spd.models.kernel.build import Shape, kernel, weight_count
from spd.pixels import Size
from spd.processes import on_threads

PART = 96
"""Points per unit of work of a thread: a few of the kernel's blocks, about 0.1 ms."""


def ask(
    shape: Shape,
    weights: Float[np.ndarray, " n"],
    maps: Sequence[Float[np.ndarray, "b h w d"]],
    image_size: Size,
    points: Float[np.ndarray, "b k 2"],
    threads: int,
) -> Float[np.ndarray, "b k"]:
    """Depth in metres at every point.

    Args:
        shape: shape of the model, for which the kernel is compiled.
        weights: float32, in the kernel's order (`spd.models.decoder.compiled_query.pack`).
        maps: the stride-8 map, L2 and L1, float32, channels last.
        image_size: (height, width) of the encoded image in pixels.
        points: `(u, v)` in pixels, float32, known to lie inside the image.
        threads: number of threads, including the calling one.

    Raises:
        RuntimeError: if the kernel cannot be compiled for this shape.
        ValueError: if the number of weights does not fit the shape.
    """
    library = kernel(shape)
    if isinstance(library, str):
        raise RuntimeError(library)
    if weights.shape != (weight_count(shape),):
        raise ValueError(f"expected {weight_count(shape)} weights, got {weights.shape}")
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

    threads = min(threads, math.ceil(B * K / PART))
    step = PART if threads > 1 else max(K, 1)
    on_threads(
        answer,
        [(image, start, min(start + step, K)) for image in range(B) for start in range(0, K, step)],
        threads,
    )
    return depth_m
