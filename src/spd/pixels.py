"""The part of geometry that needs no torch: sizes, which points count, cameras, photos' scales.

`spd.geometry` has the rest and gives these names too. Apart from it because a photo can be asked
through ONNX Runtime or OpenVINO where torch is never loaded.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.config import PATCH
from spd.errors import InputError, PointError

Size = tuple[int, int]  # (height, width)
MAX_SIDE_PX = 1400  # of what the model sees; attention grows with the fourth power of it


def check_image_size(size: Size) -> None:
    """Refuse image sizes the encoder cannot cut into at least 2x2 whole patches.

    Raises:
        InputError: naming, for each bad side, the two nearest valid sizes.
    """
    for name, pixels in zip(("height", "width"), size, strict=True):
        if pixels % PATCH or pixels < 2 * PATCH:
            below = max(pixels // PATCH * PATCH, 2 * PATCH)
            raise InputError(
                f"image {name} {pixels} is not a multiple of {PATCH} of at least {2 * PATCH}; "
                f"resize to {below} or pad to {below + PATCH}"
            )


def allowed_scale(size: Size, wanted: float) -> float:
    """The scale nearest to `wanted` that an image of `size` may be given to the model at.

    Its shorter side gets at least two patches, its longer at most `MAX_SIDE_PX`.
    """
    smallest = (PATCH + 1) / min(size)
    return min(max(wanted, smallest), MAX_SIDE_PX / max(size))


def inside_image(u: Any, v: Any, image_size: Size) -> Any:
    """Which coordinates lie in `-0.5 .. W - 0.5` and `-0.5 .. H - 0.5`; NaN does not.

    Arrays or tensors of any shape; the answer is of their kind.
    """
    height, width = image_size
    return (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)


def outside_error(index: int, u: float, v: float, image_size: Size) -> PointError:
    """The error for a point outside an image, naming the valid range."""
    height, width = image_size
    return PointError(
        f"point {index} is ({u:g}, {v:g}), outside the image of {width} columns and "
        f"{height} rows: u must be in [-0.5, {width - 0.5}] and v in [-0.5, {height - 0.5}]"
    )


def check_outside(outside: str) -> None:
    """Refuse another word for what to do with points outside the image than the two there are."""
    if outside not in ("raise", "nan"):
        raise InputError(f"outside must be 'raise' or 'nan', got {outside!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera in pixels, integers at pixel centres: `u = fx * X / Z + cx`."""

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(math.isfinite(value) for value in values) or self.fx <= 0 or self.fy <= 0:
            raise InputError(f"intrinsics must be finite with positive focal lengths, got {values}")

    @classmethod
    def centred(cls, focal_px: float, size: Size) -> "Intrinsics":
        """Square pixels and the principal point in the middle of an image of `size`."""
        return cls(focal_px, focal_px, (size[1] - 1) / 2, (size[0] - 1) / 2)

    @property
    def focal_px(self) -> float:
        """One focal length for the uniform scale rule: the geometric mean of fx and fy."""
        return math.sqrt(self.fx * self.fy)

    def resized(self, scale_x: float, scale_y: float) -> "Intrinsics":
        """After resizing the image by these factors (outer borders stay borders)."""
        return Intrinsics(
            self.fx * scale_x,
            self.fy * scale_y,
            (self.cx + 0.5) * scale_x - 0.5,
            (self.cy + 0.5) * scale_y - 0.5,
        )

    def cropped(self, left: float, top: float) -> "Intrinsics":
        """After cutting `left` columns and `top` rows away (negative: padding)."""
        return dataclasses.replace(self, cx=self.cx - left, cy=self.cy - top)

    def flipped(self, width: int) -> "Intrinsics":
        """After mirroring an image of `width` columns left to right."""
        return dataclasses.replace(self, cx=width - 1 - self.cx)

    def ray_lengths(self, points: Float[Any, "... 2"]) -> Any:
        """Length of the ray at each point whose camera z is 1: range = z times this.

        Points are an array or a tensor, and so is the answer.
        """
        x = (points[..., 0] - self.cx) / self.fx
        y = (points[..., 1] - self.cy) / self.fy
        return (x * x + y * y + 1) ** 0.5


def focal_from_fov(fov_deg: float, size: Size) -> float:
    """Focal length in pixels that gives `fov_deg` along the longer side of `size`."""
    return max(size) / 2 / math.tan(math.radians(fov_deg) / 2)


def read_lattice(
    depth_m: Float[np.ndarray, "h w"], rows: np.ndarray, columns: np.ndarray
) -> Float[np.ndarray, "h2 w2"]:
    """A map read bilinearly at every crossing of fractional rows and columns, borders repeated."""

    def blend(values: np.ndarray, at: np.ndarray) -> np.ndarray:  # along the first axis
        last = values.shape[0] - 1
        at = at.clip(0, last)
        below = np.floor(at).astype(np.int64)
        part = (at - below).astype(values.dtype)[:, None]
        return values[below] * (1 - part) + values[np.minimum(below + 1, last)] * part

    return np.ascontiguousarray(blend(blend(depth_m, rows).T, columns).T)


def as_points(points: ArrayLike | Sequence[tuple[float, float]]) -> np.ndarray:
    """Points as float64 `[K, 2]`.

    Raises:
        PointError: if they are not numbers, or have another shape.
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


def check_inside(points: Float[np.ndarray, "k 2"], size: Size) -> None:
    """Refuse points that lie outside a photo of `size`, naming the first.

    Raises:
        PointError: naming the first bad point and the valid range.
    """
    bad = np.flatnonzero(~inside_image(points[:, 0], points[:, 1], size))
    if len(bad):
        u, v = points[bad[0]].tolist()
        raise outside_error(int(bad[0]), u, v, size)
