"""The training loop (specification, section 7), in one process or many."""

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spd.checkpoints.checkpoint import default_device, fill_model, stored_weights
from spd.data.loader import Batch, ViewStream, batches
from spd.data.sample import RGBDSample
from spd.errors import DataError, SPDError, StoppedError, TrainingError, reason_of
from spd.models.spd import SPD
from spd.predictors.torch_predictor import Predictor
from spd.recipes import TrainConfig
from spd.terminal import progress_bar, stop_signal
from spd.training.generators import generator_states, set_generator_states
from spd.training.objective import Objective
from spd.training.optim import make_optimizer, make_schedule
from spd.training.parallel import Parallel, is_main_process
from spd.training.results import StepResult, TrainResult
from spd.training.runs import Run
from spd.training.start import start_model
from spd.training.validation import batch_abs_rel, tensors_on, validate

LOWEST_LOSS_SCALE = 2.0**-10  # below it, float16 gradients overflow for another reason than scale


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
        self.model.to(self.device).train()
        if self.config.encoder_frozen:
            self.model.encoder.requires_grad_(False)
        if self.config.checkpoint_encoder:
            self.model.checkpoint_encoder()
        objective = Objective(self.model, self.config).to(self.device)
        self.beside = objective.beside
        self.optimizer = make_optimizer(self.model, self.config, self.beside.parameters())
        self.schedule: LRScheduler = make_schedule(self.optimizer, self.config)
        self.scaler = torch.amp.GradScaler(  # keeps small float16 gradients from becoming zero
            self.device.type, init_scale=2.0**12, enabled=self.config.precision == "float16"
        )
        self.average: AveragedModel | None = None
        if self.config.ema_decay:
            average = get_ema_multi_avg_fn(self.config.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=average)
        self.objective: nn.Module = self.parallel.wrap(objective)
        if self.config.compile:
            self.objective.compile()
        self._unlogged: list[dict[str, Any]] = []  # rows that a full disk did not take
        self.step = 0
        self.images_without_reading = 0

    def train_step(self, parts: Sequence[Batch], stop: bool) -> StepResult:
        """Take one optimiser step; every process takes the same one.

        Args:
            parts: the batches this process computes for the step, `accumulate` of them.
            stop: whether this process was asked to stop.

        Raises:
            TrainingError: if the loss or its gradient is not finite; the weights stay unchanged.
        """
        self.optimizer.zero_grad(set_to_none=True)
        # The loss, images without a reading, stop.
        totals = torch.zeros(3, dtype=self.model.dtype, device=self.device)
        totals[2] = stop
        for number, part in enumerate(parts, start=1):
            is_last = number == len(parts)  # only its backward pass exchanges gradients
            with contextlib.nullcontext() if is_last else self.parallel.no_sync(self.objective):
                loss, empty = self.objective(tensors_on(self.device, part))
                loss = loss / self.config.accumulate
                self.scaler.scale(loss).backward()
            totals[0] += loss.detach()
            totals[1] += empty
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.objective.parameters(), self.config.clip_norm)
        mean_loss, mean_empty, mean_stop = self.parallel.mean(totals).tolist()
        result = StepResult(
            loss=mean_loss,
            grad_norm=float(norm),
            images_without_reading=round(mean_empty * self.parallel.shard.processes),
            stop=mean_stop > 0,
        )
        self._check_finite(result, parts)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.step += 1
        self.images_without_reading += result.images_without_reading
        return result

    def fit(
        self, samples: Sequence[RGBDSample], validation: Sequence[RGBDSample] = ()
    ) -> TrainResult:
        """Take all remaining steps; evaluate and save as configured.

        Raises:
            TrainingError: if the loss or a gradient is not finite, a frame cannot be read, or the
                last checkpoint cannot be written. The finished steps are saved where possible.
            StoppedError: after SIGINT, SIGTERM or SIGHUP; the finished steps are saved.
        """
        config = self.config
        overfit = config.batch_size if self.run.overfit else 0
        stream = ViewStream(samples, self.run.recipe.model.camera, config, overfit=overfit)
        loss, seconds, waits = float("nan"), [], []
        is_main = is_main_process()
        if is_main:
            self.parallel.start_tracker(self.step, self.run.folder.name)
        with (
            progress_bar(
                "training",
                "loss {loss:.3f}  lr {rates}",
                shown=None if is_main else False,
                loss=loss,
                rates="",
            ) as show,
            stop_signal() as stop,
            contextlib.closing(self.parallel),
        ):
            show(self.step, config.steps)
            parts = self._read(stream)
            while self.step < config.steps:
                waiting = time.perf_counter()
                step_parts = [next(parts) for _ in range(config.accumulate)]
                started = time.perf_counter()
                result = self.train_step(step_parts, stop.is_set())
                loss = result.loss
                waits.append(started - waiting)
                seconds.append(time.perf_counter() - started)
                self._log(result, waits[-1], seconds[-1])
                rates = " / ".join(f"{rate:.1e}" for rate in self.schedule.get_last_lr())
                show(self.step, config.steps, loss=loss, rates=rates)
                self._evaluate_and_save(validation)
                stopped = result.stop or (self.parallel.is_alone and stop.is_set())
                if stopped and self.step < config.steps:
                    reason = f"stopped after step {self.step} of {config.steps}"
                    raise self._saved_error(reason, "resume", StoppedError)
        if self.run.overfit:
            best = batch_abs_rel(self.kept_model, batches(stream, 0, steps=1), self.device)
        else:
            best = self.run.best_abs_rel()
        total = sum(seconds) + sum(waits)
        return TrainResult(
            steps=self.step,
            last_loss=loss,
            best_abs_rel=best,
            images_without_reading=self.images_without_reading,
            seconds_per_step=sorted(seconds)[len(seconds) // 2] if seconds else float("nan"),
            waiting_share=sum(waits) / total if total else 0.0,
        )

    @property
    def kept_model(self) -> SPD:
        """The model to evaluate and save: the average of the weights if there is one."""
        return self.model if self.average is None else cast(SPD, self.average.module)

    @property
    def _stateful(self) -> dict[str, Any]:
        """Objects whose state a checkpoint holds beside the model, by name."""
        return {
            "beside": self.beside,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }

    def restore(self) -> None:
        """Continue exactly from the run's last intact checkpoint, or from the start without any.

        Damaged checkpoints are renamed, with a message on stderr.

        Raises:
            TrainingError: if no checkpoint is intact, or the last one does not fit this run.
        """
        if self.run.started:
            if is_main_process():
                _note(*self.run.set_damaged_aside())
            self.parallel.wait()
            state = self.run.restore(self.kept_model)
            try:
                self._take(state)
            except SPDError:
                raise
            except Exception as error:  # a state of another shape raises many types
                raise TrainingError(
                    f"the last checkpoint in {self.run.folder} does not fit this run "
                    f"({type(error).__name__}: {reason_of(error)}); delete its folder, or start a "
                    f"new run from its weights with --set train.start_from={self.run.folder}"
                ) from None
        if is_main_process():
            self.run.forget_log_after(self.step)

    def _take(self, state: dict[str, Any]) -> None:
        """Continue from the state that `save` stored."""
        if self.average is None:
            self.model.load_state_dict(self.kept_model.state_dict())
        else:
            fill_model(self.model, state["weights"], self.run.folder)
            self.average.n_averaged.fill_(int(state["averaged"]))
        for name, part in self._stateful.items():
            part.load_state_dict(state.get(name, {}))
        set_generator_states(state["generators"])
        self.step = int(state["step"])
        self.images_without_reading = int(state["images_without_reading"])

    def save(self, val_abs_rel: float | None = None) -> None:
        """Write a checkpoint of the current step; only the main process does.

        Raises:
            DataError: if it cannot be written.
        """
        if not is_main_process():
            return
        state = {name: part.state_dict() for name, part in self._stateful.items()} | {
            "step": self.step,
            "images_without_reading": self.images_without_reading,
            "generators": generator_states(),
        }
        if self.average is not None:
            state["weights"] = stored_weights(self.model)
            state["averaged"] = int(self.average.n_averaged)
        self.run.save(self.kept_model, state, self.step, val_abs_rel)

    def _read(self, stream: ViewStream) -> Iterator[Batch]:
        """Yield the parts of the remaining steps; an unreadable frame saves and ends the run."""
        try:
            yield from batches(stream, self.step, self.parallel.shard)
        except DataError as error:
            # A loader process sends its traceback along; the last line is the message.
            message = str(error).strip().splitlines()[-1].removeprefix("spd.errors.DataError: ")
            raise self._saved_error(message, "repair the frame and resume") from None

    def _log(self, result: StepResult, wait_s: float, step_s: float) -> None:
        if not is_main_process():
            return
        encoder_lr, decoder_lr = map(float, self.schedule.get_last_lr())
        row = {
            "loss": result.loss,
            "encoder_lr": encoder_lr,
            "decoder_lr": decoder_lr,
            "grad_norm": result.grad_norm,
        }
        self._write_log({"step": self.step, **row, "wait_s": wait_s, "step_s": step_s})
        self.parallel.track(row, self.step)

    def _write_log(self, row: dict[str, Any]) -> None:
        """Log a row and the unlogged ones; if the disk is full, save a checkpoint and stop.

        If that fails too, stopping would lose steps: the run continues with the rows in memory.
        """
        failed_before = bool(self._unlogged)
        self._unlogged.append(row)
        try:
            self.run.log(*self._unlogged)
            self._unlogged.clear()
        except DataError as error:
            if failed_before:
                return
            try:
                self.save()
            except DataError:
                remedy = "the log is kept in memory; free some disk space"
                _note(f"{error}; step {self.step} cannot be saved either; {remedy}")
            else:
                remedy = "free some disk space and resume"
                raise self._saved_error(str(error), remedy) from None

    def _check_finite(self, result: StepResult, parts: Sequence[Batch]) -> None:
        """Save and stop before the weights take a step that is not finite.

        A float16 gradient may overflow: the scaler then skips the step and lowers its scale. That
        is an error only once the scale is at its lowest.
        """
        can_rescale = self.scaler.is_enabled() and self.scaler.get_scale() > LOWEST_LOSS_SCALE
        if math.isfinite(result.loss) and (math.isfinite(result.grad_norm) or can_rescale):
            return
        names = ", ".join(self.parallel.gather([name for part in parts for name in part["names"]]))
        if all(bool(torch.isfinite(p).all()) for p in self.objective.parameters()):
            self.save()
        raise TrainingError(
            f"the loss ({result.loss:g}) or its gradient is not finite at step {self.step + 1} on "
            f"images {names}; the run up to step {self.step} is saved in {self.run.folder}. Check "
            "these images, or start a new run with lower learning rates"
        )

    def _evaluate_and_save(self, validation: Sequence[RGBDSample]) -> None:
        """Evaluate and save where the configuration asks for it, and after the last step."""
        last = self.step == self.config.steps
        evaluate = len(validation) > 0 and (last or self.step % self.config.evaluate_every == 0)
        if not (evaluate or last or self.step % self.config.save_every == 0):
            return
        abs_rel = self._validate(validation) if evaluate else None
        try:
            self.save(abs_rel)
        except DataError as error:
            if last:
                raise self._unsaved_error(error) from None
            _note(f"step {self.step} could not be saved: {error}; training continues")
        self.parallel.wait()

    def _validate(self, validation: Sequence[RGBDSample]) -> float:
        predictor = Predictor(self.kept_model, self.device, str(self.run.folder))
        abs_rel = validate(predictor, validation, self.parallel)
        self.model.train()
        if is_main_process():
            self._write_log({"step": self.step, "val_abs_rel": abs_rel})
            self.parallel.track({"val_abs_rel": abs_rel}, self.step)
        return abs_rel

    def _saved_error(
        self, reason: str, remedy: str, kind: type[TrainingError] = TrainingError
    ) -> TrainingError:
        """Save, and return an error with the command that continues the run."""
        try:
            self.save()
        except DataError as error:
            return self._unsaved_error(error)
        return kind(
            f"{reason}; the run is saved at step {self.step}; {remedy} with: "
            f"spd train --resume {self.run.folder}"
        )

    def _unsaved_error(self, error: DataError) -> TrainingError:
        return TrainingError(
            f"{error}; step {self.step} could not be saved, but earlier checkpoints are intact; "
            f"free some disk space and resume with: spd train --resume {self.run.folder}"
        )


def _note(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)
