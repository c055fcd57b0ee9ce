"""`RGBDSample`, the sample type of every data source."""

import abc
import dataclasses
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from jaxtyping import Bool, Float, UInt8

from spd.errors import DataError
from spd.pixels import Intrinsics, Size, inside_image, rescale

TURN_ADVICE = (
    "remove the orientation from the images (exiftool -Orientation= FILES), or turn the depth maps "
    "as well"
)
MIN_DEPTH_M = 1e-3
MAX_DEPTH_M = 10.0
"""Largest depth that is trained on and scored, unless `max_depth_m=` sets another."""


@dataclasses.dataclass(frozen=True, slots=True)
class RGBDSample:
    """A colour image with metric depth.

    `depth_m` may have another resolution than `image`, but shows the same field of view. Depth is
    camera z in metres; 0 or NaN means no reading and never valid.
    """

    image: UInt8[np.ndarray, "h w 3"]
    """RGB, 0..255."""
    depth_m: Float[np.ndarray, "hd wd"]
    """Camera z in metres, float32."""
    valid: Bool[np.ndarray, "hd wd"]
    """Mask of the readings that are trained on and scored."""
    intrinsics: Intrinsics | None
    """Camera of the image; None: unknown."""
    name: str
    """Name in messages, tables and files."""
    exact_points: Float[np.ndarray, "n 3"] | None = None
    """`(u, v, depth_m)` at sub-pixel points of the image, float32; None if the source has none."""
    max_depth_m: float = MAX_DEPTH_M
    """Largest depth that is valid."""
    orientation: int = 1
    """EXIF orientation that the image was turned by, 1 to 8; 1: as stored."""

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise DataError(
                f"{self.name}: image must be uint8 [H, W, 3], "
                f"got {self.image.dtype} {self.image.shape}"
            )
        if self.depth_m.ndim != 2 or self.depth_m.dtype != np.float32:
            raise DataError(
                f"{self.name}: depth must be float32 [H, W] metres, "
                f"got {self.depth_m.dtype} {self.depth_m.shape}"
            )
        if self.valid.shape != self.depth_m.shape or self.valid.dtype != np.bool_:
            raise DataError(
                f"{self.name}: the valid mask must be boolean and have the shape of the depth map"
            )
        (height, width), (rows, columns) = self.image_size, self.depth_size
        if abs(height * columns / (width * rows) - 1) > 0.02:
            raise DataError(
                f"{self.name}: the aspect ratios of image {height}x{width} and depth "
                f"{rows}x{columns} differ by more than 2 %; {self._reason_of_shapes()}"
            )
        if self.exact_points is not None:
            check_exact_points(self.exact_points, self.image_size, self.name)

    def _reason_of_shapes(self) -> str:
        """Advice on an image and a depth map of different shapes."""
        (height, width), (rows, columns) = self.image_size, self.depth_size
        if self.orientation >= 5 and abs(width * columns / (height * rows) - 1) <= 0.02:
            return (
                f"EXIF orientation {self.orientation} turns the image, which is stored as "
                f"{width}x{height}, and the depth map is not turned; {TURN_ADVICE}"
            )
        return "both must show the same field of view"

    @property
    def image_size(self) -> Size:
        """(height, width) of the image."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def depth_size(self) -> Size:
        """(height, width) of the depth map."""
        return self.depth_m.shape[0], self.depth_m.shape[1]

    def reading_points(self) -> Float[np.ndarray, "n 2"]:
        """Points `(u, v)` of the image at the centres of the valid depth pixels, row by row."""
        rows, columns = np.nonzero(self.valid)
        (height, width), (depth_height, depth_width) = self.image_size, self.depth_size
        u = rescale(columns, width / depth_width)
        v = rescale(rows, height / depth_height)
        return np.stack([u, v], axis=-1)


def check_exact_points(points: np.ndarray, size: Size, name: str) -> None:
    """Check exact points `(u, v, depth_m)` on an image of `size` = (height, width).

    Raises:
        DataError: if they are not float32 `[n, 3]`, or a point is outside the image or has no
            positive finite depth; names the first such point.
    """
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype != np.float32:
        raise DataError(
            f"{name}: exact points must be float32 [n, 3] of (u, v, depth in metres), got "
            f"{points.dtype} {points.shape}"
        )
    u, v, depth_m = points.T
    height, width = size
    bad = ~(inside_image(u, v, size) & np.isfinite(depth_m) & (depth_m > 0))
    if bad.any():
        index = int(bad.argmax())
        raise DataError(
            f"{name}: exact point {index} is ({u[index]:g}, {v[index]:g}) at {depth_m[index]:g} m; "
            f"expected a point inside the {height}x{width} image and a finite depth above 0"
        )


class SampleSequence(Sequence[RGBDSample]):
    """Base class of sequences of samples; a subclass defines `__len__` and `read`."""

    @abc.abstractmethod
    def read(self, number: int) -> RGBDSample:
        """Read a sample, counted from 0."""

    def __iter__(self) -> Iterator[RGBDSample]:
        return (self.read(n) for n in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> RGBDSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RGBDSample]: ...
    def __getitem__(self, index: int | slice) -> RGBDSample | Sequence[RGBDSample]:
        if isinstance(index, slice):
            return [self.read(n) for n in range(*index.indices(len(self)))]
        return self.read(index)


def valid_depth(
    depth_m: Float[np.ndarray, "h w"], max_m: float = MAX_DEPTH_M
) -> Bool[np.ndarray, "h w"]:
    """Mask of depth that is trained on: finite and 1e-3 < d <= `max_m` (`docs/conventions.md`)."""
    return np.isfinite(depth_m) & (depth_m > MIN_DEPTH_M) & (depth_m <= max_m)
