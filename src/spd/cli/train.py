"""`spd train`: a new run, a resumed one, or the plan of a run."""

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spd.cli.guard import Reads, Writes
from spd.cli.options import Device, Threads
from spd.errors import counted

if TYPE_CHECKING:
    from spd.data.sources import Samples
    from spd.recipes import Recipe
    from spd.train import Trainer

CURVE = "training.png"


def train(
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="Recipe: nyu_v15_2 (the default), rooms_tiny, rooms_small, or a TOML or JSON file "
            "(docs/training.md).",
        ),
        Reads(),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            help="Training data, PATH or PATH:SPLIT (docs/data.md); with --resume, the "
            "place of data that moved.",
        ),
        Reads(data=True),
    ] = None,
    val: Annotated[
        list[str] | None,
        typer.Option("--val", help="Validation data, PATH or PATH:SPLIT; with --resume likewise."),
        Reads(data=True),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the run; default: runs/RECIPE."),
        Writes(folder=True),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Folder of a run to continue with its own recipe and data; refuses other data.",
        ),
    ] = None,
    overfit: Annotated[
        bool,
        typer.Option(
            "--overfit", help="Train on the first batch only; the loss must approach zero."
        ),
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Settings to override, such as train.batch_size=4 model.dim=32."
        ),
        Reads(),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Check everything that the start of a run checks, print data, steps, learning "
            "rates and memory use, then exit.",
        ),
    ] = False,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Train a model; Ctrl-C saves it and prints the command that resumes training.

    Example: `spd train --recipe rooms_tiny --data rooms:train --val rooms:val --out runs/mine`
    """
    from spd.processes import use_threads

    use_threads(threads)
    if resume is not None:
        if recipe or overrides or overfit or plan or out is not None:
            raise typer.BadParameter(
                "--resume cannot be combined with other settings, because the run keeps its "
                "recipe; to train on with other ones, start a new run from its weights: --set "
                f"train.start_from={resume}"
            )
        _resume(resume, data or [], val or [], device)
        return
    data, val = data or [], val or []
    chosen = _check_recipe(recipe or "nyu_v15_2", overrides or [], data, val)
    begin = _print_plan if plan else _start
    begin(chosen, data, val, out or Path("runs") / chosen.name, overfit, device)


def _check_recipe(
    name: str, overrides: Sequence[str], data: Sequence[str], validation: Sequence[str]
) -> "Recipe":
    """Look up a recipe and check the paths of its data, before torch is loaded."""
    from spd.cli.early import check_sources
    from spd.errors import ConfigError
    from spd.recipes import override, recipe

    chosen = override(recipe(name), overrides)
    if not data:
        raise ConfigError(
            "no training data given; pass it with --data (spd data rooms generates some)"
        )
    check_sources([*data, *validation])
    return chosen


def _print_plan(
    recipe: "Recipe",
    data: Sequence[str],
    validation: Sequence[str],
    folder: Path,
    overfit: bool,
    device: str | None,
) -> None:
    """Check all that `_start` checks, in its order, and print the plan; writes nothing."""
    from spd.checkpoints.run_folder import check_free
    from spd.files import LOCK, check_folder

    check_free(folder)
    check_folder(folder)
    from spd.predictors.devices import choose_device
    from spd.training.parallel import check_launch, launched_processes
    from spd.training.plan import plan_text
    from spd.training.runs import Run
    from spd.training.start import planned_start

    target = str(choose_device(device))
    samples, held_out = _open(data, validation)
    run = Run(folder, recipe, tuple(data), tuple(validation), overfit)
    with run.lock() if (folder / LOCK).is_file() else contextlib.nullcontext():
        _check_data(samples, None if overfit else held_out, recipe)
        check_launch(recipe.train)
        start = planned_start(recipe)
    processes = launched_processes()
    _print(plan_text(recipe, samples, held_out, processes, target, overfit=overfit, start=start))


def _start(
    recipe: "Recipe",
    data: Sequence[str],
    validation: Sequence[str],
    folder: Path,
    overfit: bool,
    device: str | None,
) -> None:
    """Check the data, make the run's folder, and train."""
    from spd.checkpoints.run_folder import check_free
    from spd.files import check_folder

    # With several processes the main one may have written already; it checks again under its lock.
    if "RANK" not in os.environ:
        check_free(folder)
        check_folder(folder)
    from spd.predictors.devices import choose_device
    from spd.train import Trainer
    from spd.training.parallel import is_main_process
    from spd.training.runs import Run
    from spd.training.seen import record_run_data

    target = choose_device(device)
    samples, held_out = _open(data, validation)
    run = Run(folder, recipe, tuple(data), tuple(validation), overfit)
    with run.lock() if is_main_process() else contextlib.nullcontext():
        if is_main_process():
            check_free(folder)
            _check_data(samples, None if overfit else held_out, recipe)
        trainer = Trainer(run, target)  # may fail to find the encoder's weights
        if is_main_process():
            run.write()
        record_run_data(run, samples, held_out)
        _fit(trainer, samples, held_out)


