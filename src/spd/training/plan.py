"""What a run would do, said before it starts: data, steps, schedule, memory, disk."""

import math

from spd.data.source import Source
from spd.data.sources import Samples
from spd.optim import rate_at
from spd.recipes import Recipe, TrainConfig
from spd.training.memory import MemoryEstimate, estimate_memory


def plan_text(
    recipe: Recipe, samples: Samples, validation: Samples | None, processes: int, device: str
) -> str:
    """The whole plan as text, one thing a line."""
    config = recipe.train
    part = config.batch_size // (config.accumulate * processes)
    memory = estimate_memory(recipe, part)
    left_out = f"left out, no focal length known: {samples.without_focal_length:,} frame(s)"
    sections = [
        ("data", [*_sources(samples), left_out]),
        ("validation", _sources(validation) if validation else ["none"]),
        ("steps", _steps(config, len(samples), part, processes)),
        ("learning rates (encoder / rest)", _rates(config)),
        ("model", _model(recipe, device)),
        (f"memory of a process, {part} image(s) at a time", _memory(memory)),
        ("checkpoints", _checkpoints(memory, config)),
    ]
    return "\n".join(
        line for title, lines in sections for line in (title, *(f"  {text}" for text in lines))
    )


def _sources(samples: Samples) -> list[str]:
    return [
        f"{source.path}{f':{source.split}' if source.split else ''}: {len(source):,} frames, "
        f"{source.form}, depth as {source.stored}, {camera_text(source)}"
        for source in samples.sources
    ]


def camera_text(source: Source) -> str:
    """Focal length and field of view of the first frame that has any, for a person to judge."""
    known = (number for number, frame in enumerate(source.frames) if frame.has_focal)
    first = next(known, None)
    intrinsics = None if first is None else source[first].intrinsics
    if first is None or intrinsics is None:
        return "focal length unknown"
    width = source[first].image_size[1]
    fov_deg = math.degrees(2 * math.atan(width / 2 / intrinsics.fx))
    return f"focal length {intrinsics.focal_px:.1f} px ({fov_deg:.0f} degrees wide)"


def _steps(config: TrainConfig, frames: int, part: int, processes: int) -> list[str]:
    epochs = config.steps * config.batch_size / frames
    made = f"{processes} process(es) x {config.accumulate} part(s) x {part} image(s)"
    return [
        f"{config.steps:,} steps of {config.batch_size} images ({made})",
        f"{epochs:.2f} epochs of {frames:,} frames",
        f"evaluation every {config.evaluate_every:,} steps",
    ]


def _rates(config: TrainConfig) -> list[str]:
    """The schedule at its corners."""
    corners = {0, config.warmup_steps, (config.warmup_steps + config.steps) // 2, config.steps - 1}
    rows = []
    for step in sorted(corners):
        rates = (rate_at(step, peak, config) for peak in (config.encoder_lr, config.decoder_lr))
        rows.append(f"step {step + 1:>9,}: {' / '.join(f'{rate:.2e}' for rate in rates)}")
    return rows


def _model(recipe: Recipe, device: str) -> list[str]:
    config = recipe.train
    height, width = recipe.model.camera.crop_size
    start = config.encoder_weights or "random weights"
    frozen = ", frozen" if config.encoder_frozen else ""
    return [
        f"{recipe.name}: {recipe.model.local_path} at {height}x{width}, "
        f"focal length {recipe.model.camera.focal_px:g} px",
        f"encoder from {start}{frozen}",
        f"objective {config.objective}, {config.precision} on {device}"
        + (", compiled" if config.compile else ""),
    ]


def _memory(estimate: MemoryEstimate) -> list[str]:
    rows = {
        "weights": estimate.weights,
        "gradients": estimate.gradients,
        "optimiser": estimate.optimizer,
        "average of the weights": estimate.average,
        **{f"kept by {name}": size for name, size in estimate.activations.items()},
    }
    return [
        *(f"{name:<28}{_size(size):>10}" for name, size in rows.items() if size),
        f"{'together':<28}{_size(estimate.total):>10}, and what libraries and one operation need",
    ]


def _checkpoints(estimate: MemoryEstimate, config: TrainConfig) -> list[str]:
    each = estimate.weights + estimate.optimizer + estimate.average
    return [
        f"every {config.save_every:,} steps and on Ctrl-C or SIGTERM; kept are the best and the "
        f"last {config.keep_last}",
        f"up to {config.keep_last + 2} of {_size(each)} on disk, the one being written included",
    ]


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
