"""Camera z and distance along the ray: conversion, and detection of which one is stored.

The ray of a pixel has the length `n = |(x, y, 1)|` per metre of z, so a map of ray lengths `r`
holds `z = r / n`. On a plane `1 / z` is affine in the pixel, so `1 / r` is affine over `n`. With
`1 / d = affine * n^-power`, z has the power 0 and ray length the power 1, at any noise; the windows
on planes give the power by least squares.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spd.errors import DataError
from spd.pixels import Intrinsics, Size, lattice, side_centres

SAMPLES = 64
"""Samples along the height of a frame."""
SIDES = (16, 24, 32)
"""Sides of the windows in samples: a third and a half of the height, over which rays bend."""
MIN_SHARE = 0.6
"""Smallest share of readings in a window."""
MAX_RESIDUAL = 0.015
"""Largest relative residual of a window that shows a plane."""
MAX_ROUGH_RESIDUAL = 0.05
"""Largest relative residual at power 0.5, loose enough to keep every plane."""
ROUNDING = 1e-5
"""Relative rounding error of depth, the lower bound of a window's error."""
MIN_SADDLE = 0.7
"""Smallest residual with a saddle in the fit, relative to that without; curved surfaces, which rays
do not explain, have less."""
MAX_POWER = 4.0
"""Largest plausible power; beyond it a window shows something curved."""
MIN_WINDOWS = 12
"""Smallest number of windows that give the power of a frame; noise of 7 gave 1.3 for z."""
MIN_FRAMES = 4
"""Smallest number of frames for a decision."""
DECISIVE_SHARE = 0.9
"""Share of frames on one side of 0.5; 16 real frames gave at most 0.12 for z, 0.93 for ranges."""
POWERS = (0.7, 1.5)
"""Range of the median power of ray lengths; 16 real frames gave at most 0.14 for z."""


def z_of_range(
    range_m: Float[np.ndarray, "h w"], camera: Intrinsics | None, image_size: Size, name: str
) -> Float[np.ndarray, "h w"]:
    """Camera z, float32, from distances along the rays.

    Raises:
        DataError: if the camera is unknown.
    """
    if camera is None:
        raise DataError(
            f"{name}: depth=range needs the camera, as camera z depends on the direction of each "
            "ray; pass focal_px= or camera=nyu"
        )
    size = range_m.shape[0], range_m.shape[1]
    return (range_m / ray_length_map(camera, image_size, size)).astype(np.float32)


def ray_length_map(
    camera: Intrinsics, image_size: Size, depth_size: Size
) -> Float[np.ndarray, "h w"]:
    """Length of the ray per metre of camera z, at the centres of the depth pixels."""
    (height, width), (rows, columns) = image_size, depth_size
    centres = lattice(side_centres(columns, width), side_centres(rows, height))
    lengths: np.ndarray = camera.ray_lengths(centres).reshape(depth_size)
    return lengths


