"""The coordinate rule, valid points and cameras, for arrays and tensors alike; no torch here.

A point is `(u, v)` = (column, row). Integers are pixel centres, so an image of width W spans
-0.5 .. W - 0.5. When a side is resized by `scale`, its borders stay its borders:

    x' = (x + 0.5) * scale - 0.5            (`rescale`; the C kernel repeats it in `place_of`)

A map with w columns of an image with W columns has scale w / W. A photo's points first become
pixels of the network's input, by the same rule (`ImagePlan.to_model` in `spd.photos.plan`). Sizes
are (height, width).
`spd.geometry` adds what needs torch: sampling and resizing of feature maps.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.config import PATCH
from spd.errors import InputError, PointError, shown
from spd.pixels.columns import point_columns
from spd.pixels.numeric import as_count as as_count
from spd.pixels.numeric import as_map as as_map
from spd.pixels.numeric import as_mask as as_mask
from spd.pixels.numeric import as_number as as_number
from spd.pixels.numeric import as_numbers as as_numbers
from spd.pixels.numeric import convert_fields as convert_fields
from spd.pixels.numeric import is_tensor as is_tensor
from spd.pixels.numeric import parse_numbers as parse_numbers

Size = tuple[int, int]  # (height, width)
MAX_SIDE_PX = 1400
"""Longest side of the model's input."""
MAX_INPUT_PIXELS = 1_000_000
"""Most pixels of the model's input by default; the cost of attention grows with their square."""
SMALLEST_INPUT_PIXELS = 2 * PATCH * MAX_SIDE_PX
"""Pixels of the input of the most oblong photo: two patches high, and as wide as it may be."""


def rescale(coordinate: Any, scale: Any) -> Any:
    """Move a coordinate with a side that is resized by `scale`: `(x + 0.5) * scale - 0.5`.

    Numbers, arrays or tensors; the answer is of their kind.
    """
    return (coordinate + 0.5) * scale - 0.5


def pixel_to_cell(pixel: Any, pixels: int, cells: int) -> Any:
    """Index coordinate in a map of `cells` along a side of `pixels` (specification, 6.3)."""
    return rescale(pixel, cells / pixels)


def side_centres(count: int, pixels: int) -> Float[np.ndarray, " n"]:
    """Centres of `count` equal cells along a side of `pixels`, as pixel coordinates."""
    return rescale(np.arange(count), pixels / count)


def lattice(u: np.ndarray, v: np.ndarray) -> Float[np.ndarray, "n 2"]:
    """The points `(u, v)` at every crossing of columns `u` and rows `v`, row by row."""
    across, down = np.meshgrid(u, v)
    return np.stack([across.ravel(), down.ravel()], axis=1)


