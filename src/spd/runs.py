"""A training run on disk: what it is, its checkpoints, its log.

RUN/run.json                     recipe, data, version: what `--resume` goes on with
RUN/log.jsonl                    one line a step
RUN/checkpoints/step-00001000/   model.safetensors, config.json, state.pt
RUN/best.json                    the checkpoint with the lowest AbsRel on the validation set
"""

import dataclasses
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from spd._version import __version__
from spd.checkpoint import BEST, CHECKPOINTS, RUN, checkpoints_of_run, load_weights, write_model
from spd.config import Recipe
from spd.errors import CheckpointError, TrainingError
from spd.files import atomic_path, write_text
from spd.models.spd import SPD

LOG = "log.jsonl"
STATE = "state.pt"


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
        run.check_free()
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

    def check_free(self) -> None:
        """Refuse a folder that holds anything.

        Raises:
            TrainingError: naming what to do instead.
        """
        folder = self.folder
        if (folder / RUN).exists():
            raise TrainingError(
                f"{folder} already holds a run; go on with --resume {folder}, or choose another "
                "--out"
            )
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise TrainingError(f"{folder} exists and is not empty; choose another --out")

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """An existing run, to be resumed or looked at.

        Raises:
            TrainingError: if there is none.
        """
        path = folder / RUN
        if not path.is_file():
            raise TrainingError(f"{folder} holds no run to go on with: {path} is missing")
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

    @property
    def started(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return bool(checkpoints_of_run(self.folder))

    def save(self, model: SPD, state: dict[str, Any], step: int) -> Path:
        """Write a checkpoint of `step` finished steps, whole or not at all; prune old ones."""
        folder = self.folder / CHECKPOINTS / f"step-{step:08d}"
        if not folder.exists():
            with atomic_path(folder) as temporary:
                temporary.mkdir()
                write_model(model, temporary, {"recipe": self.recipe.name, "step": step})
                torch.save(state, temporary / STATE)
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
        self.forget_log_after(int(state["step"]))
        return state

    def note_best(self, checkpoint: Path, step: int, abs_rel: float) -> bool:
        """Make a checkpoint the best one if its AbsRel is the lowest so far."""
        if abs_rel >= self.best_abs_rel():
            return False
        about = {"checkpoint": checkpoint.name, "step": step, "val_abs_rel": abs_rel}
        write_text(self.folder / BEST, json.dumps(about) + "\n")
        return True

    def best_abs_rel(self) -> float:
        """Lowest validation AbsRel so far; infinite before the first."""
        path = self.folder / BEST
        return float(self._read_best()["val_abs_rel"]) if path.is_file() else float("inf")

    def log(self, row: dict[str, Any]) -> None:
        """Append one line to the log."""
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def log_rows(self) -> list[dict[str, Any]]:
        """All lines of the log."""
        path = self.folder / LOG
        if not path.is_file():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def forget_log_after(self, step: int) -> None:
        """Forget what was logged after the checkpoint that the run goes on from."""
        if not (self.folder / LOG).is_file():
            return
        kept = [json.dumps(row) + "\n" for row in self.log_rows() if row["step"] <= step]
        write_text(self.folder / LOG, "".join(kept))

    def _prune(self) -> None:
        keep = {
            path.name for path in checkpoints_of_run(self.folder)[-self.recipe.train.keep_last :]
        }
        if (self.folder / BEST).is_file():
            keep.add(self._read_best()["checkpoint"])
        for path in checkpoints_of_run(self.folder):
            if path.name not in keep:
                shutil.rmtree(path)

    def _read_best(self) -> dict[str, Any]:
        path = self.folder / BEST
        try:
            best: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); delete it") from None
        return best
