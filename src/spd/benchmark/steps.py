"""The steps that `spd benchmark` times: encode, queries, the dense map and a training step."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spd.benchmark.machine import machine, package_version
from spd.benchmark.timing import Timing, time_call
from spd.checkpoints.folder import SHIPPED
from spd.config import PATCH
from spd.errors import SPDError, require
from spd.pixels import Size
from spd.predictors.model_options import ModelOptions
from spd.processes import limit_torch, threads_to_use
from spd.runtimes.engines import installed_runtimes

POINTS = (1, 256, 1024, 16384)
"""Points of a query."""
TRAINING_IMAGES = 2
"""Images of a training step, the specification's batch size."""

Progress = Callable[[int, int], None]
Call = Callable[[], object]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Settings of a benchmark."""

    model: str = SHIPPED
    """Checkpoint, training run, export, hub id, or `shipped`."""
    size: Size | None = None
    """(height, width) of the photo in pixels; None: the model's training crop."""
    threads: int | None = None
    """Threads of every runtime; None: `OMP_NUM_THREADS`, or one per usable CPU."""
    device: str = "cpu"
    """Device of torch: cpu, cuda or mps; on another one than cpu, torch alone is timed."""
    seconds: float = 0.5
    """Time that each step is measured for."""

    def run(self, progress: Progress = lambda done, total: None) -> dict[str, Any]:
        """Time every step in every runtime.

        Args:
            progress: called with the number of steps done and their total.

        Returns:
            Plain data for JSON: settings, `machine`, `rows` (one for each step and runtime) and
            `skipped` (why a runtime or step is missing).

        Raises:
            CheckpointError: if the model does not exist.
        """
        threads = threads_to_use(self.threads)
        rows: list[dict[str, Any]] = []
        names, skipped = self._runtimes()
        total = len(names) * (len(POINTS) + 2) + 1
        progress(0, total)
        size = self.size
        for name in names:
            predictor = self._open(name, threads)
            size = size or predictor.config.camera.crop_size
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the field of view of noise does not matter
                for step, call in _inference_steps(predictor, size):
                    rows.append(_row(name, step, time_call(call, self.seconds, threads)))
                    progress(len(rows), total)
        if "torch" in names:
            step = f"training step, {TRAINING_IMAGES} images"
            try:
                call = _training_step(self.model, size or (0, 0), self.device)
                rows.append(_row("torch", step, time_call(call, self.seconds, threads)))
            except (ModuleNotFoundError, SPDError) as error:
                skipped["training step"] = str(error)
        progress(total, total)
        return {
            "model": self.model,
            "size": size,
            "threads": threads,
            "device": self.device,
            "machine": machine() | {name: package_version(name) for name in installed_runtimes()},
            "rows": rows,
            "skipped": skipped,
        }

    def _runtimes(self) -> tuple[list[str], dict[str, str]]:
        """The runtimes that can answer here, and why the others cannot."""
        names, skipped = list[str](), dict[str, str]()
        ModelOptions(model=self.model).locate()  # a model that does not exist ends it
        for name in ("onnxruntime", "openvino", "torch"):
            if name != "torch" and self.device != "cpu":
                skipped[name] = f"runs on the CPU only, not on {self.device}"
                continue
            try:
                require(name)
                ModelOptions(model=self.model, runtime=name).locate()
                names.append(name)
            except SPDError as error:
                skipped[name] = str(error)
        return names, skipped

    def _open(self, runtime: str, threads: int) -> Any:
        """A predictor in one runtime with that many threads."""
        if runtime == "torch":
            limit_torch(threads)
        return ModelOptions(
            model=self.model, runtime=runtime, device=self.device, threads=threads
        ).load()


def _row(runtime: str, step: str, timing: Timing) -> dict[str, Any]:
    return {"runtime": runtime, "step": step} | dataclasses.asdict(timing)


def _inference_steps(predictor: Any, size: Size) -> Iterator[tuple[str, Call]]:
    """Names and calls for a photo of noise that the network sees in its own resolution."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    focal_px = predictor.config.camera.focal_px
    yield "encode", lambda: predictor.encode(photo, focal_px=focal_px)
    scene = predictor.encode(photo, focal_px=focal_px)
    for count in POINTS:
        points = rng.random((count, 2)) * (size[1] - 1, size[0] - 1)
        yield f"query, K = {count:,}", functools.partial(scene.depth_at, points)
    yield "dense map", lambda: scene.depth_map(fast=True)


def _training_step(model: str | Path, size: Size, device: str) -> Call:
    """One optimiser step of the dense objective in float32, on noise.

    Raises:
        ModuleNotFoundError: if a package that training needs is not installed.
    """
    import torch

    from spd.checkpoints.checkpoint import load_checkpoint
    from spd.checkpoints.folder import find_checkpoint
    from spd.recipes import TrainConfig
    from spd.training.objective import Objective
    from spd.training.optim import make_optimizer

    config = TrainConfig(batch_size=TRAINING_IMAGES, precision="float32")
    network, _ = load_checkpoint(find_checkpoint(model))
    network = network.to(device).float().train()
    objective, optimizer = Objective(network, config), make_optimizer(network, config)
    height, width = (max(2, side // PATCH) * PATCH for side in size)
    noise = functools.partial(torch.rand, dtype=torch.float32, device=device)
    depth_m = 1 + 4 * noise(TRAINING_IMAGES, 1, height, width)
    points = noise(TRAINING_IMAGES, config.points_per_image, 2)
    batch = {
        "image": noise(TRAINING_IMAGES, 3, height, width),
        "depth_m": depth_m,
        "valid": torch.ones_like(depth_m, dtype=torch.bool),
        "points": points,
        "point_depth_m": 1 + points[..., 0],
        "point_valid": torch.ones_like(points[..., 0], dtype=torch.bool),
    }

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss, _ = objective(batch)
        loss.backward()
        optimizer.step()
        return loss.item()  # waits for the device

    return step
