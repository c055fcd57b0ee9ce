"""Parts of a photo, and how far they are: quantiles that single wild pixels do not move.

A region is sampled, not averaged over every pixel: a point a pixel while there are at most
`MOST_POINTS`, and above that as many, spread evenly. Quantiles of thousands of points lie within
a percent or two of rank of those of all.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError
from spd.photos.reading import read_mask_pixels
from spd.pixels import Size, as_points, check_inside, inside_image, lattice, side_centres
from spd.scenes.depth_kind import refuse_relative

if TYPE_CHECKING:
    from spd.scenes.scene import PhotoScene

MOST_POINTS = 4096
"""Asked of one region."""
_PERCENTILES = (10, 25, 50, 75, 90)


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """From the left and upper border to the right and lower one, in pixels of the photo.

    Where part of it lies outside the photo that part counts as not valid.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        values = dataclasses.astuple(self)
        if not np.isfinite(values).all() or self.x0 >= self.x1 or self.y0 >= self.y1:
            raise PointError(
                f"box {','.join(f'{value:g}' for value in values)} is not x0,y0,x1,y1 with "
                "x0 < x1 and y0 < y1 (left, top, right, bottom)"
            )

    def sample(self, size: Size, most: int = MOST_POINTS) -> Float[np.ndarray, "n 2"]:
        """Centres of equal cells, one pixel or more a side, row by row.

        Raises:
            PointError: if none of it lies in the photo.
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
        """`(u, v)` of the middle of the part that lies in the photo.

        It is there even if no cell's centre is, as in a box that reaches a quarter of a pixel in.
        """
        height, width = size
        u = (max(self.x0, -0.5) + min(self.x1, width - 0.5)) / 2
        v = (max(self.y0, -0.5) + min(self.y1, height - 0.5)) / 2
        return u, v


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The pixels that are true, of an array as large as the photo."""

    pixels: Bool[np.ndarray, "h w"]

    def sample(self, size: Size, most: int = MOST_POINTS) -> Float[np.ndarray, "n 2"]:
        """Its pixels' centres, row by row; of too many a draw with a fixed seed.

        Raises:
            InputError: if it has another size than the photo, or no pixel.
        """
        if self.pixels.shape != tuple(size):
            height, width = self.pixels.shape
            raise InputError(
                f"the mask has {width} columns and {height} rows, the photo {size[1]} and {size[0]}"
                "; a mask is as large as the photo, upright"
            )
        v, u = np.nonzero(self.pixels)
        if not len(u):
            raise InputError("the mask has no pixel; white or true is inside")
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
        if len(self.points) < 2:
            raise PointError(f"a line has two points or more, got {len(self.points)}")

    @classmethod
    def through(cls, points: ArrayLike) -> "Line":
        """From points `[N, 2]` of `(u, v)`."""
        return cls(as_points(points))

    def sample(self, size: Size, most: int = MOST_POINTS) -> Float[np.ndarray, "n 2"]:
        """Evenly along it, at most a pixel apart while they are not too many, both ends included.

        Raises:
            PointError: naming the first of its points outside the photo.
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
    """Points asked."""
    valid_share: float
    """Share of them inside the photo with a positive, finite depth; the rest speak of those."""
    p10_m: float
    p25_m: float
    median_m: float
    p75_m: float
    p90_m: float

    @classmethod
    def of(cls, depth_m: Float[np.ndarray, " n"]) -> "RegionStatistics":
        """Statistics of the depths at all sampled points; percentiles interpolate linearly."""
        depth_m = np.asarray(depth_m, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            valid = depth_m[np.isfinite(depth_m) & (depth_m > 0)]
        quantiles = np.percentile(valid, _PERCENTILES) if len(valid) else [float("nan")] * 5
        share = len(valid) / len(depth_m) if len(depth_m) else 0.0
        return cls(len(depth_m), share, *(float(value) for value in quantiles))


def region(
    scene: "PhotoScene", where: RegionLike, *, most_points: int = MOST_POINTS
) -> RegionStatistics:
    """How far a part of a photo is.

    Args:
        scene: an encoded photo.
        where: a box `(x0, y0, x1, y1)`, a boolean array `[H, W]` or the path of a mask image, or
            `Line.through(points)`.
        most_points: to ask of it.

    Raises:
        InputError: if it is not a region of this photo.
    """
    refuse_relative(scene.kind)
    if most_points < 1:
        raise InputError(f"most_points must be at least 1, got {most_points}")
    points = as_region(where).sample(scene.size, most_points)
    return RegionStatistics.of(scene.depth_at(points, outside="nan"))


def as_region(where: RegionLike) -> Region:
    """A region from what may stand for one; see `region`.

    Raises:
        InputError: if it stands for none.
    """
    if isinstance(where, Box | Mask | Line):
        return where
    if isinstance(where, str | os.PathLike):
        return read_mask(where)
    values = np.asarray(where)
    if values.dtype == bool and values.ndim == 2:
        return Mask(values)
    if values.shape == (4,) and np.issubdtype(values.dtype, np.number):
        return Box(*(float(value) for value in values))
    raise InputError(
        "a region is a box x0,y0,x1,y1, a boolean array [H, W], a mask's path or a Line, got an "
        f"array of {values.dtype} {values.shape}; a mask of numbers becomes boolean by mask > 0"
    )


def read_mask(image: str | os.PathLike[str] | bytes) -> Mask:
    """A mask from an image without losses: inside is what is neither black nor transparent.

    Args:
        image: a path, or a file's bytes.

    Raises:
        InputError: if it is missing, no image, or a JPEG, whose black is not black.
    """
    return Mask(read_mask_pixels(image))


def grid(size: Size, columns: int, rows: int) -> Float[np.ndarray, "n 2"]:
    """Centres of `columns` x `rows` equal cells of a photo, row by row.

    Raises:
        PointError: if there are no cells.
    """
    if columns < 1 or rows < 1:
        raise PointError(f"a grid has one column and one row or more, got {columns}x{rows}")
    height, width = size
    return lattice(side_centres(columns, width), side_centres(rows, height))


def centre_of(where: Region, size: Size) -> tuple[float, float]:
    """A point of a region inside the photo that speaks for it in pictures."""
    points = where.sample(size)
    inside = points[inside_image(points[:, 0], points[:, 1], size)]
    if isinstance(where, Box) and not len(inside):
        return where.middle_inside(size)
    nearest = np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()
    return float(inside[nearest, 0]), float(inside[nearest, 1])
