"""Batches of training views; the n-th view depends only on n and the seed.

A resumed run therefore sees the same views as an uninterrupted one, with any number of workers.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spd.config import CameraConfig
from spd.data.sample import RGBDSample
from spd.data.transforms import TrainingView, training_view
from spd.data.view_order import ViewOrder, groups_of
from spd.processes import ignore_sigterm
from spd.recipes import TrainConfig
from spd.terminal import interrupts_held

Batch = dict[str, Tensor | list[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """Part of every step's images that one process, counted from 0, computes."""

    process: int = 0
    processes: int = 1


class ViewStream(Dataset[TrainingView]):
    """An endless, reproducible stream of training views, shuffled anew in every epoch.

    With `overfit`, it repeats its first `overfit` views without augmentation.
    """

    def __init__(
        self,
        samples: Sequence[RGBDSample],
        camera: CameraConfig,
        config: TrainConfig,
        overfit: int = 0,
    ) -> None:
        self.samples = samples
        self.config = config
        self.overfit = overfit
        self.order = ViewOrder(groups_of(samples, camera, config), config.batch_size, config.seed)

    def __getitem__(self, number: int) -> TrainingView:
        if self.overfit:
            number %= self.overfit
        frame, camera = self.order[number]
        return training_view(
            self.samples[frame],
            camera,
            self.config.points_per_image,
            np.random.default_rng([self.config.seed, 1, number]),
            augment=self.config.augment and not self.overfit,
        )


def batches(
    stream: ViewStream, first_step: int, shard: Shard | None = None, *, steps: int | None = None
) -> Iterator[Batch]:
    """Batches of one process, in order, from `first_step` on; each step has `accumulate` of them.

    Each of the `accumulate` parts of a step and each process takes consecutive images of the step,
    so all of them together see the same images per step as one process that computes whole steps.

    Without `shard`, this is the only process. `steps` is the number of the last step; None: the
    configuration's.
    """
    config = stream.config
    shard = shard or Shard()
    part = config.batch_size // config.accumulate
    mine = part // shard.processes
    numbers = [
        step * config.batch_size + number * part + shard.process * mine + image
        for step in range(first_step, config.steps if steps is None else steps)
        for number in range(config.accumulate)
        for image in range(mine)
    ]
    loader = DataLoader(
        stream,
        batch_size=mine,
        sampler=numbers,
        num_workers=config.workers,
        collate_fn=collate,
        worker_init_fn=ignore_sigterm,
        persistent_workers=config.workers > 0,
    )
    with interrupts_held():  # Ctrl-C and a closed terminal end the run, not its processes
        return iter(loader)


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
