"""The interface of every scene: one encoded photo, queried at its own pixels."""

import abc
import contextlib

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import PointError, shown
from spd.memory import reserved
from spd.photos.camera_matrix import IntrinsicsLike
from spd.photos.distortion import DistortionLike, ray_lengths, rays_at
from spd.photos.focal import Focal
from spd.photos.peaks import map_bytes
from spd.photos.plan import ImagePlan
from spd.pixels import Intrinsics, Size, as_numbers, as_points, inside_or_nan
from spd.scenes.depth_kind import DepthKind, refuse_relative
from spd.scenes.regions import RegionLike, RegionStatistics, region
from spd.scenes.space import Outside, camera_of, distances_m, points_3d

_MAP_POINTS = 1 << 20  # of a map that are queried together; a multiple of every engine's parts


class PhotoScene(abc.ABC):
    """One encoded photo. Queries do not change it.

    Args:
        size: (height, width) of the photo.
        focal: focal length and camera, known or assumed; None where the network uses none.
        kind: what `depth_at` answers; methods that need metres refuse relative kinds.
        plan: how the photo became the network's input; None where the network does that itself.
    """

    def __init__(
        self,
        size: Size,
        focal: Focal | None,
        kind: DepthKind = "metric",
        plan: ImagePlan | None = None,
    ) -> None:
        self.size = size
        self.focal = focal
        """Focal length and camera, known or assumed; None where the network uses none."""
        self.focal_source = None if focal is None else focal.source
        """Source of the focal length; None where the network uses none."""
        self.kind = kind
        """Kind of the answers of `depth_at`: metres, or depth or inverse depth without scale."""
        self.plan = plan
        """Resampling plan of the photo; None where the network prepares its own input."""

    @property
    def nbytes(self) -> int:
        """Memory held by the encoded photo, in bytes; by default that of a float32 map."""
        return 4 * self.size[0] * self.size[1]

    @property
    def focal_px(self) -> float | None:
        """Focal length in the photo's own pixels; None where it is not known."""
        return self.focal.px if self.focal is not None and self.focal.known else None

    @property
    def assumed_focal_px(self) -> float | None:
        """Focal length assumed or predicted where it is not known; else None."""
        return self.focal.px if self.focal is not None and not self.focal.known else None

    @property
    def intrinsics(self) -> Intrinsics | None:
        """Pinhole camera in pixels of the photo; None where the focal length is not known."""
        return self.focal.intrinsics if self.focal is not None and self.focal.known else None

    def depth_at(self, points: ArrayLike, *, outside: Outside = "raise") -> Float[np.ndarray, " k"]:
        """Depth (camera z) in metres at `[K, 2]` points `(u, v)` of the photo.

        A relative model answers depth or inverse depth without a scale instead (`kind`).

        Args:
            points: pixels `(u, v)` = (column, row); integers are pixel centres.
            outside: "nan" returns NaN for points that are not finite or outside the photo instead
                of raising.

        Raises:
            PointError: on another shape, or naming the first point that is not finite or outside
                the photo (unless `outside="nan"`).
        """
        asked = inside_or_nan(as_points(points), self.size, outside)
        inside = np.isfinite(asked[:, 0])
        depth_m = np.full(len(asked), np.nan, dtype=np.float32)
        depth_m[inside] = self._ask(asked[inside])
        return depth_m

    def range_at(
        self,
        points: ArrayLike,
        intrinsics: IntrinsicsLike | None = None,
        distortion: DistortionLike | None = None,
        *,
        outside: Outside = "raise",
    ) -> Float[np.ndarray, " k"]:
        """Distance in metres from the camera to each point, along its ray.

        Args:
            points: as for `depth_at`.
            intrinsics: camera of the photo or its 3x3 matrix; by default the one it was encoded
                with, or its focal length with the principal point in the centre.
            distortion: OpenCV's coefficients (`Distortion.of`); by default none.
            outside: "nan" returns NaN for points that are not finite or outside the photo, or whose
                distortion cannot be inverted, instead of raising.

        Raises:
            InputError: if no focal length is known, or the model is relative.
            PointError: as `depth_at`, or if distortion cannot be inverted at a point.
        """
        refuse_relative(self.kind)
        camera = camera_of(self, intrinsics)
        asked = inside_or_nan(as_points(points), self.size, outside)
        lengths = ray_lengths(rays_at(asked, camera, distortion, outside=outside))
        return (self.depth_at(asked, outside=outside) * lengths).astype(np.float32)

    def points_3d(
        self,
        points: ArrayLike,
        intrinsics: IntrinsicsLike | None = None,
        distortion: DistortionLike | None = None,
        *,
        outside: Outside = "raise",
    ) -> Float[np.ndarray, "k 3"]:
        """`(x, y, z)` in metres of each pixel: right, down, forward (`spd.scenes.points_3d`)."""
        return points_3d(self, points, intrinsics, distortion, outside=outside)

    def distance_m(
        self,
        first: tuple[float, float],
        second: tuple[float, float],
        intrinsics: IntrinsicsLike | None = None,
        distortion: DistortionLike | None = None,
        *,
        outside: Outside = "raise",
    ) -> float:
        """Distance in metres between two pixels in space; for many use `spd.scenes.distances_m`."""
        ends = [as_numbers(end, "a pixel must be (u, v)", PointError) for end in (first, second)]
        for given, end in zip((first, second), ends, strict=True):
            if end.shape != (2,):
                raise PointError(f"a pixel must be (u, v), got {shown(given)}")
        return float(distances_m(self, [ends], intrinsics, distortion, outside=outside)[0])

    def region(self, where: RegionLike, *, outside: Outside = "raise") -> RegionStatistics:
        """Depth quantiles of a box, a mask or a line in metres (`spd.scenes.region`)."""
        return region(self, where, outside=outside)

    @abc.abstractmethod
    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """Depth in metres at every pixel: `depth_map()[v, u] == depth_at([(u, v)])[0]`.

        Args:
            fast: resize the network's own map instead of querying every pixel.
        """

    def _every_pixel(self) -> Float[np.ndarray, "h w"]:
        """Depth at every pixel, queried in parts: the points take six times the map's memory."""
        height, width = self.size
        depth_m = np.empty(height * width, dtype=np.float32)
        for start in range(0, depth_m.size, _MAP_POINTS):
            rows, columns = np.divmod(
                np.arange(start, min(start + _MAP_POINTS, depth_m.size)), width
            )
            points = np.stack([columns, rows], axis=1)
            depth_m[start : start + _MAP_POINTS] = self.depth_at(points)
        return depth_m.reshape(self.size)

    def _memory_for_map(self) -> contextlib.AbstractContextManager[None]:
        """Reserve the memory of a map of every pixel.

        Raises:
            OutOfMemoryError: if it is more than is left.
        """
        what = f"the {self.size[0]}x{self.size[1]} depth map"
        return reserved(map_bytes(self.size), what, "query points, or allow more memory")

    @abc.abstractmethod
    def _ask(self, points: np.ndarray) -> np.ndarray:
        """Depth at `[K, 2]` points that lie inside the photo.

        `RuntimeScene` (`spd.runtimes.export_predictor`) answers for exports, such as the shipped
        model, and `Scene` (`spd.predictors.torch_predictor`) for PyTorch.
        """
