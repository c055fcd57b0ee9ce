"""Points in space, and lengths between them: x right, y down, z forward from the camera, metres.

z is the depth that `depth_at` answers; x and y are the pixel's ray times z. Whatever is said of
lengths rests on the photo's focal length, so it has to be known.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError
from spd.photos.focal import IntrinsicsLike, as_intrinsics
from spd.pixels import Intrinsics, as_points
from spd.scenes.cameras import DistortionLike, rays_at

if TYPE_CHECKING:
    from spd.scenes.scene import PhotoScene


def points_3d(
    scene: "PhotoScene",
    points: ArrayLike,
    intrinsics: IntrinsicsLike | None = None,
    distortion: DistortionLike | None = None,
) -> Float[np.ndarray, "k 3"]:
    """`(x, y, z)` in metres of each pixel asked.

    Args:
        scene: an encoded photo.
        points: `[K, 2]` of `(u, v)`, inside the photo.
        intrinsics: its camera, or the 3x3 matrix; by default the one it was encoded with.
        distortion: the lens: OpenCV's 4, 5 or 8 coefficients. By default there is none.

    Raises:
        InputError: if no camera is known.
        PointError: if a point is outside the photo, or its distortion cannot be undone.
    """
    asked = as_points(points)
    camera = camera_of(scene, intrinsics)
    depth_m = scene.depth_at(asked)
    rays = rays_at(asked, camera, distortion)
    return (
        np.concatenate([rays, np.ones((len(asked), 1))], axis=1).astype(np.float32)
        * (depth_m[:, None])
    )


def distances_m(
    scene: "PhotoScene",
    pairs: ArrayLike,
    intrinsics: IntrinsicsLike | None = None,
    distortion: DistortionLike | None = None,
) -> Float[np.ndarray, " n"]:
    """Metres in space between the two pixels of each of `[N, 2, 2]` pairs, in a straight line.

    Raises:
        InputError: if no camera is known.
        PointError: on another shape, or a point outside the photo.
    """
    asked = np.asarray(pairs, dtype=np.float64)
    if asked.ndim != 3 or asked.shape[1:] != (2, 2):
        raise PointError(f"pairs must be [N, 2, 2] of two (u, v) each, got {asked.shape}")
    xyz = points_3d(scene, asked.reshape(-1, 2), intrinsics, distortion).astype(np.float64)
    ends = xyz.reshape(-1, 2, 3)
    return np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)


def length_m(
    scene: "PhotoScene",
    points: ArrayLike,
    intrinsics: IntrinsicsLike | None = None,
    distortion: DistortionLike | None = None,
) -> float:
    """Metres along a polyline: from each of its points straight to the next, in space.

    Raises:
        InputError: if no camera is known.
        PointError: on fewer than two points, or one outside the photo.
    """
    asked = as_points(points)
    if len(asked) < 2:
        raise PointError(f"a line has two points or more, got {len(asked)}")
    steps = np.stack([asked[:-1], asked[1:]], axis=1)
    return float(distances_m(scene, steps, intrinsics, distortion).sum())


def camera_of(scene: "PhotoScene", intrinsics: IntrinsicsLike | None = None) -> Intrinsics:
    """The camera that is given, or the one that the photo was encoded with.

    Raises:
        InputError: if there is neither.
    """
    if intrinsics is not None:
        return as_intrinsics(intrinsics)
    if scene.intrinsics is None:
        raise InputError(
            "places in space need the photo's focal length; encode with focal_px=... or "
            "intrinsics=... (spd query: --focal-px, --intrinsics)"
        )
    return scene.intrinsics
