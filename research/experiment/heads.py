"""Train one local path on cached maps: minutes instead of hours, on the same data for all."""

import dataclasses
import hashlib
import json
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from research.experiment.cache import MapCache
from research.experiment.names import Variant
from research.experiment.variants import build_head
from spd.config import ModelConfig
from spd.files import atomic_path, write_bytes, write_text
from spd.geometry import resize_bilinear
from spd.losses import silog
from spd.models.decoder.local_path import LocalPath
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.recipes import SILOG_LAMBDA, TrainConfig
from spd.training.optim import make_schedule

WEIGHTS, ABOUT = "head.safetensors", "head.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """One trained local path."""

    variant: Variant
    seed: int
    folder: Path

    @property
    def title(self) -> str:
        """Name with a digest of the weights, which tells predictions of other weights apart."""
        digest = hashlib.sha256((self.folder / WEIGHTS).read_bytes()).hexdigest()[:12]
        return f"{self.variant.name}, seed {self.seed}, sha256 {digest}"

    def about(self) -> dict[str, Any]:
        """Steps, time and losses of its training."""
        found: dict[str, Any] = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        return found

    def model(self, trunk: SPD) -> SPD:
        """The trunk with this local path in place of its own; the trunk's modules are shared."""
        config = trunk.config.model_copy(update={"local_path": self.variant.local_path})
        model = SPD(config)
        model.encoder, model.neck, model.global_path = trunk.encoder, trunk.neck, trunk.global_path
        model.local_path = build_head(self.variant, config, self.seed)
        model.local_path.load_state_dict(load_file(self.folder / WEIGHTS))
        return model.eval()


def train_head(
    head: Head,
    cache: MapCache,
    config: ModelConfig,
    training: TrainConfig,
) -> None:
    """Train and save one head.

    A seed sets its weights, and for every variant the same order of rooms and the same points.
    """
    module = build_head(head.variant, config, head.seed)
    started = time.perf_counter()
    losses = fit_on_maps(module, cache, training, head.seed)
    about = {
        "variant": head.variant.name,
        "seed": head.seed,
        "parameters": sum(p.numel() for p in module.parameters()),
        "steps": training.steps,
        "seconds": time.perf_counter() - started,
        "losses": losses,
    }
    _save(head, module, about)


def fit_on_maps(
    module: nn.Module, cache: MapCache, training: TrainConfig, seed: int
) -> list[float]:
    """Train a local path on cached maps, in place; returns the loss of each step."""
    path = cast(LocalPath, module.train())
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=training.decoder_lr, weight_decay=training.weight_decay
    )
    schedule = make_schedule(optimizer, training)
    losses = []
    for step in range(training.steps):
        rooms = _rooms_of(step, len(cache), training, seed)
        maps, points = cache.maps(rooms), cache.points(rooms)
        optimizer.zero_grad(set_to_none=True)
        loss = _loss(path, maps, points, training, np.random.default_rng([seed, 1, step]))
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), training.clip_norm)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def _save(head: Head, module: nn.Module, about: dict[str, Any]) -> None:
    with atomic_path(head.folder) as temporary:
        temporary.mkdir()
        weights = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
        write_bytes(temporary / WEIGHTS, safetensors_bytes(weights))
        write_text(temporary / ABOUT, json.dumps(about) + "\n")


def _rooms_of(step: int, count: int, training: TrainConfig, seed: int) -> np.ndarray:
    """Rooms of a step; each epoch has a new order."""
    numbers = np.arange(step * training.batch_size, (step + 1) * training.batch_size)
    orders: dict[int, np.ndarray] = {}
    rooms = []
    for epoch, place in zip(*np.divmod(numbers, count), strict=True):
        if epoch not in orders:
            orders[epoch] = np.random.default_rng([seed, 0, epoch]).permutation(count)
        rooms.append(orders[epoch][place])
    return np.array(rooms)


def _loss(
    path: LocalPath,
    maps: FeatureMaps,
    points: Tensor,
    training: TrainConfig,
    rng: np.random.Generator,
) -> Tensor:
    """SILog at exact points: queried (`query`) or read from the resized dense map (`dense`)."""
    if training.objective == "dense":
        drawn = points  # the whole map is computed, so every exact point counts
        dense_m = resize_bilinear(path.dense(maps), maps.image_size)
        predicted_m = _at_nearest_pixel(dense_m[:, 0], drawn[..., :2])
    else:
        count = training.points_per_image
        chosen = torch.from_numpy(rng.integers(points.shape[1], size=(len(points), count)))
        drawn = points.gather(1, chosen[..., None].expand(-1, -1, 3))
        predicted_m = path.query(maps, drawn[..., :2])
    truth_m = drawn[..., 2]
    return silog(predicted_m, truth_m, truth_m.isfinite(), SILOG_LAMBDA[training.silog])[0]


def _at_nearest_pixel(depth_m: Tensor, points: Tensor) -> Tensor:
    """A full-size map at the pixel of each point, as in the specification's loss."""
    height, width = depth_m.shape[1:]
    column = (points[..., 0] + 0.5).floor().long().clamp(0, width - 1)
    row = (points[..., 1] + 0.5).floor().long().clamp(0, height - 1)
    return depth_m.flatten(1).gather(1, row * width + column)