def _resume(
    folder: Path, data: Sequence[str], validation: Sequence[str], device: str | None
) -> None:
    """Open a run's own data, or the same data elsewhere, and continue from its last checkpoint."""
    from spd.checkpoints.run_folder import check_run

    check_run(folder)
    from spd.errors import DataError
    from spd.predictors.devices import choose_device
    from spd.train import Trainer
    from spd.training.parallel import is_main_process
    from spd.training.runs import Run
    from spd.training.seen import check_run_data

    opened = Run.open(folder)
    run = dataclasses.replace(
        opened,
        data=tuple(data) or opened.data,
        validation=tuple(validation) or opened.validation,
    )
    target = choose_device(device)
    try:
        samples, held_out = _open(run.data, run.validation)
    except DataError as error:
        raise DataError(
            f"{error} ({folder} needs the data that it was started with: if they moved, pass them "
            "with --data and --val; to train with other data, start a new run with --set "
            f"train.start_from={folder})"
        ) from None
    with run.lock() if is_main_process() else contextlib.nullcontext():
        if is_main_process():
            run.clean()
        trainer = Trainer(run, target)
        trainer.restore()
        if trainer.step >= trainer.config.steps:
            _print(f"the run {folder} is already finished: {counted(trainer.step, 'step')}")
            return
        note = check_run_data(run, trainer.step, samples, held_out)
        if note is not None:
            _print(f"note: {note}")
        if is_main_process() and run != opened:
            run.write()
        _print(f"continuing after step {trainer.step} of {trainer.config.steps}")
        _fit(trainer, samples, held_out)


def _open(data: Sequence[str], validation: Sequence[str]) -> "tuple[Samples, Samples | None]":
    from spd.data.sources import open_samples

    samples = open_samples(data, metric_only=True)
    return samples, open_samples(validation, metric_only=True) if validation else None


def _check_data(samples: "Samples", held_out: "Samples | None", recipe: "Recipe") -> None:
    """Refuse data that would spoil a run unnoticed: units, test scenes, focal lengths."""
    from spd.data.evidence import preflight
    from spd.data.focal import check_focal_lengths
    from spd.data.overlap import refuse_overlap

    for note in preflight(samples):
        _print(f"note: {note}")
    refuse_overlap(samples, held_out)
    check_focal_lengths(samples, held_out or samples, recipe.model.camera)


def _fit(trainer: "Trainer", samples: "Samples", validation: "Samples | None") -> None:
    """Train, then draw the run's curve and print its result."""
    from spd.figures import training_curve
    from spd.training.parallel import is_main_process
    from spd.training.validation import POINTS_PER_IMAGE

    run = trainer.run
    _print_start(trainer, samples)
    started = time.perf_counter()
    result = trainer.fit(samples, validation or ())
    minutes = (time.perf_counter() - started) / 60
    if not is_main_process():
        return
    title = f"{run.folder.name}: recipe {run.recipe.name}, {len(samples):,} frame(s)"
    training_curve(run.log_rows(), run.folder / CURVE, title=title)
    print(
        f"finished {counted(result.steps, 'step')} in {minutes:.1f} minutes "
        f"(median {result.seconds_per_step:.3f} s per step, {result.waiting_share:.0%} of the time "
        f"spent waiting for data), last loss {result.last_loss:.4f}"
    )
    if math.isfinite(result.best_abs_rel):
        validated = (
            f"the validation set (best checkpoint; at most {POINTS_PER_IMAGE:,} pixels per "
            "image, while spd evaluate uses all)"
        )
        where = "the repeated batch" if run.overfit else validated
        print(f"AbsRel on {where}: {result.best_abs_rel:.4f}")
    if result.images_without_reading:
        print(f"crops without valid depth: {result.images_without_reading}")
    print(f"the run is in {run.folder}, the training curve in {run.folder / CURVE}")


def _print_start(trainer: "Trainer", samples: "Samples") -> None:
    from spd.training.plan import camera_text, notes

    run, config = trainer.run, trainer.config
    parameters = sum(p.numel() for p in trainer.model.parameters())
    _print(
        f"{run.recipe.name}: {parameters / 1e6:.2f} M parameters on {trainer.device}, "
        f"{counted(len(samples), 'frame')}, {counted(config.steps, 'step')}, "
        f"batch size {config.batch_size}"
    )
    if trainer.start is not None:
        _print(trainer.start)
    for source in samples.sources:
        _print(f"{source.path}: {camera_text(source)}")
    if samples.without_focal_length:
        _print(f"left out {samples.without_focal_length} frame(s) without a known focal length")
    for note in notes(config, len(samples), overfit=run.overfit):
        _print(f"note: {note}")


def _print(text: str) -> None:
    """Print a line, in the main process only."""
    from spd.training.parallel import is_main_process

    if is_main_process():
        print(text, flush=True)
