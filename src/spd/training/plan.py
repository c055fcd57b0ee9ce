"""`spd train --plan`: a run's data, steps, learning rates, memory and disk space."""

import math
from collections.abc import Sequence

from spd.config import CameraConfig
from spd.data.source import Source
from spd.data.sources import Samples
from spd.data.view_order import groups_of
from spd.errors import counted
from spd.recipes import Recipe, TrainConfig
from spd.training.memory import MemoryEstimate, estimate_memory
from spd.training.optim import rate_at
from spd.training.validation import POINTS_PER_IMAGE

SMALLEST = 50_000
"""Bytes; less would print as 0.0 MB."""
MANY_EPOCHS = 200
"""Epochs above which a run gets a note that it has too few frames."""


def plan_text(
    recipe: Recipe,
    samples: Samples,
    validation: Samples | None,
    processes: int,
    device: str,
    *,
    overfit: bool = False,
    start: str | None = None,
) -> str:
    """Plan of a run as text.

    With `overfit` the run repeats its first batch. `start` describes the initial weights; by
    default the description comes from the configuration.
    """
    config = recipe.train
    part = config.batch_size // (config.accumulate * processes)
    cameras = [group.camera for group in groups_of(samples, recipe.model.camera, config)]
    memory = estimate_memory(_at_largest(recipe, cameras), part)
    sections = [
        ("data", _sources(samples)),
        ("validation", _validation(validation, config)),
        ("steps", _steps(config, len(samples), part, processes, overfit)),
        (
            f"learning rates ({'rest' if config.encoder_frozen else 'encoder / rest'})",
            _rates(config),
        ),
        ("model", _model(recipe, cameras, device, start)),
        (f"memory per process, {part} image(s) at a time", _memory(memory)),
        ("checkpoints", _checkpoints(memory, config, validated=validation is not None)),
    ]
    return "\n".join(
        line for title, lines in sections for line in (title, *(f"  {text}" for text in lines))
    )


def notes(config: TrainConfig, frames: int, *, overfit: bool) -> list[str]:
    """Notes on settings that do not suit the length of the run."""
    repeated = None if overfit else repetition_note(config, frames)
    found = [repeated, _warmup_note(config), _average_note(config)]
    return [note for note in found if note is not None]


def _warmup_note(config: TrainConfig) -> str | None:
    if config.warmup == config.warmup_steps:
        return None
    return (
        f"the run has {config.steps:,} steps and train.warmup_steps is {config.warmup_steps:,}, so "
        f"the warm-up is shortened to {config.warmup:,} steps (a tenth of the run); the cosine "
        "takes the rest"
    )


def _average_note(config: TrainConfig) -> str | None:
    """Note for an average that is longer than the run: it would stay at the first weights."""
    span = 1 / (1 - config.ema_decay)
    if span <= config.steps:
        return None
    return (
        f"train.ema_decay {config.ema_decay:g} averages the weights of some {span:,.0f} steps, but "
        f"the run has {config.steps:,}; the averaged weights, which are evaluated and saved, stay "
        "near the first ones. Set train.ema_decay lower, or to 0"
    )


def repetition_note(config: TrainConfig, frames: int) -> str | None:
    """Note for a run that repeats few frames very often; None for other runs."""
    epochs = config.steps * config.batch_size / frames
    if epochs <= MANY_EPOCHS:
        return None
    return (
        f"there are only {frames:,} frame(s), and each is seen {epochs:,.0f} times, so the model "
        "will overfit; add frames, or train for fewer steps (--set train.steps=)"
    )


def _sources(samples: Samples) -> list[str]:
    left_out = samples.without_focal_length
    rows = [
        f"{source.path}{f':{source.split}' if source.split else ''}: "
        f"{counted(len(source), 'frame')}, {source.format}, depth as {source.stored}, "
        f"{camera_text(source)}"
        for source in samples.sources
    ]
    return rows + (
        [f"{left_out:,} frame(s) without a known focal length are skipped"] if left_out else []
    )


def _validation(validation: Samples | None, config: TrainConfig) -> list[str]:
    if validation is None:
        return ["none (add data with --val): AbsRel is not measured; the last checkpoint is used"]
    every = min(config.evaluate_every, config.steps)
    return [
        *_sources(validation),
        f"every {every:,} steps, on at most {POINTS_PER_IMAGE:,} pixels per image (spd evaluate "
        "uses all)",
    ]


