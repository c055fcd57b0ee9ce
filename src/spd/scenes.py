"""One encoded photo and what may be asked of it, whichever network stands behind it."""

import abc
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError
from spd.pixels import Intrinsics, Size, check_outside, inside_image, outside_error

WIDEST_FOV_DEG = 170.0  # no lens that maps straight lines to straight lines sees more


class PhotoScene(abc.ABC):
    """One encoded photo; ask it as often as you like. Nothing in it changes when asked.

    Args:
        size: (height, width) of the photo.
        focal_px: its focal length in its own pixels; None where that is not known.
        assumed_focal_px: what metres rest on instead; None where the network does not use it.
    """

    def __init__(
        self, size: Size, focal_px: float | None, assumed_focal_px: float | None = None
    ) -> None:
        self.size = size
        self.focal_px = focal_px
        self.assumed_focal_px = assumed_focal_px

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
        self, points: ArrayLike, intrinsics: Intrinsics | None = None
    ) -> Float[np.ndarray, " k"]:
        """Distance in metres along the ray to each point; "how far is that" means this.

        Args:
            points: as for `depth_at`.
            intrinsics: the photo's camera; by default its focal length with the principal point
                in the middle.

        Raises:
            InputError: if neither intrinsics nor the photo's focal length are known.
        """
        if intrinsics is None:
            if self.focal_px is None:
                raise InputError("range needs the photo's focal length; encode with focal_px=...")
            intrinsics = Intrinsics.centred(self.focal_px, self.size)
        asked = as_points(points)
        return (self.depth_at(asked) * intrinsics.ray_lengths(asked)).astype(np.float32)

    @abc.abstractmethod
    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """Depth in metres at every pixel: `depth_map()[v, u] == depth_at([(u, v)])[0]`.

        Args:
            fast: take the network's own map where that is quicker than asking every pixel.
        """

    @abc.abstractmethod
    def _ask(self, points: np.ndarray) -> np.ndarray:
        """Metres at points that are known to lie inside the photo."""


def check_focal(focal_px: float, size: Size) -> None:
    """Refuse what cannot be a photo's focal length in its own pixels."""
    if not (math.isfinite(focal_px) and focal_px > 0):
        raise InputError(f"focal_px must be a positive number of pixels, got {focal_px}")
    fov_deg = math.degrees(2 * math.atan(max(size) / 2 / focal_px))
    if fov_deg > WIDEST_FOV_DEG:
        raise InputError(
            f"focal_px {focal_px:g} over {max(size)} pixels is a field of view of {fov_deg:.0f} "
            "degrees; is it in pixels of this image, not in millimetres?"
        )


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