def check_image_size(size: Size) -> None:
    """Refuse an image size that is not at least 2x2 whole patches.

    Raises:
        InputError: naming, for each bad side, the two nearest valid sizes.
    """
    for name, pixels in zip(("height", "width"), size, strict=True):
        if pixels % PATCH or pixels < 2 * PATCH:
            below = max(pixels // PATCH * PATCH, 2 * PATCH)
            raise InputError(
                f"image {name} must be a multiple of {PATCH} and at least {2 * PATCH}, "
                f"got {pixels}; resize to {below} or pad to {below + PATCH}"
            )


def allowed_scale(size: Size, wanted: float, max_pixels: int = MAX_INPUT_PIXELS) -> float:
    """The allowed scale of an image of `size` that is nearest to `wanted`.

    The scaled image has at least two patches on its shorter side and at most `MAX_SIDE_PX` on its
    longer one. Padded to whole patches it has at most `max_pixels` pixels.
    """
    height, width = size
    smallest = (PATCH + 1) / min(size)
    scale = min(max(wanted, smallest), MAX_SIDE_PX / max(size))
    padded = 1.0
    for pixels in size:
        padded *= max(2, math.ceil(pixels * scale / PATCH - 1e-9)) * PATCH
    if padded <= max_pixels:
        return scale
    # The largest scale at which (height * scale + 14) * (width * scale + 14) fits.
    half = PATCH * (height + width) / 2
    root = math.sqrt(half * half + height * width * (max_pixels - PATCH * PATCH))
    return min(scale, max((root - half) / (height * width), smallest))


def inside_image(u: Any, v: Any, image_size: Size) -> Any:
    """Whether coordinates lie in `-0.5 .. W - 0.5` and `-0.5 .. H - 0.5`; NaN does not.

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
    """Refuse a value of the `outside` argument that is neither "raise" nor "nan"."""
    if not isinstance(outside, str) or outside not in ("raise", "nan"):
        raise InputError(f"outside must be 'raise' or 'nan', got {shown(outside)}")


@dataclasses.dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera in pixels, integers at pixel centres: `u = fx * X / Z + cx`."""

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        convert_fields(self, "intrinsics")
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(math.isfinite(value) for value in values) or self.fx <= 0 or self.fy <= 0:
            raise InputError(
                f"intrinsics must be finite, with positive focal lengths, got {values}"
            )

    @classmethod
    def centred(cls, focal_px: float, size: Size) -> "Intrinsics":
        """A camera with square pixels and its principal point in the middle of the image."""
        return cls(focal_px, focal_px, (size[1] - 1) / 2, (size[0] - 1) / 2)

    @property
    def focal_px(self) -> float:
        """The geometric mean of fx and fy; the scale of a photo follows from it."""
        return math.sqrt(self.fx * self.fy)

    def resized(self, scale_x: float, scale_y: float) -> "Intrinsics":
        """The camera after the image is resized by these factors."""
        return Intrinsics(
            self.fx * scale_x,
            self.fy * scale_y,
            rescale(self.cx, scale_x),
            rescale(self.cy, scale_y),
        )

    def cropped(self, left: float, top: float) -> "Intrinsics":
        """The camera after `left` columns and `top` rows are cut away (negative: padding)."""
        return dataclasses.replace(self, cx=self.cx - left, cy=self.cy - top)

    def flipped(self, width: int) -> "Intrinsics":
        """The camera after an image of `width` columns is mirrored left to right."""
        return dataclasses.replace(self, cx=width - 1 - self.cx)

    def ray_lengths(self, points: Float[Any, "... 2"]) -> Any:
        """Distance along the ray per metre of depth at each point: range = depth times this.

        Points are an array or a tensor, and so is the answer.
        """
        x = (points[..., 0] - self.cx) / self.fx
        y = (points[..., 1] - self.cy) / self.fy
        return (x * x + y * y + 1) ** 0.5


def focal_from_fov(fov_deg: float, size: Size) -> float:
    """Focal length in pixels of a field of view of `fov_deg` along the longer side of `size`."""
    return max(size) / 2 / math.tan(math.radians(fov_deg) / 2)


def read_lattice(
    depth_m: Float[np.ndarray, "h w"], rows: np.ndarray, columns: np.ndarray
) -> Float[np.ndarray, "h2 w2"]:
    """Read a map bilinearly at every crossing of fractional rows and columns, borders repeated."""

    def blend(values: np.ndarray, at: np.ndarray) -> np.ndarray:  # along the first axis
        last = values.shape[0] - 1
        at = at.clip(0, last)
        below = np.floor(at).astype(np.int64)
        part = (at - below).astype(values.dtype)[:, None]
        return values[below] * (1 - part) + values[np.minimum(below + 1, last)] * part

    return np.ascontiguousarray(blend(blend(depth_m, rows).T, columns).T)


def as_points(points: ArrayLike | Sequence[tuple[float, float]]) -> np.ndarray:
    """Convert points to float64 `[K, 2]`; K may be 0.

    The columns u and v of a data frame are found by their names (`point_columns`).

    Raises:
        PointError: if they are not numbers, or have another shape.
    """
    expected = "points must be [K, 2] numbers (u, v)"
    asked = as_numbers(_named_points(points), expected, PointError)
    if asked.size == 0:
        return asked.reshape(0, 2)
    if asked.ndim != 2 or asked.shape[1] != 2:
        raise PointError(f"{expected}, got {asked.shape}")
    return asked


def _named_points(points: Any) -> Any:
    """`[K, 2]` of the named columns u and v; the points themselves where none are named."""
    given = getattr(points, "columns", None)
    try:
        names: list[Any] = [] if given is None else list(given)
    except Exception:  # whatever the given object raises
        return points
    found = point_columns(tuple(names)) if all(isinstance(one, str) for one in names) else None
    if found is None:
        return points
    return np.stack([np.asarray(points[names[axis]]) for axis in found], axis=1)


def point_of(point: Any) -> tuple[float, float]:
    """Point `(u, v)` from a list of two numbers, or a mapping with u and v (see `point_columns`).

    Raises:
        KeyError, TypeError, ValueError, OverflowError: if it is something else, such as text of
            two letters.
    """
    if not isinstance(point, list | tuple | dict):
        raise TypeError("not a point")
    u, v = _named_numbers(point) if isinstance(point, dict) else point
    if isinstance(u, bool | bytes) or isinstance(v, bool | bytes):
        raise TypeError("not numbers")
    return float(u), float(v)


def _named_numbers(point: dict[str, Any]) -> tuple[Any, Any]:
    found = point_columns(tuple(point))
    if found is None:
        raise KeyError("u")
    values = list(point.values())
    return values[found[0]], values[found[1]]


def inside_or_nan(
    points: Float[np.ndarray, "k 2"], size: Size, outside: str
) -> Float[np.ndarray, "k 2"]:
    """Refuse points outside a photo of `size`, or replace them by NaN, depending on `outside`.

    Raises:
        InputError: if `outside` is neither "raise" nor "nan".
        PointError: naming the first point that is not finite or outside, if it is "raise".
    """
    check_outside(outside)
    if outside == "raise":
        check_inside(points, size)
        return points
    inside = inside_image(points[:, 0], points[:, 1], size)
    return np.where(inside[:, None], points, np.nan)


def check_inside(points: Float[np.ndarray, "k 2"], size: Size) -> None:
    """Refuse points that lie outside a photo of `size`, naming the first.

    Raises:
        PointError: naming the first bad point and the valid range.
    """
    bad = np.flatnonzero(~inside_image(points[:, 0], points[:, 1], size))
    if len(bad):
        u, v = points[bad[0]].tolist()
        raise outside_error(int(bad[0]), u, v, size)