def camera_text(source: Source) -> str:
    """Focal length and field of view of the first frame with a known focal length."""
    known = (number for number, frame in enumerate(source.frames) if frame.has_focal)
    first = next(known, None)
    intrinsics = None if first is None else source[first].intrinsics
    if first is None or intrinsics is None:
        return "focal length unknown"
    width = source[first].image_size[1]
    fov_deg = math.degrees(2 * math.atan(width / 2 / intrinsics.fx))
    return (
        f"focal length {intrinsics.focal_px:.1f} px "
        f"(horizontal field of view {fov_deg:.0f} degrees)"
    )


def _steps(config: TrainConfig, frames: int, part: int, processes: int, overfit: bool) -> list[str]:
    shares = f"{processes} process(es) x {config.accumulate} part(s) x {part} image(s)"
    steps = f"{counted(config.steps, 'step')} of {config.batch_size} images ({shares})"
    epochs = config.steps * config.batch_size / frames
    uses = f"{epochs:,.2f} epochs of {counted(frames, 'frame')}"
    if overfit:
        uses = "every step uses the first batch (--overfit)"
    return [steps, uses, *(f"note: {note}" for note in notes(config, frames, overfit=overfit))]


def _rates(config: TrainConfig) -> list[str]:
    """Learning rates at the first step, after warm-up, half-way down the cosine, and at the end."""
    corners = {0, config.warmup, (config.warmup + config.steps) // 2, config.steps - 1}
    rows = []
    peaks = [config.encoder_lr] * (not config.encoder_frozen) + [config.decoder_lr]
    for step in sorted(corners):
        rates = (rate_at(step, peak, config) for peak in peaks)
        rows.append(f"step {step + 1:>9,}: {' / '.join(f'{rate:.2e}' for rate in rates)}")
    return rows


def _at_largest(recipe: Recipe, cameras: Sequence[CameraConfig]) -> Recipe:
    """The recipe with its crop as large as its largest view."""
    largest = max(cameras, key=lambda camera: camera.crop_height_px * camera.crop_width_px)
    model = recipe.model.model_copy(update={"camera": largest})
    return recipe.model_copy(update={"model": model})


def _model(
    recipe: Recipe, cameras: Sequence[CameraConfig], device: str, start: str | None
) -> list[str]:
    config = recipe.train
    views = dict.fromkeys(f"{camera.crop_height_px}x{camera.crop_width_px}" for camera in cameras)
    frozen = ", encoder frozen" if config.encoder_frozen else ""
    return [
        f"{recipe.name}: {recipe.model.local_path} at {', '.join(views)}, "
        f"focal length {recipe.model.camera.focal_px:g} px",
        f"{start or _start(config)}{frozen}",
        f"objective {config.objective}, {config.precision} on {device}"
        + (", compiled" if config.compile else ""),
    ]


def _start(config: TrainConfig) -> str:
    if config.start_from is not None:
        return f"all weights initialised from {config.start_from}"
    if config.encoder_weights is not None:
        return f"encoder initialised from {config.encoder_weights}"
    return "randomly initialised"


def _memory(estimate: MemoryEstimate) -> list[str]:
    rows = {
        "weights": estimate.weights,
        "gradients": estimate.gradients,
        "optimiser": estimate.optimizer,
        "averaged weights": estimate.average,
        **{f"activations of {name}": size for name, size in estimate.activations.items()},
    }
    return [
        *(f"{name:<34}{_size(size):>10}" for name, size in rows.items() if size >= SMALLEST),
        f"{'total':<34}{_size(estimate.total):>10}, plus memory used by libraries and workspaces",
    ]


def _checkpoints(estimate: MemoryEstimate, config: TrainConfig, *, validated: bool) -> list[str]:
    each = estimate.weights + estimate.optimizer + estimate.average
    every = min(config.save_every, config.steps)
    kept = f"{'the best and ' if validated else ''}the last {config.keep_last}"
    most = config.keep_last + (2 if validated else 1)
    return [
        f"saved every {every:,} steps and on Ctrl-C, SIGTERM or SIGHUP; kept: {kept}",
        f"up to {most} of {_size(each)} each on disk, including the one being written",
    ]


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
