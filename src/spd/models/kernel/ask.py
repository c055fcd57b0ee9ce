"""Calls of the compiled kernel, with the points divided among threads."""

import ctypes
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spd.errors import InputError
from spd.models.kernel.build import Shape, kernel, weight_count
from spd.pixels import Size
from spd.processes import on_threads

PART = 96
"""Points per unit of work of a thread: a few of the kernel's blocks, about 0.1 ms."""

_MOST_CELLS = 2**20  # along a side: the kernel counts them in 32 bits


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
        InputError: if an array has another shape or type than the kernel reads.
    """
    library = kernel(shape)
    if isinstance(library, str):
        raise RuntimeError(library)
    _check(shape, weights, maps, image_size, points)
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


def _check(
    shape: Shape,
    weights: np.ndarray,
    maps: Sequence[np.ndarray],
    image_size: Size,
    points: np.ndarray,
) -> None:
    """Refuse arrays for which the kernel would read memory outside them."""
    for name, array in (("weights", weights), ("points", points), *(("map", one) for one in maps)):
        if array.dtype.kind != "f":
            raise InputError(f"expected {name} of floating point, got {array.dtype}")
    if weights.shape != (weight_count(shape),):
        raise InputError(f"expected {weight_count(shape)} weights, got {weights.shape}")
    if points.ndim != 3 or points.shape[2] != 2:
        raise InputError(f"expected points of shape [B, K, 2], got {list(points.shape)}")
    if len(maps) != 3 or min(image_size) < 1:
        raise InputError(f"expected 3 maps of an image, got {len(maps)} of size {image_size}")
    batch, channels = len(points), dict(shape)["DIM"]
    for one in maps:
        whole = one.ndim == 4 and (one.shape[0], one.shape[3]) == (batch, channels)
        if not whole or not 0 < min(one.shape[1:3]) <= max(one.shape[1:3]) <= _MOST_CELLS:
            raise InputError(
                f"expected maps of shape [{batch}, rows, columns, {channels}], got "
                f"{list(one.shape)}"
            )