def ray_powers(
    depth_m: Float[np.ndarray, "h w"], lengths: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "n 2"]:
    """The power in each window on a plane, and its weight: the inverse of its variance.

    Args:
        depth_m: only positive finite values count.
        lengths: of the rays, as from :func:`ray_length_map`.
    """
    step = max(1, round(depth_m.shape[0] / SAMPLES))
    depth_m, lengths = (x[step // 2 :: step, step // 2 :: step] for x in (depth_m, lengths))
    sides = [side for side in SIDES if min(depth_m.shape) >= side]
    found = [_powers(_tiles(depth_m, side), _tiles(lengths, side), side) for side in sides]
    return np.concatenate([np.zeros((0, 2)), *found])


def frame_power(
    depth_m: Float[np.ndarray, "h w"], camera: Intrinsics | None, image_size: Size
) -> float | None:
    """Weighted median power of the windows of a frame; None if it has too few planes."""
    if camera is None:
        return None
    size = depth_m.shape[0], depth_m.shape[1]
    powers, weights = ray_powers(depth_m, ray_length_map(camera, image_size, size)).T
    if len(powers) < MIN_WINDOWS:
        return None
    order = powers.argsort()
    total = weights[order].cumsum()
    return float(powers[order][np.searchsorted(total, total[-1] / 2)])


def range_problem(frames: Sequence[float | None]) -> str | None:
    """The reason why frames with these powers are not camera z; None if they may be."""
    powers = np.array([power for power in frames if power is not None])
    if len(powers) < MIN_FRAMES:
        return None
    if _is_about_one(powers):
        return (
            "depth looks like the distance along each ray, not camera z: dividing it by the length "
            f"of the ray straightens the planes of {np.sum(powers > 0.5)} of {len(powers)} frames; "
            "pass depth=range to convert it"
        )
    if _is_about_one(-powers):
        return (
            "depth looks like camera z that was divided by the length of the ray, in "
            f"{np.sum(powers < -0.5)} of {len(powers)} frames; was it camera z before? then remove "
            "depth=range"
        )
    return None


def _is_about_one(powers: np.ndarray) -> bool:
    low, high = POWERS
    return bool(low < np.median(powers) < high and np.mean(powers > 0.5) >= DECISIVE_SHARE)


def _tiles(values: np.ndarray, side: int) -> Float[np.ndarray, "n p"]:
    windows = np.lib.stride_tricks.sliding_window_view(values, (side, side))
    return windows[:: side // 4, :: side // 4].reshape(-1, side**2).astype(np.float64)


def _powers(
    depth_m: Float[np.ndarray, "n p"], lengths: Float[np.ndarray, "n p"], side: int
) -> Float[np.ndarray, "m 2"]:
    known = np.isfinite(depth_m) & (depth_m > 0)
    full = known.mean(axis=1) > MIN_SHARE
    known, lengths = known[full], lengths[full]
    inverse = np.where(known, 1 / np.where(known, depth_m[full], 1), 0)
    axis = np.linspace(-1, 1, side)
    v, u = np.repeat(axis, side), np.tile(axis, side)
    affine = np.stack([np.ones(side**2), u, v], axis=1)
    saddles = np.stack([u**2 - v**2, u * v], axis=1)
    bent = affine * (known / np.sqrt(lengths))[..., None]
    rough, middle = _relative_residual(_fit(bent, inverse)[0], inverse, known)
    near = rough < MAX_ROUGH_RESIDUAL
    known, lengths, inverse, middle = known[near], lengths[near], inverse[near], middle[near]
    power = np.full(len(inverse), 0.5)
    for _ in range(3):  # Gauss-Newton, from halfway between both
        bent = affine * (known * lengths ** -power[:, None])[..., None]
        plane, _ = _fit(bent, inverse)
        slope = -plane * np.log(lengths)  # 0 in holes, as the plane is
        both = np.concatenate([bent, slope[..., None]], axis=2)
        fitted, solution = _fit(both, inverse)
        power = np.clip(power + solution[:, 3], -MAX_POWER, MAX_POWER)
    residual, _ = _relative_residual(fitted, inverse, known)
    saddle = saddles * (known * lengths ** -power[:, None])[..., None]
    finer, _ = _relative_residual(
        _fit(np.concatenate([both, saddle], axis=2), inverse)[0], inverse, known
    )
    told = ((slope - _fit(bent, slope)[0]) ** 2).sum(axis=1) / middle**2
    flat = (residual < MAX_RESIDUAL) & (np.abs(power) < MAX_POWER)
    flat &= finer > MIN_SADDLE * residual
    return np.stack([power, told / (residual**2 + ROUNDING**2)], axis=1)[flat]


def _relative_residual(
    fitted: Float[np.ndarray, "n p"], inverse: Float[np.ndarray, "n p"], known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """RMS residual relative to the mean of each window, and that mean."""
    count = known.sum(axis=1)
    middle = inverse.sum(axis=1) / count
    return np.sqrt(((inverse - fitted) ** 2).sum(axis=1) / count) / middle, middle


def _fit(
    columns: Float[np.ndarray, "n p k"], values: Float[np.ndarray, "n p"]
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares in each window: the fitted values, and the coefficients."""
    normal = columns.transpose(0, 2, 1) @ columns
    right = columns.transpose(0, 2, 1) @ values[..., None]
    solution = np.linalg.pinv(normal, hermitian=True) @ right
    return (columns @ solution)[..., 0], solution[..., 0]
