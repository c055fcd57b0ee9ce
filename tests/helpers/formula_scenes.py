"""Scenes whose depth is known by a formula, so that answers are computed by hand."""

import numpy as np

from spd.photos.focal import Focal
from spd.pixels import Intrinsics
from spd.scenes.scene import PhotoScene


class FormulaScene(PhotoScene):
    """Depth in metres is a function of (u, v); its camera has focal length 100 px, or none."""

    def __init__(self, depth, size=(40, 60), focal_px: float | None = 100.0) -> None:
        focal = None
        if focal_px is not None:
            focal = Focal(focal_px, "intrinsics", Intrinsics(focal_px, focal_px, 30.0, 20.0))
        super().__init__(size, focal)
        self.depth = depth
        self.asked = 0

    def depth_map(self, *, fast=False):
        v, u = np.mgrid[: self.size[0], : self.size[1]]
        return self._ask(np.stack([u.ravel(), v.ravel()], axis=1)).reshape(self.size)

    def _ask(self, points):
        self.asked += len(points)
        return np.broadcast_to(self.depth(points[:, 0], points[:, 1]), len(points)).astype(
            np.float32
        )


def wall(metres: float = 2.0, **more) -> FormulaScene:
    """Flat, facing the camera."""
    return FormulaScene(lambda u, v: metres + 0 * u, **more)


def ramp(**more) -> FormulaScene:
    """One metre at column 0 and 1 cm more a column."""
    return FormulaScene(lambda u, v: 1 + 0.01 * u, **more)
