"""What `spd train` does."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from spd.cli.devices import choose_device
from spd.config import override, recipe
from spd.data.sources import Samples, open_samples
from spd.errors import ConfigError
from spd.figures import training_curve
from spd.runs import Run
from spd.train import Trainer

CURVE = "training.png"


def start_run(
    recipe_name: str,
    data: Sequence[str],
    validation: Sequence[str],
    out: Path | None,
    overfit: bool,
    overrides: Sequence[str],
    device: str | None,
) -> None:
    """Check everything, then make the run's folder and train."""
    chosen = override(recipe(recipe_name), overrides)
    if not data:
        raise ConfigError("no training data; name folders with --data (spd data rooms makes some)")
    target = choose_device(device)
    samples = open_samples(data, metric_only=True)
    held_out = _open_validation(validation)
    folder = out or Path("runs") / recipe_name
    run = Run(folder, chosen, tuple(data), tuple(validation), overfit)
    run.check_free()
    trainer = Trainer(run, target)  # may find that the encoder's weights are not to be had
    run.write()
    _fit(trainer, samples, held_out)


def resume_run(folder: Path, device: str | None) -> None:
    """Open a run's own data and go on from its last checkpoint."""
    run = Run.open(folder)
    target = choose_device(device)
    samples = open_samples(run.data, metric_only=True)
    trainer = Trainer(run, target)
    trainer.restore()
    if trainer.step >= trainer.config.steps:
        print(f"{folder} is finished: {trainer.step} steps")
        return
    print(f"going on after step {trainer.step} of {trainer.config.steps}")
    _fit(trainer, samples, _open_validation(run.validation))


def _open_validation(sources: Sequence[str]) -> Samples | None:
    return open_samples(sources, metric_only=True) if sources else None


def _fit(trainer: Trainer, samples: Samples, validation: Samples | None) -> None:
    run, config = trainer.run, trainer.config
    parameters = sum(p.numel() for p in trainer.model.parameters())
    print(
        f"{run.recipe.name}: {parameters / 1e6:.2f} M parameters on {trainer.device}, "
        f"{len(samples)} frames, {config.steps} steps of {config.batch_size}",
        flush=True,
    )
    if samples.without_focal_length:
        print(f"left out for want of a focal length: {samples.without_focal_length} frame(s)")
    started = time.perf_counter()
    result = trainer.fit(samples, validation or ())
    minutes = (time.perf_counter() - started) / 60
    training_curve(run.log_rows(), run.folder / CURVE)
    print(
        f"finished {result.steps} steps in {minutes:.1f} minutes "
        f"(median {result.seconds_per_step:.3f} s a step), last loss {result.last_loss:.4f}"
    )
    if torch.isfinite(torch.tensor(result.best_abs_rel)):
        where = "the repeated batch" if run.overfit else "the validation set (best checkpoint)"
        print(f"AbsRel on {where}: {result.best_abs_rel:.4f}")
    if result.images_without_reading:
        print(f"crops without a reading: {result.images_without_reading}")
    print(f"the run is in {run.folder}, its curve in {run.folder / CURVE}")
