"""A predictor whose every answer is known, and rooms for it to answer about."""

import numpy as np

from spd.config import ModelConfig
from spd.data.sample import RGBDSample
from spd.evaluate import EvaluationSettings
from spd.pixels import Intrinsics


def make_sample(
    index: int, *, size=(6, 8), depth_size=None, name=None, intrinsics=True
) -> RGBDSample:
    """Depth 1 m in the left half and 3 m in the right, top row invalid; the image says which."""
    depth = np.full(depth_size or size, 1.0, np.float32)
    depth[:, depth.shape[1] // 2 :] = 3.0
    depth[0] = 0.0
    image = np.full((*size, 3), index, np.uint8)
    camera = Intrinsics.centred(7.0, size) if intrinsics else None
    return RGBDSample(image, depth, depth > 0, camera, name or f"room/{index:02d}")


class FakeScene:
    """Knows the rooms of `make_sample`: right by one factor as points, by another as a map."""

    def __init__(self, size, sparse: float, dense: float) -> None:
        self.size, self.sparse, self.dense = size, sparse, dense

    def depth_at(self, points):
        right = points[:, 0] > self.size[1] / 2 - 0.5
        return np.where(right, 3 * self.sparse, self.sparse).astype(np.float32)

    def depth_map(self, *, fast):
        assert fast
        depth = np.full(self.size, self.dense, np.float32)
        depth[:, self.size[1] // 2 :] *= 3
        return depth


class FakePredictor:
    """Sparse is 10 % and dense 20 % too far, times one plus the image's index."""

    config = ModelConfig.tiny()
    device = "cpu"
    kind = "metric"
    training_median_m = None

    def __init__(self, source: str = "fake") -> None:
        self.source = source
        self.encoded: list[tuple[int, float]] = []

    def encode(self, image, *, focal_px):
        index = int(image[0, 0, 0])
        self.encoded.append((index, focal_px))
        return FakeScene(image.shape[:2], 1 + 0.1 * (1 + index), 1 + 0.2 * (1 + index))


def settings_of(predictor, **changes) -> EvaluationSettings:
    return EvaluationSettings.of(predictor, data="rooms:test", **changes)


def map_sample(index: int, truth_m, *, focal_px=100.0) -> RGBDSample:
    """A sample of that depth; its image says which it is, and where its left border is."""
    image = np.zeros((*truth_m.shape, 3), np.uint8)
    image[..., 0], image[:, 0, 1] = index, 1
    camera = Intrinsics.centred(focal_px, truth_m.shape) if focal_px is not None else None
    valid = np.isfinite(truth_m) & (truth_m > 0)
    return RGBDSample(image, truth_m, valid, camera, f"map/{index}")


class MapScene:
    """Answers from one map: indexed as points, whole as the dense map."""

    def __init__(self, depth_m) -> None:
        self.depth_m = depth_m

    def depth_at(self, points):
        return self.depth_m[points[:, 1].astype(int), points[:, 0].astype(int)]

    def depth_map(self, *, fast):
        return self.depth_m


class MapPredictor:
    """Answers about `map_sample`s from given maps, and about mirrored ones from others."""

    config = ModelConfig.tiny()
    device = "cpu"
    kind = "metric"
    training_median_m = None
    source = "maps"

    def __init__(self, maps, mirrored=None) -> None:
        self.maps, self.mirrored = maps, mirrored
        self.asked: list[str] = []

    def encode(self, image, *, focal_px):
        index, is_mirrored = int(image[0, 0, 0]), bool(image[0, -1, 1])
        self.asked.append("mirrored" if is_mirrored else "photo")
        if is_mirrored:
            return MapScene(self.mirrored[index][:, ::-1])
        return MapScene(self.maps[index])
