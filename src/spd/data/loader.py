"""Batches of training views, where the n-th view depends on nothing but n and the seed.

So a resumed run sees what the uninterrupted one would have seen, with any number of workers.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spd.config import CameraConfig, TrainConfig
from spd.data.sample import RGBDSample
from spd.data.transforms import TrainingView, training_view

Batch = dict[str, Tensor | list[str]]


class ViewStream(Dataset[TrainingView]):
    """An endless, reproducible stream of training views: epoch after epoch in a new order.

    With `overfit`, its first `overfit` views come again and again, without augmentation.
    """

    def __init__(
        self,
        samples: Sequence[RGBDSample],
        camera: CameraConfig,
        config: TrainConfig,
        overfit: int = 0,
    ) -> None:
        self.samples = samples
        self.camera = camera
        self.config = config
        self.overfit = overfit

    def __getitem__(self, number: int) -> TrainingView:
        if self.overfit:
            number %= self.overfit
        epoch, place = divmod(number, len(self.samples))
        order = np.random.default_rng([self.config.seed, 0, epoch]).permutation(len(self.samples))
        return training_view(
            self.samples[int(order[place])],
            self.camera,
            self.config.points_per_image,
            np.random.default_rng([self.config.seed, 1, number]),
            augment=self.config.augment and not self.overfit,
        )


def batches(stream: ViewStream, first_step: int) -> Iterator[Batch]:
    """The batches of the steps from `first_step` to the last one."""
    config = stream.config
    numbers = range(first_step * config.batch_size, config.steps * config.batch_size)
    return iter(
        DataLoader(
            stream,
            batch_size=config.batch_size,
            sampler=numbers,
            num_workers=config.workers,
            collate_fn=collate,
            persistent_workers=config.workers > 0,
        )
    )


def collate(views: Sequence[TrainingView]) -> Batch:
    """Stack views: image `[B, 3, H, W]`, depth_m and valid `[B, 1, H, W]`, points `[B, K, 2]`."""
    images = np.stack([view.image.transpose(2, 0, 1) for view in views])
    return {
        "image": torch.from_numpy(images),
        "depth_m": torch.from_numpy(np.stack([view.depth_m[None] for view in views])),
        "valid": torch.from_numpy(np.stack([view.valid[None] for view in views])),
        "points": torch.from_numpy(np.stack([view.points for view in views])),
        "point_depth_m": torch.from_numpy(np.stack([view.point_depth_m for view in views])),
        "point_valid": torch.from_numpy(np.stack([view.point_valid for view in views])),
        "names": [view.name for view in views],
    }
