"""Points in space and distances between them, in metres: x right, y down, z forward.

z is the depth from `depth_at`; x and y are the pixel's ray times z. All of it scales with the
photo's focal length, so the focal length must be known.
"""

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError
from spd.photos.camera_matrix import IntrinsicsLike, as_intrinsics
from spd.photos.camera_warnings import intrinsics_warnings
from spd.photos.distortion import DistortionLike, rays_at
from spd.pixels import Intrinsics, as_numbers, as_points, inside_or_nan
from spd.scenes.depth_kind import refuse_relative

if TYPE_CHECKING:
    from spd.scenes.scene import PhotoScene

Outside = Literal["raise", "nan"]
"""Answer for points that are not finite or outside the photo: an error, or NaN."""


def points_3d(
    scene: "PhotoScene",
    points: ArrayLike,
    intrinsics: IntrinsicsLike | None = None,
    distortion: DistortionLike | None = None,
    *,
    outside: Outside = "raise",
) -> Float[np.ndarray, "k 3"]:
    """Position `(x, y, z)` in metres of each pixel.

    Args:
        scene: an encoded photo.
        points: `[K, 2]` of `(u, v)`, inside the photo.
        intrinsics: its camera or the 3x3 matrix; by default the one it was encoded with.
        distortion: OpenCV's coefficients (`Distortion.of`); by default none.
        outside: "nan" returns NaN for points that are not finite or outside the photo, or whose
            distortion cannot be inverted, instead of raising.

    Raises:
        InputError: if no camera is known, or the model is relative.
        PointError: if a point is outside the photo, or its distortion cannot be inverted.
    """
    refuse_relative(scene.kind)
    camera = camera_of(scene, intrinsics)
    asked = inside_or_nan(as_points(points), scene.size, outside)
    depth_m = scene.depth_at(asked, outside=outside)
    return lift(asked, depth_m, camera, distortion, outside=outside)


def lift(
    points: Float[np.ndarray, "k 2"],
    depth_m: Float[np.ndarray, " k"],
    camera: Intrinsics,
    distortion: DistortionLike | None = None,
    *,
    outside: Outside = "raise",
) -> Float[np.ndarray, "k 3"]:
    """`(x, y, z)` in metres, float32, of pixels with known depth; NaN where a pixel has no ray."""
    rays = rays_at(points, camera, distortion, outside=outside)
    ones = np.where(np.isnan(rays[:, :1]), np.nan, 1.0)
    return np.concatenate([rays, ones], axis=1).astype(np.float32) * depth_m[:, None]


def distances_m(
    scene: "PhotoScene",
    pairs: ArrayLike,
    intrinsics: IntrinsicsLike | None = None,
    distortion: DistortionLike | None = None,
    *,
    outside: Outside = "raise",
) -> Float[np.ndarray, " n"]:
    """Straight-line distance in metres between the two pixels of each of `[N, 2, 2]` pairs.

    N may be 0. `outside="nan"` returns NaN for a pair with a point for which `points_3d` is NaN.

    Raises:
        InputError: if no camera is known, or the model is relative.
        PointError: on another shape, or a point outside the photo.
    """
    expected = "pairs must be [N, 2, 2], two points (u, v) per pair"
    asked = as_numbers(pairs, expected, PointError)
    if asked.size and (asked.ndim != 3 or asked.shape[1:] != (2, 2)):
        raise PointError(f"{expected}, got {asked.shape}")
    xyz = points_3d(scene, asked.reshape(-1, 2), intrinsics, distortion, outside=outside)
    ends = xyz.reshape(-1, 2, 3)
    return apart_m(ends[:, 0], ends[:, 1])


def apart_m(
    first: Float[np.ndarray, "n 3"], second: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    """Straight-line distances in metres between points `(x, y, z)`."""
    return np.linalg.norm(second.astype(np.float64) - first.astype(np.float64), axis=1)


def length_m(
    scene: "PhotoScene",
    points: ArrayLike,
    intrinsics: IntrinsicsLike | None = None,
    distortion: DistortionLike | None = None,
    *,
    outside: Outside = "raise",
) -> float:
    """Length in metres of a polyline through the points' positions in space.

    `outside="nan"` returns NaN if `points_3d` is NaN for one of them.

    Raises:
        InputError: if no camera is known, or the model is relative.
        PointError: on fewer than two points, or one outside the photo.
    """
    asked = as_points(points)
    if len(asked) < 2:
        raise PointError(f"a line needs at least two points, got {len(asked)}")
    xyz = points_3d(scene, asked, intrinsics, distortion, outside=outside)
    return float(apart_m(xyz[:-1], xyz[1:]).sum())


def camera_of(scene: "PhotoScene", intrinsics: IntrinsicsLike | None = None) -> Intrinsics:
    """Given intrinsics, or those that the photo was encoded with.

    Warns if the given ones suit a photo of another size.

    Raises:
        InputError: if neither is known.
    """
    if intrinsics is not None:
        camera = as_intrinsics(intrinsics)
        for text in intrinsics_warnings(camera, scene.size):
            warnings.warn(text, stacklevel=3)
        return camera
    if scene.intrinsics is None:
        raise InputError(
            "3D distances need the focal length of the photo, which is unknown; pass focal_px or "
            "intrinsics to encode (spd query: --focal-px, --intrinsics)"
        )
    return scene.intrinsics
