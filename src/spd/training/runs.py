"""A training run on disk: what it is, its checkpoints, its log.

RUN/run.json                     recipe, data, version: what `--resume` goes on with
RUN/log.jsonl                    one line a step
RUN/checkpoints/step-00001000/   model.safetensors, config.json, state.pt
RUN/best.json                    the checkpoint with the lowest AbsRel on the validation set
RUN/tensorboard/                 the same curves for TensorBoard
RUN/lock                         held by the process that trains

A run may be killed at any moment: files and checkpoints appear whole or not at all, best.json is
worked out anew from the checkpoints, and lines of the log that no checkpoint stands behind are
forgotten on resuming.
"""

import contextlib
import dataclasses
import io
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import torch

from spd._version import __version__
from spd.checkpoints.checkpoint import checkpoints_of_run, load_weights, read_config, write_model
from spd.checkpoints.run_folder import (
    BEST,
    CHECKPOINTS,
    LOCK,
    LOG,
    RUN,
    STATE,
    check_free,
    check_run,
)
from spd.errors import CheckpointError, DataError, TrainingError
from spd.files import atomic_path, remove_folder, remove_unfinished, write_bytes, write_text
from spd.models.spd import SPD
from spd.recipes import Recipe


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run's folder, recipe and data."""

    folder: Path
    recipe: Recipe
    data: tuple[str, ...]
    """Training sources, as `open_samples` takes them."""
    validation: tuple[str, ...]
    """Validation sources; may be empty."""
    overfit: bool
    """Whether the run repeats its first batch."""

    @classmethod
    def create(
        cls,
        folder: Path,
        recipe: Recipe,
        data: tuple[str, ...],
        validation: tuple[str, ...] = (),
        *,
        overfit: bool = False,
    ) -> "Run":
        """Start a run in a new or empty folder.

        Raises:
            TrainingError: if the folder holds anything already.
            DataError: if it cannot be written.
        """
        run = cls(folder, recipe, data, validation, overfit)
        check_free(folder)
        run.write()
        return run

    def write(self) -> None:
        """Write what the run is; from here on it can be resumed."""
        about = {
            "version": __version__,
            "recipe": self.recipe.to_dict(),
            "data": list(self.data),
            "validation": list(self.validation),
            "overfit": self.overfit,
        }
        write_text(self.folder / RUN, json.dumps(about, indent=1) + "\n")

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """An existing run, to be resumed or looked at.

        Raises:
            TrainingError: if there is none.
        """
        check_run(folder)
        path = folder / RUN
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                folder,
                Recipe.from_dict(about["recipe"]),
                tuple(about["data"]),
                tuple(about["validation"]),
                bool(about["overfit"]),
            )
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise TrainingError(f"{path} is damaged ({error})") from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; whoever trains into it does. A killed process holds nothing.

        Raises:
            TrainingError: if another process holds it.
            DataError: if the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = filelock.FileLock(self.folder / LOCK, timeout=0)
            held.acquire()
        except filelock.Timeout:
            raise TrainingError(
                f"another process is training in {self.folder}; wait for it, or choose another "
                "--out"
            ) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"cannot write {self.folder}: {reason}; choose another --out") from None
        try:
            yield
        finally:
            held.release()

    @property
    def started(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return bool(checkpoints_of_run(self.folder))

    def save(
        self, model: SPD, state: dict[str, Any], step: int, val_abs_rel: float | None = None
    ) -> Path:
        """Write a checkpoint of `step` finished steps, whole or not at all; prune old ones.

        Args:
            model: what is to be used: the trained weights, or their average.
            state: what else going on needs; plain data and tensors.
            step: how many steps are finished.
            val_abs_rel: on the validation set, where it was just measured.

        Raises:
            DataError: if it cannot be written; what stood there before still does.
        """
        folder = self.folder / CHECKPOINTS / f"step-{step:08d}"
        if not folder.exists():
            about = {"recipe": self.recipe.name, "step": step, "val_abs_rel": val_abs_rel}
            buffer = io.BytesIO()
            torch.save(state, buffer)
            with atomic_path(folder) as temporary:
                temporary.mkdir()
                write_model(model, temporary, about)
                write_bytes(temporary / STATE, buffer.getvalue())
        self._note_best()
        self._prune()
        return folder

    def restore(self, model: SPD) -> dict[str, Any]:
        """Fill the model from the last checkpoint and return the state saved with it.

        Raises:
            TrainingError: if there is no checkpoint, or its state is damaged.
        """
        complete = checkpoints_of_run(self.folder)
        if not complete:
            raise TrainingError(f"{self.folder} has no checkpoint yet; start it again elsewhere")
        load_weights(model, complete[-1] / "model.safetensors")
        path = complete[-1] / STATE
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(f"{path} cannot be read ({error}); delete its folder") from None
        return state

    def clean(self) -> None:
        """Tidy up what a killed process left half done; hold the lock."""
        remove_unfinished(self.folder)
        remove_unfinished(self.folder / CHECKPOINTS)
        self._note_best()

    def best_abs_rel(self) -> float:
        """Lowest validation AbsRel so far; infinite before the first."""
        path = self.folder / BEST
        return float(self._read_best()["val_abs_rel"]) if path.is_file() else float("inf")

    def log(self, row: dict[str, Any]) -> None:
        """Append one line to the log.

        Raises:
            DataError: if it cannot be written.
        """
        try:
            with (self.folder / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"cannot write {self.folder / LOG}: {reason}") from None

    def log_rows(self) -> list[dict[str, Any]]:
        """All lines of the log; half a line at its end, of a killed process, is passed over."""
        path = self.folder / LOG
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        rows = []
        for number, line in enumerate(lines):
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                if number < len(lines) - 1:
                    raise TrainingError(f"{path} is damaged in line {number + 1}") from None
        return rows

    def forget_log_after(self, step: int) -> None:
        """Forget what was logged after the checkpoint that the run goes on from."""
        if not (self.folder / LOG).is_file():
            return
        kept = [json.dumps(row) + "\n" for row in self.log_rows() if row["step"] <= step]
        write_text(self.folder / LOG, "".join(kept))

    def _note_best(self) -> None:
        """Point best.json at the kept checkpoint with the lowest AbsRel; the best one is kept."""
        scored = []
        for folder in checkpoints_of_run(self.folder):
            about = read_config(folder)[1]
            if about.get("val_abs_rel") is not None:
                scored.append((float(about["val_abs_rel"]), int(about["step"]), folder.name))
        if scored:
            abs_rel, step, name = min(scored)
            best = {"checkpoint": name, "step": step, "val_abs_rel": abs_rel}
            write_text(self.folder / BEST, json.dumps(best) + "\n")

    def _prune(self) -> None:
        keep = {
            path.name for path in checkpoints_of_run(self.folder)[-self.recipe.train.keep_last :]
        }
        if (self.folder / BEST).is_file():
            keep.add(self._read_best()["checkpoint"])
        for path in checkpoints_of_run(self.folder):
            if path.name not in keep:
                remove_folder(path)

    def _read_best(self) -> dict[str, Any]:
        path = self.folder / BEST
        try:
            best: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); delete it") from None
        return best
