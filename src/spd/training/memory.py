"""Memory of a training step, counted without computing the step.

The forward pass runs on fake tensors, which have shapes and types but no data. Every tensor that
autograd saves for the backward pass is counted once, under the part of the model that saved it.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from spd.models.default_dtype import float32_by_default
from spd.models.spd import SPD
from spd.recipes import Recipe
from spd.training.objective import Objective

PARTS = ("encoder", "neck", "global_path", "local_path")
REST = "loss and resizing"
FLOAT_BYTES = 4
ADAM_MOMENTS = 2


@dataclasses.dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes of one training process, without the overhead of allocator and libraries."""

    weights: int
    gradients: int
    optimizer: int
    average: int
    """Moving average of the weights; 0 without one."""
    activations: dict[str, int]
    """Tensors saved for the backward pass, by part of the model."""

    @property
    def total(self) -> int:
        """Sum of all; the peak also includes the workspace of the largest operation."""
        standing = self.weights + self.gradients + self.optimizer + self.average
        return standing + sum(self.activations.values())


def estimate_memory(recipe: Recipe, images: int) -> MemoryEstimate:
    """Count the bytes that a recipe needs to train on `images` images at a time."""
    config = recipe.train
    with torch.random.fork_rng():
        model = SPD(recipe.model).train()
    if config.encoder_frozen:
        model.encoder.requires_grad_(False)
    if config.checkpoint_encoder:
        model.checkpoint_encoder()
    with torch.random.fork_rng():
        objective = Objective(model, config)
    fake = FakeTensorMode()
    _make_fake(objective, fake)
    with fake:
        activations = _saved_bytes(objective, _batch(recipe, images))
    every = sum(p.numel() for p in objective.parameters()) * FLOAT_BYTES
    trained = sum(p.numel() for p in objective.parameters() if p.requires_grad) * FLOAT_BYTES
    return MemoryEstimate(
        weights=every,
        gradients=trained,
        optimizer=ADAM_MOMENTS * trained,
        average=sum(p.numel() for p in model.parameters()) * FLOAT_BYTES if config.ema_decay else 0,
        activations=activations,
    )


def _make_fake(model: nn.Module, fake: FakeTensorMode) -> None:
    """Replace every parameter and buffer by a fake tensor."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                bare = fake.from_tensor(parameter.detach())
                module._parameters[name] = nn.Parameter(bare, parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = fake.from_tensor(buffer)


@float32_by_default()
def _batch(recipe: Recipe, images: int) -> dict[str, Tensor]:
    height, width = recipe.model.camera.crop_size
    points = recipe.train.points_per_image
    return {
        "image": torch.empty(images, 3, height, width),
        "depth_m": torch.empty(images, 1, height, width),
        "valid": torch.empty(images, 1, height, width, dtype=torch.bool),
        "points": torch.empty(images, points, 2),
        "point_depth_m": torch.empty(images, points),
        "point_valid": torch.empty(images, points, dtype=torch.bool),
    }


def _saved_bytes(objective: Objective, batch: dict[str, Tensor]) -> dict[str, int]:
    """Bytes that autograd saves, by part of the model; parameters are not counted."""
    counted = {p.untyped_storage()._cdata for p in objective.parameters()}
    alive: list[Tensor] = []  # so that no storage is freed and its address reused
    sizes = dict.fromkeys((*PARTS, REST), 0)
    now = [REST]

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in counted:
            counted.add(storage._cdata)
            alive.append(tensor)
            sizes[now[-1]] += storage.nbytes()
        return tensor

    with (
        _labelled(objective.model, now),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        loss = objective(batch)[0]
    del loss
    return sizes


@contextlib.contextmanager
def _labelled(model: SPD, now: list[str]) -> Iterator[None]:
    """Keep the name of the part that is computing at the end of `now`."""
    handles = []
    for name in PARTS:
        part = getattr(model, name)
        for method in ("forward", "query", "dense"):
            if hasattr(part, method):
                handles.append(_wrap(part, method, name, now))
    try:
        yield
    finally:
        for part, method in handles:
            delattr(part, method)


def _wrap(part: nn.Module, method: str, name: str, now: list[str]) -> tuple[nn.Module, str]:
    original = getattr(part, method)

    def labelled(*args: Any, **kwargs: Any) -> Any:
        now.append(name)
        try:
            return original(*args, **kwargs)
        finally:
            now.pop()

    object.__setattr__(part, method, labelled)
    return part, method
