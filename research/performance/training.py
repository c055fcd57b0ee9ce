"""Time the loader and the training steps of a recipe, and measure their memory."""

import dataclasses
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spd.benchmark.machine import machine
from spd.data.loader import ViewStream, batches
from spd.data.sources import open_samples
from spd.recipes import Recipe
from spd.train import Trainer
from spd.training.memory import estimate_memory
from spd.training.runs import Run

WARM_UP = 1  # steps not counted: they allocate memory, and on a GPU choose kernels


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoaderSpeed:
    """Speed of the loader alone."""

    workers: int
    images_per_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepSpeed:
    """Speed and memory of training steps in a process of their own."""

    steps: int
    step_s_median: float
    step_s_quartiles: tuple[float, float]
    images_per_s: float
    waiting_share: float
    """Share of the time spent waiting for data."""
    peak_bytes: int
    """Peak memory: of the process on a CPU, libraries included; of the allocator on a GPU."""
    standing_bytes: int
    """Memory before the first step: interpreter, libraries, weights."""
    estimated_bytes: int
    """Memory of a step as `spd train --plan` counts it."""


def loader_speed(recipe: Recipe, data: Sequence[str], workers: int, images: int) -> LoaderSpeed:
    """Time the loading of `images` training views; the first batch is not counted."""
    train = recipe.train.model_copy(update={"workers": workers})
    stream = ViewStream(open_samples(data, metric_only=True), recipe.model.camera, train)
    steps = -(-images // train.batch_size) + 1
    loaded = batches(stream, 0, steps=steps)
    next(loaded)
    started = time.perf_counter()
    count = sum(len(batch["names"]) for batch in loaded)
    return LoaderSpeed(workers=workers, images_per_s=count / (time.perf_counter() - started))


def step_speed(recipe: Recipe, data: Sequence[str], steps: int, device: str) -> StepSpeed:
    """Time training steps in a new process, so that its peak memory is theirs alone."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measure_steps, (recipe.to_dict(), list(data), steps, device))


def _measure_steps(recipe: dict[str, Any], data: list[str], steps: int, device: str) -> StepSpeed:
    chosen = Recipe.from_dict(recipe)
    target = torch.device(device)
    samples = open_samples(data, metric_only=True)
    waits, times = [], []
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Run(Path(folder), chosen, tuple(data), (), False), target)
        standing = peak_bytes(target)
        stream = ViewStream(samples, chosen.model.camera, chosen.train)
        parts = batches(stream, 0, steps=WARM_UP + steps)
        for _ in range(WARM_UP + steps):
            asked = time.perf_counter()
            step = [next(parts) for _ in range(chosen.train.accumulate)]
            started = time.perf_counter()
            trainer.train_step(step, stop=False)  # reads numbers back, so the device has finished
            times.append(time.perf_counter() - started)
            waits.append(started - asked)
        peak = peak_bytes(target)
        trainer.parallel.close()
    times, waits = times[WARM_UP:], waits[WARM_UP:]
    low, _, high = statistics.quantiles(times, n=4) if len(times) > 1 else (times[0],) * 3
    return StepSpeed(
        steps=steps,
        step_s_median=statistics.median(times),
        step_s_quartiles=(low, high),
        images_per_s=chosen.train.batch_size * steps / (sum(times) + sum(waits)),
        waiting_share=sum(waits) / (sum(times) + sum(waits)),
        peak_bytes=peak,
        standing_bytes=standing,
        estimated_bytes=estimate_memory(
            chosen, chosen.train.batch_size // chosen.train.accumulate
        ).total,
    )


def peak_bytes(device: torch.device) -> int:
    """Peak memory so far: of the GPU's allocator, or of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss includes memory from before exec
        fields = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def training_benchmark(
    recipe: Recipe,
    data: Sequence[str],
    *,
    steps: int,
    images: int,
    workers: Sequence[int],
    device: str,
) -> dict[str, Any]:
    """Time the loader for each number of workers, then training steps; data for JSON."""
    loaders = [loader_speed(recipe, data, count, images) for count in workers]
    step = step_speed(recipe, data, steps, device)
    return {
        "machine": machine(),
        "recipe": recipe.to_dict(),
        "data": list(data),
        "device": device,
        "loader": [dataclasses.asdict(speed) for speed in loaders],
        "step": dataclasses.asdict(step),
    }
