"""Regions of a photo and quantiles of their depth, which single outliers do not move.

A region is sampled: one point per pixel up to `MOST_POINTS`, and above that `MOST_POINTS` spread
evenly. Quantiles of thousands of points lie within one or two percent of rank of those of all.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError, shown
from spd.photos.reading import MAX_PIXELS, read_mask_pixels
from spd.pixels import (
    Size,
    as_count,
    as_mask,
    as_numbers,
    as_points,
    check_inside,
    check_outside,
    convert_fields,
    inside_image,
    lattice,
    side_centres,
)
from spd.scenes.depth_kind import refuse_relative
from spd.scenes.space import Outside

if TYPE_CHECKING:
    from spd.scenes.scene import PhotoScene

MOST_POINTS = 4096
"""Largest number of points queried in one region."""
FARTHEST_PX = 1e7
"""Largest absolute coordinate of a box; beyond it, differences are not exact to a pixel."""
_PERCENTILES = (10, 25, 50, 75, 90)


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels: left, top, right, bottom. Its points outside the photo are invalid."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        convert_fields(self, "a box", PointError)
        values = dataclasses.astuple(self)
        if not np.isfinite(values).all() or self.x0 >= self.x1 or self.y0 >= self.y1:
            raise PointError(
                "a box must be x0,y0,x1,y1 (left, top, right, bottom) with x0 < x1 and y0 < y1, "
                f"got {','.join(f'{value:g}' for value in values)}"
            )
        if max(abs(value) for value in values) > FARTHEST_PX:
            raise PointError(
                f"{self} reaches too far outside any photo; expected coordinates from "
                f"{-FARTHEST_PX:,.0f} to {FARTHEST_PX:,.0f}"
            )

    def sample(self, size: Size, most: int = MOST_POINTS) -> Float[np.ndarray, "n 2"]:
        """Centres of equal cells, one pixel or more a side, row by row.

        Raises:
            PointError: if the whole box lies outside the photo.
        """
        height, width = size
        if self.x1 <= -0.5 or self.y1 <= -0.5 or self.x0 >= width - 0.5 or self.y0 >= height - 0.5:
            raise PointError(f"{self} lies outside the photo of {width} columns and {height} rows")
        wide, high = self.x1 - self.x0, self.y1 - self.y0
        step = max(1.0, float(np.sqrt(wide * high / most)))
        columns = min(most, max(1, round(wide / step - 1e-9)))
        rows = max(1, min(round(high / step - 1e-9), most // columns))
        columns = min(columns, most // rows)
        u = self.x0 + (np.arange(columns) + 0.5) * (wide / columns)
        v = self.y0 + (np.arange(rows) + 0.5) * (high / rows)
        return lattice(u, v)

    def middle_inside(self, size: Size) -> tuple[float, float]:
        """Centre `(u, v)` of the part inside the photo, even if no sample lies inside."""
        height, width = size
        u = (max(self.x0, -0.5) + min(self.x1, width - 0.5)) / 2
        v = (max(self.y0, -0.5) + min(self.y1, height - 0.5)) / 2
        return u, v


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A boolean array of the photo's size; true is inside."""

    pixels: Bool[np.ndarray, "h w"]

    def __post_init__(self) -> None:
        pixels = as_mask(self.pixels)
        if pixels is None:
            raise InputError(
                f"a mask must be a boolean array [H, W], got {shown(self.pixels)}; convert a "
                "numeric mask with mask > 0"
            )
        object.__setattr__(self, "pixels", pixels)

    def sample(self, size: Size, most: int = MOST_POINTS) -> Float[np.ndarray, "n 2"]:
        """Pixel centres, row by row; a random draw with a fixed seed above `most`.

        Raises:
            InputError: if the mask has another size than the photo, or is empty.
        """
        if self.pixels.shape != tuple(size):
            height, width = self.pixels.shape
            raise InputError(
                f"the mask is {width}x{height}, but the photo is {size[1]}x{size[0]}; "
                "the mask must be the size of the upright photo"
            )
        v, u = np.nonzero(self.pixels)
        if not len(u):
            raise InputError("the mask is empty; mark the pixels inside as white or true")
        points = np.stack([u, v], axis=1).astype(np.float64)
        if len(points) <= most:
            return points
        drawn = np.random.default_rng(0).choice(len(points), most, replace=False)
        return points[np.sort(drawn)]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A polyline through two or more points, inside the photo."""

    points: Float[np.ndarray, "n 2"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", as_points(self.points))
        if len(self.points) < 2:
            raise PointError(f"a line needs at least two points, got {len(self.points)}")

    @classmethod
    def through(cls, points: ArrayLike) -> "Line":
        """Line through points `[N, 2]` of `(u, v)`."""
        return cls(as_points(points))

    def sample(self, size: Size, most: int = MOST_POINTS) -> Float[np.ndarray, "n 2"]:
        """Points evenly along the line, both ends included; at most one pixel apart up to `most`.

        Raises:
            PointError: naming the first point outside the photo.
        """
        check_inside(self.points, size)
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        count = min(most, max(2, int(np.ceil(along[-1] - 1e-9)) + 1))
        at = np.linspace(0.0, along[-1], count)
        return np.stack([np.interp(at, along, axis) for axis in self.points.T], axis=1)


Region: TypeAlias = Box | Mask | Line
RegionLike: TypeAlias = "Region | Sequence[float] | np.ndarray | str | os.PathLike[str]"


@dataclasses.dataclass(frozen=True, slots=True)
class RegionStatistics:
    """Depth (camera z) over a region, in metres; NaN where nothing in it is valid."""

    count: int
    """Number of points queried."""
    valid_share: float
    """Share of points inside the photo with a positive, finite depth; quantiles are of those."""
    p10_m: float
    p25_m: float
    median_m: float
    p75_m: float
    p90_m: float

    @classmethod
    def of(cls, depth_m: Float[np.ndarray, " n"]) -> "RegionStatistics":
        """Statistics of depths in metres; percentiles interpolate linearly."""
        depth_m = np.asarray(depth_m, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            valid = depth_m[np.isfinite(depth_m) & (depth_m > 0)]
        quantiles = np.percentile(valid, _PERCENTILES) if len(valid) else [float("nan")] * 5
        share = len(valid) / len(depth_m) if len(depth_m) else 0.0
        return cls(len(depth_m), share, *(float(value) for value in quantiles))


def region(
    scene: "PhotoScene",
    where: RegionLike,
    *,
    most_points: int = MOST_POINTS,
    outside: Outside = "raise",
) -> RegionStatistics:
    """Depth quantiles of a part of a photo, in metres.

    Args:
        scene: an encoded photo.
        where: a box `(x0, y0, x1, y1)`, a boolean array `[H, W]` or the path of a mask image, or
            `Line.through(points)`.
        most_points: largest number of points to query.
        outside: "nan" returns NaN quantiles and a count of 0, instead of raising, for a box outside
            the photo, a line with a point outside, and coordinates that are not finite.

    Raises:
        InputError: if the region is malformed or outside the photo, or the model is relative.
    """
    refuse_relative(scene.kind)
    check_outside(outside)
    most = as_count(most_points, "most_points")
    if outside == "nan" and not _is_finite(where):
        return RegionStatistics.of(np.empty(0))
    found = as_region(where)
    try:
        points = found.sample(scene.size, most)
    except PointError:  # a valid region, but outside the photo
        if outside == "raise":
            raise
        return RegionStatistics.of(np.empty(0))
    return RegionStatistics.of(scene.depth_at(points, outside="nan"))


def _is_finite(where: RegionLike) -> bool:
    """False for the four numbers of a box if one of them is not finite."""
    if isinstance(where, Box | Mask | Line | str | os.PathLike):
        return True  # a line is checked when it is sampled
    try:
        values = as_numbers(where, "")
    except InputError:
        return True  # `as_region` raises the error
    return values.shape != (4,) or bool(np.isfinite(values).all())


def as_region(where: RegionLike) -> Region:
    """Region from a box, a mask, a mask's path or a line, as `region` takes them.

    Raises:
        InputError: if it is none of these.
    """
    if isinstance(where, Box | Mask | Line):
        return where
    if isinstance(where, str | os.PathLike):
        return read_mask(where)
    pixels = as_mask(where)
    if pixels is not None:
        return Mask(pixels)
    expected = (
        "a region must be a box x0,y0,x1,y1, a boolean array [H, W] (convert a numeric mask with "
        "mask > 0), the path of a mask or a Line"
    )
    values = as_numbers(where, expected)
    if values.shape != (4,):
        raise InputError(f"{expected}, got {shown(where)}")
    return Box(*values.tolist())


def read_mask(image: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Read a mask from a lossless image; inside is neither black nor transparent.

    Args:
        image: a path, or a file's bytes.
        max_pixels: most pixels; a larger mask is not decoded.

    Raises:
        InputError: if it is missing, not an image, or a JPEG (lossy: black becomes almost black).
        OutOfMemoryError: if decoding it needs more memory than is left.
    """
    return Mask(read_mask_pixels(image, max_pixels=max_pixels))


def grid(size: Size, columns: int, rows: int) -> Float[np.ndarray, "n 2"]:
    """Centres of `columns` x `rows` equal cells of a photo, row by row.

    Raises:
        PointError: if columns or rows are below 1.
    """
    columns = as_count(columns, "columns of a grid", PointError)
    rows = as_count(rows, "rows of a grid", PointError)
    try:
        height, width = (as_count(side, "a side of a photo") for side in size)
    except (TypeError, ValueError):
        raise InputError(f"size must be (height, width), got {shown(size)}") from None
    return lattice(side_centres(columns, width), side_centres(rows, height))


def centre_of(where: Region, size: Size) -> tuple[float, float]:
    """Point `(u, v)` inside the photo that marks a region in pictures."""
    points = where.sample(size)
    inside = points[inside_image(points[:, 0], points[:, 1], size)]
    if isinstance(where, Box) and not len(inside):
        return where.middle_inside(size)
    nearest = np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()
    return float(inside[nearest, 0]), float(inside[nearest, 1])
