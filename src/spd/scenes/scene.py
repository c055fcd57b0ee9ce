"""One encoded photo and what may be asked of it, whichever network stands behind it."""

import abc
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError
from spd.photos.focal import Focal, IntrinsicsLike
from spd.pixels import Intrinsics, Size, as_points, check_inside, check_outside, inside_image
from spd.scenes.cameras import DistortionLike, ray_lengths, rays_at
from spd.scenes.regions import RegionLike, RegionStatistics, region
from spd.scenes.space import distances_m, points_3d


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
        distortion: DistortionLike | None = None,
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
        intrinsics: IntrinsicsLike | None = None,
        distortion: DistortionLike | None = None,
    ) -> Float[np.ndarray, "k 3"]:
        """`(x, y, z)` in metres of each pixel: right, down, forward (`spd.scenes.points_3d`)."""
        return points_3d(self, points, intrinsics, distortion)

    def distance_m(
        self,
        first: tuple[float, float],
        second: tuple[float, float],
        intrinsics: IntrinsicsLike | None = None,
        distortion: DistortionLike | None = None,
    ) -> float:
        """Metres in space between two pixels; of many pairs see `spd.scenes.distances_m`."""
        return float(distances_m(self, [[first, second]], intrinsics, distortion)[0])

    def region(self, where: RegionLike) -> RegionStatistics:
        """How far a box, a mask or a line is (`spd.scenes.region`)."""
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
