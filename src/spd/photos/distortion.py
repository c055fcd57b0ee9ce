"""Rays of pixels: the pinhole camera, and lens distortion in OpenCV's model.

`cv2.calibrateCamera` returns both: the camera matrix and `distCoeffs`.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from spd.errors import InputError, PointError
from spd.pixels import (
    Intrinsics,
    as_numbers,
    as_points,
    check_outside,
    convert_fields,
    parse_numbers,
)

MOST_ROUNDS = 200
"""Limit of the fixed-point iteration; ordinary lenses need ten to thirty rounds."""
_EXPECTED = (
    "distortion must be 4, 5 or 8 numbers in OpenCV's order, k1,k2,p1,p2[,k3[,k4,k5,k6]] "
    "(or 12 or 14 of which the rest are zero)"
)
_UNUSED = ("s1", "s2", "s3", "s4", "tau_x", "tau_y")  # of OpenCV's 14, after the first 8
UNDONE_WITHIN_PX = 1e-6
"""Tolerance in pixels: an undistorted point, distorted again, lies this close to the original."""


@dataclasses.dataclass(frozen=True, slots=True)
class Distortion:
    """OpenCV's coefficients of radial and tangential distortion, in OpenCV's order."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0

    def __post_init__(self) -> None:
        convert_fields(self, "distortion")
        if not np.isfinite(dataclasses.astuple(self)).all():
            raise InputError(f"distortion coefficients must be finite, got {self}")

    @classmethod
    def of(cls, coefficients: "DistortionLike | None") -> "Distortion":
        """Distortion from OpenCV's coefficients; None means no distortion.

        Args:
            coefficients: 4, 5, 8, 12 or 14 numbers in OpenCV's order; of the last two, those of a
                thin prism (s1 to s4) and a tilted sensor (tau_x, tau_y) must be zero. The four of
                `cv2.fisheye` are another model that cannot be told from k1, k2, p1, p2.

        Raises:
            InputError: on another count, or coefficients that are not used.
        """
        if coefficients is None:
            return cls()
        if isinstance(coefficients, Distortion):
            return coefficients
        values = as_numbers(coefficients, _EXPECTED).ravel().tolist()
        if len(values) not in (4, 5, 8, 12, 14):
            raise InputError(f"{_EXPECTED}, got {len(values)} numbers")
        for name, value in zip(_UNUSED, values[8:], strict=False):
            if value != 0:
                raise InputError(
                    f"the distortion coefficient {name} = {value:g} is not used: SPD models no "
                    "thin prism or tilted sensor; calibrate without it, or undistort the photo"
                )
        return cls(*values[:8])

    @classmethod
    def parse(cls, text: str) -> "Distortion":
        """Distortion from text such as `k1,k2,p1,p2`, or a printed list or array.

        Raises:
            InputError: as `of`, or if the text does not hold numbers.
        """
        values = parse_numbers(text)
        if not values:
            raise InputError(f"{_EXPECTED}, got {text}")
        return cls.of(values)

    def apply(self, rays: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"]:
        """Distorted rays: where the lens images undistorted rays `(x, y)` at z = 1."""
        x, y = rays.T
        radial, shift_x, shift_y = self._parts(x, y)
        return np.stack([x * radial + shift_x, y * radial + shift_y], axis=1)

    def undo(
        self, distorted: Float[np.ndarray, "k 2"], within: float
    ) -> tuple[Float[np.ndarray, "k 2"], np.ndarray]:
        """Undistorted rays, and a mask of the points where the iteration converged.

        Fixed-point iteration. Rays beyond the fold of a radial lens, where two rays share a pixel,
        repel it, so it converges to the ray that the camera sees.
        """
        rays = distorted.copy()
        with np.errstate(all="ignore"):  # `found` below excludes what diverges
            for _ in range(MOST_ROUNDS):
                radial, shift_x, shift_y = self._parts(*rays.T)
                moved = (distorted - np.stack([shift_x, shift_y], axis=1)) / radial[:, None]
                still = np.abs(moved - rays) <= within / 100
                rays = moved
                if still.all():
                    break
            apart = np.abs(self.apply(rays) - distorted).max(axis=1, initial=0.0)
            found = (apart <= within) & (self._parts(*rays.T)[0] > 0)
        return rays, found

    def _parts(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Radial factor, and tangential shifts along x and y."""
        r2 = x * x + y * y
        above = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        below = 1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))
        shift_x = 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x)
        shift_y = self.p1 * (r2 + 2 * y * y) + 2 * self.p2 * x * y
        return above / below, shift_x, shift_y


DistortionLike: TypeAlias = Distortion | Sequence[float] | np.ndarray


def rays_at(
    points: Float[np.ndarray, "k 2"],
    intrinsics: Intrinsics,
    distortion: DistortionLike | None = None,
    *,
    outside: str = "raise",
) -> Float[np.ndarray, "k 2"]:
    """Ray `(x, y)` of each pixel at z = 1, x right and y down.

    Args:
        points: pixels `(u, v)`; one that is NaN has a ray of NaN.
        intrinsics: the camera.
        distortion: OpenCV's coefficients, as `Distortion.of` takes them; by default none.
        outside: "nan" returns NaN where the distortion cannot be inverted, instead of raising.

    Raises:
        InputError: as `Distortion.of`.
        PointError: naming the first point whose distortion cannot be undone.
    """
    check_outside(outside)
    points = as_points(points)
    pinhole = (points - (intrinsics.cx, intrinsics.cy)) / (intrinsics.fx, intrinsics.fy)
    lens = Distortion.of(distortion)
    if lens == Distortion():
        return pinhole
    known = np.isfinite(pinhole).all(axis=1)
    rays = np.full_like(pinhole, np.nan)
    within = UNDONE_WITHIN_PX / max(intrinsics.fx, intrinsics.fy)
    rays[known], found = lens.undo(pinhole[known], within)
    rays[np.flatnonzero(known)[~found]] = np.nan
    if outside == "raise" and not found.all():
        index = int(np.flatnonzero(known)[np.argmin(found)])
        u, v = points[index]
        raise PointError(
            f"the distortion cannot be inverted at point {index}, ({u:g}, {v:g}): no ray maps to "
            "it; check that coefficients and intrinsics are this camera's, in OpenCV's order"
        )
    return rays


def ray_lengths(rays: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, " k"]:
    """Ratio of range to depth along rays `(x, y)` at z = 1."""
    return np.sqrt(1 + (rays**2).sum(axis=1))
