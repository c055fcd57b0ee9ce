"""The training loop (specification, section 7), in one process or many."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spd.checkpoints.checkpoint import default_device, fill_model, stored_weights
from spd.data.loader import Batch, ViewStream, batches
from spd.data.sample import RGBDSample
from spd.errors import DataError, StoppedError, TrainingError
from spd.evaluation.metrics.accuracy import depth_metrics
from spd.models.spd import SPD
from spd.predictors.torch_predictor import Predictor
from spd.recipes import TrainConfig
from spd.training.console import progress, stop_signal
from spd.training.generators import generator_states, set_generator_states
from spd.training.objective import Objective
from spd.training.optim import make_optimizer, make_schedule
from spd.training.parallel import Parallel, is_main_process
from spd.training.runs import Run
from spd.training.start import start_model
from spd.training.validation import validate

LOWEST_LOSS_SCALE = 2.0**-10  # float16 gradients that overflow even so are broken


@dataclasses.dataclass(frozen=True, slots=True)
class TrainResult:
    """What a finished run has to say."""

    steps: int
    last_loss: float
    best_abs_rel: float
    """On the validation set, or on an overfit run's own batch; infinite without either."""
    images_without_reading: int
    seconds_per_step: float
    """Median, without evaluation, saving and waiting for data."""
    waiting_share: float
    """Share of the time that was spent waiting for data."""


@dataclasses.dataclass(frozen=True, slots=True)
class StepNumbers:
    """What all processes agree on after a step's gradients."""

    loss: float
    grad_norm: float
    empty: int
    stop: bool


