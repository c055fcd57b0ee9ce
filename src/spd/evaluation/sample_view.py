"""The part of a sample that the network sees, and predictions at its depth pixels."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spd.errors import InputError
from spd.evaluation.protocols import Box, camera_of
from spd.evaluation.settings import EvaluationSettings
from spd.pixels import rescale
from spd.scenes.photo_predictor import PhotoPredictor
from spd.scenes.scene import PhotoScene

if TYPE_CHECKING:  # at run time this would import torch, which scoring does not need
    from spd.data.sample import RGBDSample
    from spd.data.views import Placement

Points = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]
_POINTS_AT_ONCE = 65_536


class SampleView:
    """A whole photo, or the training camera's crop at its centre; encoded on first use.

    Points are `[N, 2]` `(u, v)` in pixels of that view, never mirrored.
    """

    def __init__(
        self,
        predictor: PhotoPredictor[PhotoScene],
        sample: "RGBDSample",
        settings: EvaluationSettings,
        *,
        mirrored: bool = False,
    ) -> None:
        self.sample, self.mirrored = sample, mirrored
        self.crop = crop_of(sample, settings)
        self._predictor = predictor
        self._scene: PhotoScene | None = None
        self._map_m: Floats | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the view."""
        return self.crop.size if self.crop is not None else self.sample.image_size

    @property
    def reads_exactly(self) -> bool:
        """Whether the dense map is read without rounding points to pixels."""
        return self.crop is not None or self.sample.depth_size == self.sample.image_size

    def points(self, pixel_index: npt.NDArray[np.int64]) -> Points:
        """The points of depth pixels, which are counted row by row."""
        if self.crop is not None:
            return self.crop.reading_points(self.sample, pixel_index)
        (height, width), (rows, columns) = self.sample.image_size, self.sample.depth_size
        row, column = np.divmod(pixel_index, columns)
        return np.stack([rescale(column, width / columns), rescale(row, height / rows)], axis=-1)

    def box(self) -> Box:
        """The depth pixels whose centres lie in the view; a crop is never rotated."""
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
        """Point queries, `[N]`.

        Raises:
            InputError: if the predictor answers in another shape.
        """
        scene, turned = self._encoded(), self._turned(points)
        parts = []
        for start in range(0, max(1, len(turned)), _POINTS_AT_ONCE):  # no points: one empty query
            part = turned[start : start + _POINTS_AT_ONCE]
            parts.append(_checked(scene.depth_at(part), (len(part),), self.sample.name))
        return np.concatenate(parts).astype(np.float32)

    def dense(self, points: Points) -> npt.NDArray[np.float32]:
        """The dense map at points, `[N]`: its nearest pixel, or bilinear in a crop."""
        read = read_nearest if self.crop is None else read_bilinear
        return read(self.dense_map(), points).astype(np.float32)

    def dense_map(self) -> Floats:
        """The dense map of the view, `[H, W]`; a mirrored one is turned back.

        Raises:
            InputError: if the predictor answers in another shape.
        """
        if self._map_m is None:
            depth_m = self._encoded().depth_map(fast=True)
            _checked(depth_m, self.size, self.sample.name)
            self._map_m = depth_m[:, ::-1] if self.mirrored else depth_m
        return self._map_m

    def _turned(self, points: Points) -> Points:
        if not self.mirrored:
            return points
        return np.stack([self.size[1] - 1 - points[:, 0], points[:, 1]], axis=-1)

    def _encoded(self) -> PhotoScene:
        if self._scene is None:
            camera, image = self.sample.intrinsics, self.sample.image
            if self.crop is not None:
                image, camera = self.crop.image(image), self.crop.intrinsics
            if self.mirrored:
                image = np.ascontiguousarray(image[:, ::-1])
            focal_px = camera.focal_px if camera is not None else None
            with warnings.catch_warnings():
                if focal_px is None:  # scored aligned, so the assumed focal length does not matter
                    warnings.simplefilter("ignore", UserWarning)
                self._scene = self._predictor.encode(image, focal_px=focal_px)
        return self._scene


def crop_of(sample: "RGBDSample", settings: EvaluationSettings) -> "Placement | None":
    """The crop that is seen and scored; None for the whole photo."""
    if settings.view == "whole":
        return None
    from spd.data.views import middle_placement  # imports torch

    return middle_placement(sample, camera_of(settings.config))


def read_nearest(depth_m: Floats, points: Points) -> Floats:
    """A map at the nearest pixels; a point halfway between two takes the right or the lower one."""
    height, width = depth_m.shape
    columns = np.floor(points[:, 0] + 0.5).astype(np.int64).clip(0, width - 1)
    rows = np.floor(points[:, 1] + 0.5).astype(np.int64).clip(0, height - 1)
    return depth_m[rows, columns]


def read_bilinear(depth_m: Floats, points: Points) -> Floats:
    """A map interpolated between its pixels, with its border repeated."""
    last = np.array(depth_m.shape[::-1]) - 1
    points = points.clip(0, last)
    column, row = np.floor(points).astype(np.int64).T
    right, below = np.minimum(column + 1, last[0]), np.minimum(row + 1, last[1])
    x, y = points[:, 0] - column, points[:, 1] - row
    upper = depth_m[row, column] * (1 - x) + depth_m[row, right] * x
    lower = depth_m[below, column] * (1 - x) + depth_m[below, right] * x
    return upper * (1 - y) + lower * y


def _checked(answer: Floats, expected: tuple[int, ...], name: str) -> Floats:
    if answer.shape != expected:
        raise InputError(
            f"{name}: the predictor returned shape {answer.shape}, expected {expected}"
        )
    return answer
