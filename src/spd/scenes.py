"""One encoded photo and what may be asked of it, whichever network stands behind it."""

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError
from spd.focal import Focal
from spd.focal import check_focal as check_focal
from spd.pixels import Intrinsics, Size, check_outside, inside_image, outside_error

if TYPE_CHECKING:  # these import this module
    from spd.focal import IntrinsicsLike
    from spd.questions.cameras import DistortionLike
    from spd.questions.regions import RegionLike, RegionStatistics


class PhotoScene(abc.ABC):
    """One encoded photo; ask it as often as you like. Nothing in it changes when asked.

    Args:
        size: (height, width) of the photo.
        focal: its focal length and camera, known or assumed; None where neither.
    """

    def __init__(self, size: Size, focal: Focal | None) -> None:
        self.size = size
        self.focal = focal
        """The photo's focal length and camera, known or assumed; None where neither."""
        self.focal_source = None if focal is None else focal.source
        """Who said the focal length; None where nobody did and the network does not use it."""

    @property
    def focal_px(self) -> float | None:
        """Focal length in the photo's own pixels; None where it is not known."""
        return self.focal.px if self.focal is not None and self.focal.known else None

    @property
    def assumed_focal_px(self) -> float | None:
        """What metres rest on where it is not known; None where the network does not use it."""
        return self.focal.px if self.focal is not None and not self.focal.known else None

    @property
    def intrinsics(self) -> Intrinsics | None:
        """The photo's camera in its own pixels; None where its focal length is not known."""
        return self.focal.intrinsics if self.focal is not None and self.focal.known else None

    def depth_at(
        self, points: ArrayLike, *, outside: Literal["raise", "nan"] = "raise"
    ) -> Float[np.ndarray, " k"]:
        """Depth (camera z) in metres at `[K, 2]` points `(u, v)` of the photo.

        Raises:
            PointError: on another shape, or naming the first point that is not finite or outside
                the photo, unless `outside="nan"`.
        """
        asked = as_points(points)
        check_outside(outside)
        inside: np.ndarray = np.ones(len(asked), dtype=bool)
        if outside == "raise":
            check_inside(asked, self.size)
        else:
            inside = inside_image(asked[:, 0], asked[:, 1], self.size)
        depth_m = np.full(len(asked), np.nan, dtype=np.float32)
        depth_m[inside] = self._ask(asked[inside])
        return depth_m

    def range_at(
        self,
        points: ArrayLike,
        intrinsics: Intrinsics | None = None,
        distortion: "DistortionLike | None" = None,
    ) -> Float[np.ndarray, " k"]:
        """Distance in metres along the ray to each point; "how far is that" means this.

        Args:
            points: as for `depth_at`.
            intrinsics: the photo's camera; by default the one it was encoded with, or its focal
                length with the principal point in the middle.
            distortion: the lens: OpenCV's 4, 5 or 8 coefficients. By default there is none.

        Raises:
            InputError: if neither intrinsics nor the photo's focal length are known.
            PointError: as `depth_at`, or if a point's distortion cannot be undone.
        """
        from spd.questions.cameras import ray_lengths, rays_at

        if intrinsics is None:
            if self.intrinsics is None:
                raise InputError("range needs the photo's focal length; encode with focal_px=...")
            intrinsics = self.intrinsics
        asked = as_points(points)
        lengths = ray_lengths(rays_at(asked, intrinsics, distortion))
        return (self.depth_at(asked) * lengths).astype(np.float32)

    def points_3d(
        self,
        points: ArrayLike,
        intrinsics: "IntrinsicsLike | None" = None,
        distortion: "DistortionLike | None" = None,
    ) -> Float[np.ndarray, "k 3"]:
        """`(x, y, z)` in metres of each pixel: right, down, forward (`spd.questions.points_3d`)."""
        from spd.questions.space import points_3d

        return points_3d(self, points, intrinsics, distortion)

    def distance_m(
        self,
        first: tuple[float, float],
        second: tuple[float, float],
        intrinsics: "IntrinsicsLike | None" = None,
        distortion: "DistortionLike | None" = None,
    ) -> float:
        """Metres in space between two pixels; of many pairs see `spd.questions.distances_m`."""
        from spd.questions.space import distances_m

        return float(distances_m(self, [[first, second]], intrinsics, distortion)[0])

    def region(self, where: "RegionLike") -> "RegionStatistics":
        """How far a box, a mask or a line is (`spd.questions.region`)."""
        from spd.questions.regions import region

        return region(self, where)

    @abc.abstractmethod
    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """Depth in metres at every pixel: `depth_map()[v, u] == depth_at([(u, v)])[0]`.

        Args:
            fast: take the network's own map where that is quicker than asking every pixel.
        """

    @abc.abstractmethod
    def _ask(self, points: np.ndarray) -> np.ndarray:
        """Metres at points that are known to lie inside the photo."""


def check_inside(points: Float[np.ndarray, "k 2"], size: Size) -> None:
    """Refuse points that do not lie in a photo of `size`, naming the first."""
    bad = np.flatnonzero(~inside_image(points[:, 0], points[:, 1], size))
    if len(bad):
        u, v = points[bad[0]].tolist()
        raise outside_error(int(bad[0]), u, v, size)


def as_points(points: ArrayLike | Sequence[tuple[float, float]]) -> np.ndarray:
    """Points as float64 `[K, 2]`.

    Raises:
        PointError: on another shape, or what is no number.
    """
    try:
        asked = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        raise PointError("points must be numbers, [K, 2] of (u, v)") from None
    if asked.size == 0:
        return asked.reshape(0, 2)
    if asked.ndim != 2 or asked.shape[1] != 2:
        raise PointError(f"points must be [K, 2] of (u, v), got {asked.shape}")
    return asked
