"""Runs that take a second: a recipe for the small model, and what to compare of two runs."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from safetensors.torch import load_file

import spd.train
from spd.checkpoints.folder import checkpoints_of_run
from spd.config import ModelConfig
from spd.recipes import Recipe, TrainConfig
from spd.train import Trainer
from spd.training.runs import Run

CPU = torch.device("cpu")


def small_recipe(model: ModelConfig, **changes) -> Recipe:
    settings = {
        "steps": 6,
        "batch_size": 2,
        "encoder_lr": 1e-3,
        "decoder_lr": 1e-3,
        "warmup_steps": 2,
        "precision": "float32",
        "objective": "query",
        "points_per_image": 16,
        "evaluate_every": 3,
        "save_every": 3,
        "tracker": "none",
    }
    return Recipe(name="test", model=model, train=TrainConfig(**(settings | changes)))


def losses(run: Run) -> list[float]:
    return [row["loss"] for row in run.log_rows() if "loss" in row]


def last_weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(checkpoints_of_run(run.folder)[-1] / "model.safetensors")


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def around_steps(
    trainer: Trainer,
    before: Callable[[list], object] = lambda parts: None,
    after: Callable[[list], object] = lambda parts: None,
) -> None:
    """Call these before and after every training step, with the parts of its batch."""
    original = trainer.train_step

    def step(parts, stop):
        before(parts)
        numbers = original(parts, stop)
        after(parts)
        return numbers

    trainer.train_step = step


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """New trainers compute in float64, so that only exact mistakes show."""
    before = spd.train.Objective
    spd.train.Objective = lambda model, config: before(model, config).double()
    try:
        yield
    finally:
        spd.train.Objective = before


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Torch's default dtype, as another library of the program may set it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def gradients_of(trainer, names: dict[str, torch.nn.Parameter]) -> list[dict[str, torch.Tensor]]:
    """A list that fills with every step's gradients, as the optimiser gets them."""
    seen: list[dict[str, torch.Tensor]] = []

    def note(optimizer, args, kwargs) -> None:
        seen.append({name: p.grad.clone() for name, p in names.items() if p.grad is not None})

    trainer.optimizer.register_step_pre_hook(note)
    return seen
