"""What the network is shown of a sample, and where its answers are read."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spd.errors import InputError
from spd.evaluation.protocols import Box, camera_of
from spd.evaluation.settings import DepthPredictor, DepthScene, EvaluationSettings
from spd.pixels import rescale

if TYPE_CHECKING:  # at run time this would import torch, which re-scoring has no use for
    from spd.data.sample import RGBDSample
    from spd.data.views import Placement

Points = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]
_POINTS_AT_ONCE = 65_536


class Shown:
    """A photo, or the training camera's crop in its middle; encoded when first asked."""

    def __init__(
        self,
        predictor: DepthPredictor,
        sample: "RGBDSample",
        settings: EvaluationSettings,
        *,
        mirrored: bool = False,
    ) -> None:
        self.sample, self.mirrored = sample, mirrored
        self.crop = crop_of(sample, settings)
        self._predictor = predictor
        self._scene: DepthScene | None = None
        self._map_m: Floats | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what is shown."""
        return self.crop.size if self.crop is not None else self.sample.image_size

    @property
    def reads_exactly(self) -> bool:
        """Whether no point is rounded to a pixel to read the dense map."""
        return self.crop is not None or self.sample.depth_size == self.sample.image_size

    def points(self, pixel_index: npt.NDArray[np.int64]) -> Points:
        """Where depth pixels, counted row by row, lie on what is shown, not mirrored."""
        if self.crop is not None:
            return self.crop.reading_points(self.sample, pixel_index)
        (height, width), (rows, columns) = self.sample.image_size, self.sample.depth_size
        row, column = np.divmod(pixel_index, columns)
        return np.stack([rescale(column, width / columns), rescale(row, height / rows)], axis=-1)

    def box(self) -> Box:
        """The depth pixels whose centres are shown: a crop is never turned."""
        rows, columns = self.sample.depth_size
        if self.crop is None:
            return 0, rows, 0, columns
        height, width = self.size
        v = self.points(np.arange(rows) * columns)[:, 1]
        u = self.points(np.arange(columns))[:, 0]
        row = np.flatnonzero((v >= -0.5) & (v <= height - 0.5))
        column = np.flatnonzero((u >= -0.5) & (u <= width - 0.5))
        return int(row[0]), int(row[-1]) + 1, int(column[0]), int(column[-1]) + 1

    def sparse(self, points: Points) -> npt.NDArray[np.float32]:
        """What is answered at points, each asked.

        Raises:
            InputError: if the predictor answers in another shape.
        """
        scene = self._encoded()
        parts = [
            _checked(scene.depth_at(part), (len(part),), self.sample.name)
            for part in _parts(self._turned(points))
        ]
        return np.concatenate(parts).astype(np.float32)

    def dense(self, points: Points) -> npt.NDArray[np.float32]:
        """What the dense map says at points: at the nearest pixel, in a crop bilinearly."""
        read = read_nearest if self.crop is None else read_bilinear
        return read(self.dense_map(), points).astype(np.float32)

    def dense_map(self) -> Floats:
        """The dense map of what is shown, turned back if that was mirrored.

        Raises:
            InputError: if the predictor answers in another shape.
        """
        if self._map_m is None:
            found = self._encoded().depth_map(fast=True)
            _checked(found, self.size, self.sample.name)
            self._map_m = found[:, ::-1] if self.mirrored else found
        return self._map_m

    def _turned(self, points: Points) -> Points:
        if not self.mirrored:
            return points
        return np.stack([self.size[1] - 1 - points[:, 0], points[:, 1]], axis=-1)

    def _encoded(self) -> DepthScene:
        if self._scene is None:
            camera = self.sample.intrinsics
            if self.crop is not None:
                image, camera = self.crop.image(self.sample.image), self.crop.intrinsics
            else:
                image = self.sample.image
            if self.mirrored:
                image = np.ascontiguousarray(image[:, ::-1])
            focal_px = camera.focal_px if camera is not None else None
            with warnings.catch_warnings():
                if focal_px is None:  # such frames are scored aligned, which forgives the guess
                    warnings.simplefilter("ignore", UserWarning)
                self._scene = self._predictor.encode(image, focal_px=focal_px)
        return self._scene


def crop_of(sample: "RGBDSample", settings: EvaluationSettings) -> "Placement | None":
    """The crop that is seen and scored; None where it is the whole photo."""
    if settings.view == "whole":
        return None
    from spd.data.views import middle_placement  # brings torch along

    return middle_placement(sample, camera_of(settings.config))


def read_nearest(depth_m: Floats, points: Points) -> Floats:
    """A map at the nearest pixels; a point halfway between two takes the right or the lower one."""
    height, width = depth_m.shape
    columns = np.floor(points[:, 0] + 0.5).astype(np.int64).clip(0, width - 1)
    rows = np.floor(points[:, 1] + 0.5).astype(np.int64).clip(0, height - 1)
    return depth_m[rows, columns]


def read_bilinear(depth_m: Floats, points: Points) -> Floats:
    """A map between its pixels, its border repeated."""
    last = np.array(depth_m.shape[::-1]) - 1
    points = points.clip(0, last)
    column, row = np.floor(points).astype(np.int64).T
    right, below = np.minimum(column + 1, last[0]), np.minimum(row + 1, last[1])
    x, y = points[:, 0] - column, points[:, 1] - row
    upper = depth_m[row, column] * (1 - x) + depth_m[row, right] * x
    lower = depth_m[below, column] * (1 - x) + depth_m[below, right] * x
    return upper * (1 - y) + lower * y


def _parts(points: Points) -> list[Points]:
    """At most so many at once; no points are one part, so that they are answered too."""
    starts = range(0, max(1, len(points)), _POINTS_AT_ONCE)
    return [points[start : start + _POINTS_AT_ONCE] for start in starts]


def _checked(answer: Floats, expected: tuple[int, ...], name: str) -> Floats:
    if answer.shape != expected:
        raise InputError(
            f"{name}: the predictor answered {answer.shape}; expected {expected}: another "
            "resolution than what it was asked about"
        )
    return answer
