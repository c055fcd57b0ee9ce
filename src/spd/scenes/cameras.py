"""Rays of pixels: a pinhole camera, and the distortion of its lens as OpenCV has it.

A calibration gives both together: `cv2.calibrateCamera`'s matrix and its `distCoeffs`.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from spd.errors import InputError, PointError
from spd.pixels import Intrinsics, Size

MOST_ROUNDS = 200
"""Of fixed-point iteration; ordinary lenses take ten to thirty."""
UNDONE_WITHIN_PX = 1e-6
"""How close an undistorted point, distorted again, comes to where it was asked."""


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
        if not np.isfinite(dataclasses.astuple(self)).all():
            raise InputError(f"distortion coefficients must be finite, got {self}")

    @classmethod
    def of(cls, coefficients: "DistortionLike | None") -> "Distortion":
        """From itself or from a list of 4, 5 or 8 numbers; None is no distortion.

        Raises:
            InputError: on another count, such as the 12 or 14 of a thin prism or tilted sensor.
        """
        if coefficients is None:
            return cls()
        if isinstance(coefficients, Distortion):
            return coefficients
        try:
            values = [float(value) for value in np.ravel(np.asarray(coefficients, dtype=float))]
        except (TypeError, ValueError):
            values = []
        if len(values) not in (4, 5, 8):
            raise InputError(
                "distortion is 4, 5 or 8 numbers k1,k2,p1,p2[,k3[,k4,k5,k6]] in OpenCV's order, "
                f"got {len(values)}"
            )
        return cls(*values)

    def apply(self, rays: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"]:
        """Where the lens puts rays `(x, y)` at z = 1."""
        x, y = rays.T
        radial, shift_x, shift_y = self._parts(x, y)
        return np.stack([x * radial + shift_x, y * radial + shift_y], axis=1)

    def undo(
        self, distorted: Float[np.ndarray, "k 2"], within: float
    ) -> tuple[Float[np.ndarray, "k 2"], np.ndarray]:
        """Rays that the lens puts there, and for which points they were found.

        Fixed-point iteration. A ray beyond the fold of a radial lens, where two rays meet in a
        pixel, repels it, so what it settles on is the ray that a camera sees.
        """
        rays = distorted.copy()
        with np.errstate(all="ignore"):  # what runs away is told below
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
        """The radial factor, and how far tangential distortion shifts along x and y."""
        r2 = x * x + y * y
        above = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        below = 1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))
        shift_x = 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x)
        shift_y = self.p1 * (r2 + 2 * y * y) + 2 * self.p2 * x * y
        return above / below, shift_x, shift_y


DistortionLike: TypeAlias = Distortion | Sequence[float] | np.ndarray


def parse_distortion(text: str) -> Distortion:
    """`k1,k2,p1,p2` and so on, as it is typed.

    Raises:
        InputError: if that is no distortion.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    return Distortion.of(values)


def rays_at(
    points: Float[np.ndarray, "k 2"],
    intrinsics: Intrinsics,
    distortion: DistortionLike | None = None,
) -> Float[np.ndarray, "k 2"]:
    """The ray of each pixel as `(x, y)` at z = 1, x right and y down.

    Raises:
        InputError: if distortion is not 4, 5 or 8 finite numbers.
        PointError: naming the first point whose distortion cannot be undone.
    """
    pinhole = (points - (intrinsics.cx, intrinsics.cy)) / (intrinsics.fx, intrinsics.fy)
    lens = Distortion.of(distortion)
    if lens == Distortion():
        return pinhole
    known = np.isfinite(pinhole).all(axis=1)
    rays = np.full_like(pinhole, np.nan)
    within = UNDONE_WITHIN_PX / max(intrinsics.fx, intrinsics.fy)
    rays[known], found = lens.undo(pinhole[known], within)
    if not found.all():
        index = int(np.flatnonzero(known)[np.argmin(found)])
        u, v = points[index]
        raise PointError(
            f"the distortion cannot be undone at point {index}, ({u:g}, {v:g}): no ray is found "
            "there; are coefficients and intrinsics of this camera, and in OpenCV's order?"
        )
    return rays


def ray_lengths(rays: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, " k"]:
    """Range per metre of depth along rays `(x, y)` at z = 1."""
    return np.sqrt(1 + (rays**2).sum(axis=1))


def lens_doubt(intrinsics: Intrinsics, size: Size) -> str | None:
    """What speaks against intrinsics belonging to a photo of `size`; None where nothing does.

    A principal point far from the middle is mostly that of the photo before it was resized.
    """
    height, width = size
    if 0.25 <= intrinsics.cx / width <= 0.75 and 0.25 <= intrinsics.cy / height <= 0.75:
        return None
    return (
        f"the principal point ({intrinsics.cx:g}, {intrinsics.cy:g}) is far from the middle of the "
        f"photo of {width}x{height}; are the intrinsics of this size?"
    )
