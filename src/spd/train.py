"""The training loop (specification, section 7)."""

import contextlib
import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from spd.checkpoint import default_device
from spd.config import TrainConfig
from spd.data.loader import Batch, ViewStream, batches
from spd.data.sample import RGBDSample
from spd.errors import DataError, TrainingError
from spd.metrics.accuracy import depth_metrics
from spd.models.encoder_vits.weights import load_dinov2
from spd.models.spd import SPD
from spd.optim import make_optimizer, make_schedule, objective
from spd.predictor import Predictor
from spd.runs import Run

VALIDATION_POINTS = 4096  # per image while training; `spd evaluate` asks every reading


class StoppedError(TrainingError):
    """The run was asked to stop, and has saved where it was."""


@dataclasses.dataclass(frozen=True, slots=True)
class TrainResult:
    """What a finished run has to say."""

    steps: int
    last_loss: float
    best_abs_rel: float
    """On the validation set, or on an overfit run's own batch; infinite without either."""
    images_without_reading: int
    seconds_per_step: float
    """Median, without evaluation and saving."""


class Trainer:
    """One run's model, optimiser and schedule, and the loop over its steps."""

    def __init__(self, run: Run, device: torch.device | None = None) -> None:
        self.run = run
        self.config: TrainConfig = run.recipe.train
        self.device = device or default_device()
        torch.manual_seed(self.config.seed)
        self.model = SPD(run.recipe.model)
        if self.config.encoder_weights is not None and not run.started:
            load_dinov2(self.model.encoder, self.config.encoder_weights)
        self.model.to(self.device).train()
        self.optimizer = make_optimizer(self.model, self.config)
        self.schedule: LRScheduler = make_schedule(self.optimizer, self.config)
        self.step = 0
        self.images_without_reading = 0

    def restore(self) -> None:
        """Go on from the run's last checkpoint, exactly; from the start where there is none."""
        if not self.run.started:
            self.run.forget_log_after(0)
            return
        state = self.run.restore(self.model)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["torch_rng"])
        self.step = int(state["step"])
        self.images_without_reading = int(state["images_without_reading"])

    def save(self) -> Path:
        """Write a checkpoint of what stands now."""
        state = {
            "step": self.step,
            "images_without_reading": self.images_without_reading,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "torch_rng": torch.get_rng_state(),
        }
        return self.run.save(self.model, state, self.step)

    def fit(
        self, samples: Sequence[RGBDSample], validation: Sequence[RGBDSample] = ()
    ) -> TrainResult:
        """Run every step that is left, evaluating and saving as configured.

        Raises:
            TrainingError: if the loss or a gradient is not finite; what was good is saved.
            StoppedError: after SIGINT or SIGTERM; the finished steps are saved.
        """
        config = self.config
        stream = ViewStream(
            samples,
            self.run.recipe.model.camera,
            config,
            overfit=config.batch_size if self.run.overfit else 0,
        )
        loss, times = float("nan"), []
        with _progress(self.step, config.steps) as show, _stop_signal() as stop:
            for batch in self._read(stream):
                started = time.perf_counter()
                loss = self._step(batch)
                times.append(time.perf_counter() - started)
                show(self.step, loss, self.schedule.get_last_lr())
                self._keep(validation)
                if stop.is_set() and self.step < config.steps:
                    self.save()
                    raise StoppedError(
                        f"stopped after step {self.step} of {config.steps}, everything is saved; "
                        f"go on with: spd train --resume {self.run.folder}"
                    )
        best = self._overfit_abs_rel(stream) if self.run.overfit else self.run.best_abs_rel()
        seconds = sorted(times)[len(times) // 2] if times else float("nan")
        return TrainResult(self.step, loss, best, self.images_without_reading, seconds)

    def _read(self, stream: ViewStream) -> Iterator[Batch]:
        """The batches that are left; a frame that cannot be read ends the run, and saves it."""
        try:
            yield from batches(stream, self.step)
        except DataError as error:
            self.save()
            # A loader process sends its traceback along; its last line is the message.
            said = str(error).strip().splitlines()[-1].removeprefix("spd.errors.DataError: ")
            raise TrainingError(
                f"{said}; the run is saved at step {self.step}: mend the frame and go on with: "
                f"spd train --resume {self.run.folder}"
            ) from None

    def _step(self, batch: Batch) -> float:
        """One optimiser step; returns the loss."""
        names = batch["names"]
        on_device = {k: v.to(self.device) for k, v in batch.items() if isinstance(v, Tensor)}
        loss, empty = objective(self.model, on_device, self.config)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            raise self._not_finite(float(loss.detach()), names)
        rates = self.schedule.get_last_lr()
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self.images_without_reading += empty
        self.run.log(
            {
                "step": self.step,
                "loss": float(loss.detach()),
                "encoder_lr": rates[0],
                "decoder_lr": rates[1],
                "grad_norm": float(norm),
            }
        )
        return float(loss.detach())

    def _not_finite(self, loss: float, names: Any) -> TrainingError:
        """The weights have not been touched by the bad step; save them while they are good."""
        if all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            self.save()
        return TrainingError(
            f"loss {loss:g} or its gradient is not finite at step {self.step + 1} on images "
            f"{', '.join(names)}; the steps before are saved in {self.run.folder}; look at those "
            "images, or start again with lower learning rates"
        )

    def _keep(self, validation: Sequence[RGBDSample]) -> None:
        """Evaluate and save where the configuration says so, and at the end."""
        last = self.step == self.config.steps
        evaluate = len(validation) > 0 and (last or self.step % self.config.evaluate_every == 0)
        if evaluate or last or self.step % self.config.save_every == 0:
            checkpoint = self.save()
            if evaluate:
                abs_rel = self._validate(validation)
                self.run.log({"step": self.step, "val_abs_rel": abs_rel})
                self.run.note_best(checkpoint, self.step, abs_rel)

    def _validate(self, samples: Sequence[RGBDSample]) -> float:
        """Mean AbsRel at drawn native readings of every image that has a focal length."""
        predictor = Predictor(self.model, self.device, str(self.run.folder))
        generator = torch.Generator().manual_seed(0)
        errors = []
        for sample in samples:
            if sample.intrinsics is None or not sample.valid.any():
                continue
            points, truth_m = sample.reading_points(), sample.depth_m[sample.valid]
            drawn = torch.randperm(len(points), generator=generator)[:VALIDATION_POINTS].numpy()
            scene = predictor.encode(sample.image, focal_px=sample.intrinsics.focal_px)
            errors.append(depth_metrics(scene.depth_at(points[drawn]), truth_m[drawn]).abs_rel)
        self.model.train()
        return sum(errors) / len(errors) if errors else float("inf")

    def _overfit_abs_rel(self, stream: ViewStream) -> float:
        """AbsRel on the batch that was repeated, at the points it was trained on."""
        batch = next(batches(stream, 0))
        tensors = {k: v.to(self.device) for k, v in batch.items() if isinstance(v, Tensor)}
        with torch.no_grad():
            predicted_m = self.model.query(self.model.encode(tensors["image"]), tensors["points"])
        errors = [
            depth_metrics(p[v].cpu().numpy(), t[v].cpu().numpy()).abs_rel
            for p, t, v in zip(
                predicted_m, tensors["point_depth_m"], tensors["point_valid"], strict=True
            )
        ]
        return sum(errors) / len(errors)


@contextlib.contextmanager
def _progress(done: int, steps: int) -> Iterator[Any]:
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  lr {task.fields[rates]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("train", total=steps, completed=done, loss=float("nan"), rates="")

        def show(step: int, loss: float, rates: list[float]) -> None:
            text = " / ".join(f"{rate:.1e}" for rate in rates)
            progress.update(task, completed=step, loss=loss, rates=text)

        yield show


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Set when SIGINT or SIGTERM comes; a second one ends the program as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread only
        return
    previous = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: FrameType | None) -> None:
        stop.set()
        print("stopping after this step; once more to stop at once", file=sys.stderr, flush=True)
        signal.signal(number, previous[signal.Signals(number)])

    for number in previous:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