class Trainer:
    """One run's model, optimiser and schedule, and the loop over its steps."""

    def __init__(self, run: Run, device: torch.device | None = None) -> None:
        self.run = run
        self.config: TrainConfig = run.recipe.train
        self.parallel = Parallel(self.config, device or default_device(), run.folder)
        self.device = self.parallel.device
        torch.manual_seed(self.config.seed)
        self.model = SPD(run.recipe.model)
        self.start = None if run.started else start_model(self.model, self.config)
        self._prepare_model()
        objective = Objective(self.model, self.config).to(self.device)
        self.beside = objective.beside
        self.optimizer = make_optimizer(self.model, self.config, self.beside.parameters())
        self.schedule: LRScheduler = make_schedule(self.optimizer, self.config)
        self.scaler = torch.amp.GradScaler(  # of the loss, for gradients that float16 would lose
            self.device.type, init_scale=2.0**12, enabled=self.config.precision == "float16"
        )
        self.average: AveragedModel | None = None
        if self.config.ema_decay:
            average = get_ema_multi_avg_fn(self.config.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=average)
        self.objective: nn.Module = self.parallel.wrap(objective)
        if self.config.compile:
            self.objective.compile()
        self.step = 0
        self.images_without_reading = 0

    def _prepare_model(self) -> None:
        self.model.to(self.device).train()
        if self.config.encoder_frozen:
            self.model.encoder.requires_grad_(False)
        if self.config.checkpoint_encoder:
            self.model.checkpoint_encoder()

    @property
    def kept_model(self) -> SPD:
        """The model that is evaluated and saved: the average of the weights where there is one."""
        return self.model if self.average is None else cast(SPD, self.average.module)

    def restore(self) -> None:
        """Go on from the run's last checkpoint, exactly; from the start where there is none."""
        if not self.run.started:
            if is_main_process():
                self.run.forget_log_after(0)
            return
        state = self.run.restore(self.kept_model)
        if self.average is None:
            self.model.load_state_dict(self.kept_model.state_dict())
        else:
            fill_model(self.model, state["weights"], self.run.folder)
            self.average.n_averaged.fill_(int(state["averaged"]))
        self.optimizer.load_state_dict(state["optimizer"])
        self.beside.load_state_dict(state.get("beside", {}))
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        set_generator_states(state["generators"])
        self.step = int(state["step"])
        self.images_without_reading = int(state["images_without_reading"])
        if is_main_process():
            self.run.forget_log_after(self.step)

    def save(self, val_abs_rel: float | None = None) -> None:
        """Write a checkpoint of what stands now; only the main process does.

        Raises:
            DataError: if it cannot be written.
        """
        if not is_main_process():
            return
        state: dict[str, Any] = {
            "step": self.step,
            "images_without_reading": self.images_without_reading,
            "beside": self.beside.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generators": generator_states(),
        }
        if self.average is not None:
            state["weights"] = stored_weights(self.model)
            state["averaged"] = int(self.average.n_averaged)
        self.run.save(self.kept_model, state, self.step, val_abs_rel)

    def fit(
        self, samples: Sequence[RGBDSample], validation: Sequence[RGBDSample] = ()
    ) -> TrainResult:
        """Run every step that is left, evaluating and saving as configured.

        Raises:
            TrainingError: if the loss or a gradient is not finite, a frame cannot be read, or the
                last checkpoint cannot be written; what was good is saved.
            StoppedError: after SIGINT or SIGTERM; the finished steps are saved.
        """
        config = self.config
        overfit = config.batch_size if self.run.overfit else 0
        stream = ViewStream(samples, self.run.recipe.model.camera, config, overfit=overfit)
        loss, seconds, waits = float("nan"), [], []
        is_main = is_main_process()
        if is_main:
            self.parallel.start_tracker(self.step, self.run.folder.name)
        with (
            progress(self.step, config.steps, shown=is_main) as show,
            stop_signal() as stop,
            contextlib.closing(self.parallel),
        ):
            parts = self._read(stream)
            while self.step < config.steps:
                asked = time.perf_counter()
                step_parts = [next(parts) for _ in range(config.accumulate)]
                started = time.perf_counter()
                numbers = self.train_step(step_parts, stop.is_set())
                loss = numbers.loss
                waits.append(started - asked)
                seconds.append(time.perf_counter() - started)
                self._log(numbers, waits[-1], seconds[-1])
                show(self.step, loss, self.schedule.get_last_lr())
                self._keep(validation)
                stopped = numbers.stop or (self.parallel.is_alone and stop.is_set())
                if stopped and self.step < config.steps:
                    reason = f"stopped after step {self.step} of {config.steps}"
                    raise self._ended(reason, "go on", StoppedError)
        best = self._overfit_abs_rel(stream) if self.run.overfit else self.run.best_abs_rel()
        total = sum(seconds) + sum(waits)
        return TrainResult(
            steps=self.step,
            last_loss=loss,
            best_abs_rel=best,
            images_without_reading=self.images_without_reading,
            seconds_per_step=sorted(seconds)[len(seconds) // 2] if seconds else float("nan"),
            waiting_share=sum(waits) / total if total else 0.0,
        )

    def _read(self, stream: ViewStream) -> Iterator[Batch]:
        """The parts of the steps that are left; a frame that cannot be read ends the run, saved."""
        try:
            yield from batches(stream, self.step, self.parallel.shard)
        except DataError as error:
            # A loader process sends its traceback along; its last line is the message.
            said = str(error).strip().splitlines()[-1].removeprefix("spd.errors.DataError: ")
            raise self._ended(said, "mend the frame and go on") from None

    def train_step(self, parts: Sequence[Batch], stop: bool) -> StepNumbers:
        """One optimiser step from its parts; every process takes the same one.

        Args:
            parts: the batches this process computes for the step, `accumulate` of them.
            stop: whether this process was asked to stop; all hear of it.
        """
        self.optimizer.zero_grad(set_to_none=True)
        losses = torch.zeros(3, device=self.device)  # loss, images without a reading, stop
        losses[2] = stop
        for number, part in enumerate(parts):
            batch = {k: v.to(self.device) for k, v in part.items() if isinstance(v, Tensor)}
            if number < len(parts) - 1:
                with self.parallel.without_sync(self.objective):
                    loss, empty = self._backward(batch)
            else:
                loss, empty = self._backward(batch)
            losses[0] += loss
            losses[1] += empty
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.objective.parameters(), self.config.clip_norm)
        mean_loss, empty_share, stops = self.parallel.mean(losses).tolist()
        numbers = StepNumbers(
            loss=mean_loss,
            grad_norm=float(norm),
            empty=round(empty_share * self.parallel.shard.processes),
            stop=stops > 0,
        )
        self._check_finite(numbers, parts)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.step += 1
        self.images_without_reading += numbers.empty
        return numbers

    def _backward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        loss, empty = self.objective(batch)
        loss = loss / self.config.accumulate
        self.scaler.scale(loss).backward()
        return loss.detach(), empty

    def _log(self, numbers: StepNumbers, wait_s: float, step_s: float) -> None:
        if not is_main_process():
            return
        rates = [float(rate) for rate in self.schedule.get_last_lr()]
        row = {
            "loss": numbers.loss,
            "encoder_lr": rates[0],
            "decoder_lr": rates[1],
            "grad_norm": numbers.grad_norm,
        }
        try:
            self.run.log({"step": self.step, **row, "wait_s": wait_s, "step_s": step_s})
        except DataError as error:
            raise self._ended(str(error), "make room and go on") from None
        self.parallel.track(row, self.step)

    def _check_finite(self, numbers: StepNumbers, parts: Sequence[Batch]) -> None:
        """Stop before the weights take a step that is not finite, and save them.

        Under float16 a gradient may overflow: the scaler leaves such a step out and lowers its
        scale. That is an error only where no scale is low enough.
        """
        norm = torch.tensor([numbers.loss, numbers.grad_norm])
        overflow = self.scaler.is_enabled() and self.scaler.get_scale() > LOWEST_LOSS_SCALE
        if torch.isfinite(norm).all() or (overflow and torch.isfinite(norm[0])):
            return
        names = ", ".join(self.parallel.gather([name for part in parts for name in part["names"]]))
        if all(bool(torch.isfinite(p).all()) for p in self.objective.parameters()):
            self.save()
        raise TrainingError(
            f"loss {numbers.loss:g} or its gradient is not finite at step {self.step + 1} on "
            f"images {names}; the steps before are saved in {self.run.folder}; look at those "
            "images, or start again with lower learning rates"
        )

    def _keep(self, validation: Sequence[RGBDSample]) -> None:
        """Evaluate and save where the configuration says so, and at the end."""
        last = self.step == self.config.steps
        evaluate = len(validation) > 0 and (last or self.step % self.config.evaluate_every == 0)
        if not (evaluate or last or self.step % self.config.save_every == 0):
            return
        abs_rel = self._validate(validation) if evaluate else None
        try:
            self.save(abs_rel)
        except DataError as error:
            if last:
                raise self._not_saved(error) from None
            print(f"step {self.step} is not saved: {error}; going on", file=sys.stderr, flush=True)
        self.parallel.wait()

    def _validate(self, validation: Sequence[RGBDSample]) -> float:
        predictor = Predictor(self.kept_model, self.device, str(self.run.folder))
        abs_rel = validate(predictor, validation, self.parallel)
        self.model.train()
        if is_main_process():
            self.run.log({"step": self.step, "val_abs_rel": abs_rel})
            self.parallel.track({"val_abs_rel": abs_rel}, self.step)
        return abs_rel

    def _ended(
        self, reason: str, what_to_do: str, kind: type[TrainingError] = TrainingError
    ) -> TrainingError:
        """Save, and the error that says so and how to go on."""
        try:
            self.save()
        except DataError as error:
            return self._not_saved(error)
        return kind(
            f"{reason}; the run is saved at step {self.step}: {what_to_do} with: "
            f"spd train --resume {self.run.folder}"
        )

    def _not_saved(self, error: DataError) -> TrainingError:
        return TrainingError(
            f"{error}; step {self.step} is not saved, the checkpoints before it are as they were: "
            f"free some space and go on with: spd train --resume {self.run.folder}"
        )

    def _overfit_abs_rel(self, stream: ViewStream) -> float:
        """AbsRel on the batch that was repeated, at the points it was trained on."""
        errors = []
        for batch in batches(stream, 0, steps=1):
            on_device = {k: v.to(self.device) for k, v in batch.items() if isinstance(v, Tensor)}
            with torch.no_grad():
                maps = self.kept_model.encode(on_device["image"])
                predicted_m = self.kept_model.query(maps, on_device["points"])
            for p, t, v in zip(
                predicted_m, on_device["point_depth_m"], on_device["point_valid"], strict=True
            ):
                errors.append(depth_metrics(p[v].cpu().numpy(), t[v].cpu().numpy()).abs_rel)
        return sum(errors) / len(errors)
