"""What `spd train` does."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from spd.checkpoints.run_folder import check_free
from spd.cli.devices import choose_device
from spd.cli.early import Start
from spd.data.evidence import preflight
from spd.data.focal import check_focal_lengths
from spd.data.overlap import refuse_overlap
from spd.data.sources import Samples, open_samples
from spd.figures import training_curve
from spd.recipes import Recipe
from spd.train import Trainer
from spd.training.parallel import is_main_process, launched_processes
from spd.training.plan import camera_text, plan_text, repetition_note
from spd.training.runs import Run
from spd.training.validation import POINTS_PER_IMAGE

CURVE = "training.png"
_VALIDATED = (
    f"the validation set (best checkpoint; at most {POINTS_PER_IMAGE:,} readings an image, where "
    "spd evaluate asks them all)"
)


def start_run(start: Start, overfit: bool, device: str | None, plan: bool = False) -> None:
    """Check everything, then make the run's folder and train; or only say what would be done."""
    target = choose_device(device)
    samples, held_out = _open(start.data, start.validation)
    if plan:
        processes = launched_processes()
        print(plan_text(start.recipe, samples, held_out, processes, str(target), overfit=overfit))
        return
    run = Run(start.folder, start.recipe, start.data, start.validation, overfit)
    with run.lock() if is_main_process() else contextlib.nullcontext():
        if is_main_process():
            check_free(run.folder)
            _check_data(samples, None if overfit else held_out, start.recipe)
        trainer = Trainer(run, target)  # may find that the encoder's weights are not to be had
        if is_main_process():
            run.write()
        _fit(trainer, samples, held_out)


def resume_run(folder: Path, device: str | None) -> None:
    """Open a run's own data and go on from its last checkpoint."""
    run = Run.open(folder)
    target = choose_device(device)
    samples, held_out = _open(run.data, run.validation)
    with run.lock() if is_main_process() else contextlib.nullcontext():
        if is_main_process():
            run.clean()
        trainer = Trainer(run, target)
        trainer.restore()
        if trainer.step >= trainer.config.steps:
            _say(f"{folder} is finished: {trainer.step} steps")
            return
        _say(f"going on after step {trainer.step} of {trainer.config.steps}")
        _fit(trainer, samples, held_out)


def _open(data: Sequence[str], validation: Sequence[str]) -> tuple[Samples, Samples | None]:
    samples = open_samples(data, metric_only=True)
    return samples, open_samples(validation, metric_only=True) if validation else None


def _check_data(samples: Samples, held_out: Samples | None, chosen: Recipe) -> None:
    """What would spoil a run without a word: units, test scenes in training, focal lengths."""
    for note in preflight(samples):
        _say(f"note: {note}")
    refuse_overlap(samples, held_out)
    check_focal_lengths(samples, held_out or samples, chosen.model.camera)


def _fit(trainer: Trainer, samples: Samples, validation: Samples | None) -> None:
    run, config = trainer.run, trainer.config
    parameters = sum(p.numel() for p in trainer.model.parameters())
    _say(
        f"{run.recipe.name}: {parameters / 1e6:.2f} M parameters on {trainer.device}, "
        f"{len(samples)} frames, {config.steps} steps of {config.batch_size}"
    )
    if trainer.start is not None:
        _say(trainer.start)
    for source in samples.sources:
        _say(f"{source.path}: {camera_text(source)}")
    if samples.without_focal_length:
        _say(f"left out for want of a focal length: {samples.without_focal_length} frame(s)")
    often = None if run.overfit else repetition_note(config, len(samples))
    if often is not None:
        _say(f"note: {often}")
    started = time.perf_counter()
    result = trainer.fit(samples, validation or ())
    minutes = (time.perf_counter() - started) / 60
    if not is_main_process():
        return
    title = f"{run.folder.name}: recipe {run.recipe.name}, {len(samples):,} frame(s)"
    training_curve(run.log_rows(), run.folder / CURVE, title=title)
    print(
        f"finished {result.steps} steps in {minutes:.1f} minutes "
        f"(median {result.seconds_per_step:.3f} s a step, {result.waiting_share:.0%} of the time "
        f"waiting for data), last loss {result.last_loss:.4f}"
    )
    if torch.isfinite(torch.tensor(result.best_abs_rel)):
        where = "the repeated batch" if run.overfit else _VALIDATED
        print(f"AbsRel on {where}: {result.best_abs_rel:.4f}")
    if result.images_without_reading:
        print(f"crops without a reading: {result.images_without_reading}")
    print(f"the run is in {run.folder}, its curve in {run.folder / CURVE}")


def _say(text: str) -> None:
    if is_main_process():
        print(text, flush=True)
