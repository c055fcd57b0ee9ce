"""A training run on disk: recipe, checkpoints and log.

RUN/run.json                     recipe, data and version, for `--resume`
RUN/data.json                    the frames it trains on, to notice changes (`spd.training.seen`)
RUN/log.jsonl                    one line a step
RUN/checkpoints/step-00001000/   model.safetensors, config.json, state.pt, checksums.json
RUN/best.json                    the checkpoint with the lowest AbsRel on the validation set
RUN/tensorboard/                 the same curves for TensorBoard
RUN/lock                         held by the process that trains

A run may be killed at any moment. Files and checkpoints appear whole or not at all; resuming
recomputes best.json and drops log lines newer than the last checkpoint.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import torch

from spd._version import __version__
from spd.checkpoints.checkpoint import load_weights, read_config, write_model
from spd.checkpoints.checksums import damage, write_checksums
from spd.checkpoints.folder import CONFIG, WEIGHTS, checkpoints_of_run
from spd.checkpoints.run_folder import (
    BEST,
    CHECKPOINTS,
    LOG,
    RUN,
    STATE,
    STEP,
    check_free,
    check_run,
)
from spd.checkpoints.tensor_files import read_pickled
from spd.errors import CheckpointError, ConfigError, DataError, TrainingError, reason_of
from spd.files import (
    LOCK,
    atomic_path,
    make_folder,
    parse_json,
    read_json,
    remove_folder,
    remove_unfinished,
    write_bytes,
    write_text,
)
from spd.models.spd import SPD
from spd.recipes import Recipe
from spd.training.damaged import problem_of, rename_damaged


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Folder, recipe and data of a training run."""

    folder: Path
    recipe: Recipe
    data: tuple[str, ...]
    """Training sources, as `open_samples` accepts them."""
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
        """Create a run in a new or empty folder.

        Raises:
            TrainingError: if the folder is not empty.
            DataError: if it cannot be written.
        """
        run = cls(folder, recipe, data, validation, overfit)
        check_free(folder)
        run.write()
        return run

    def write(self) -> None:
        """Write `run.json`; from then on the run can be resumed."""
        about = {
            "version": __version__,
            "recipe": self.recipe.to_dict(),
            "data": list(self.data),
            "validation": list(self.validation),
            "overfit": self.overfit,
        }
        about["sha256"] = digest_of(about)
        write_text(self.folder / RUN, json.dumps(about, indent=1) + "\n")

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Open an existing run.

        Raises:
            TrainingError: if the folder holds no run, or a damaged one.
        """
        check_run(folder)
        path = folder / RUN
        try:
            about = read_json(path)
            digest = digest_of(about)
            if about.get("sha256", digest) != digest:  # earlier versions had none
                raise TrainingError(
                    f"{path} is damaged: it does not match its checksum; restore it from a copy "
                    "(if you changed it yourself, delete its entry sha256; for other settings, "
                    f"start a new run with --set train.start_from={folder})"
                )
            return cls(
                folder,
                Recipe.from_dict(about["recipe"]),
                _texts(about["data"]),
                _texts(about["validation"]),
                bool(about["overfit"]),
            )
        except ConfigError as error:
            raise TrainingError(f"{path}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingError(f"{path} is damaged ({reason_of(error)})") from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder while training; a killed process releases the lock.

        Raises:
            TrainingError: if another process holds the lock.
            DataError: if the folder cannot be written.
        """
        try:
            make_folder(self.folder)
            lock = filelock.FileLock(self.folder / LOCK).acquire(timeout=0)
        except filelock.Timeout:
            raise TrainingError(
                f"another process is training in {self.folder}; wait for it, or choose a "
                "different --out"
            ) from None
        except OSError as error:
            raise DataError(
                f"cannot write {self.folder}: {reason_of(error)}; choose a different --out"
            ) from None
        with lock:
            yield

    @property
    def started(self) -> bool:
        """Whether the run has a checkpoint."""
        return bool(checkpoints_of_run(self.folder))

    def save(
        self, model: SPD, state: dict[str, Any], step: int, val_abs_rel: float | None = None
    ) -> Path:
        """Write a checkpoint after `step` steps, whole or not at all, and remove old ones.

        `model` holds the trained weights, or their average, and `state` what else resuming needs:
        plain data and tensors. `val_abs_rel` is None where it was not measured at this step.

        Raises:
            DataError: if it cannot be written; earlier checkpoints are unchanged.
        """
        folder = self.folder / CHECKPOINTS / f"{STEP}{step:08d}"
        if not folder.exists():
            about = {"recipe": self.recipe.name, "step": step, "val_abs_rel": val_abs_rel}
            buffer = io.BytesIO()
            torch.save(state, buffer)
            with atomic_path(folder) as temporary:
                temporary.mkdir()
                write_model(model, temporary, about)
                write_bytes(temporary / STATE, buffer.getvalue())
                write_checksums(temporary)
        self._note_best()
        self._prune()
        return folder

    def restore(self, model: SPD) -> dict[str, Any]:
        """Load the last intact checkpoint into the model, and return the state saved with it.

        Raises:
            TrainingError: if the run has no intact checkpoint, or the state of another run.
        """
        complete = checkpoints_of_run(self.folder)
        if not complete:
            raise TrainingError(
                f"{self.folder} has no checkpoint yet; start a new run in a different folder"
            )
        problems = {folder: problem_of(folder) for folder in complete}
        intact = [folder for folder in complete if problems[folder] is None]
        if not intact:
            raise TrainingError(
                f"{self.folder} has no intact checkpoint ({problems[complete[-1]]}); restore the "
                "files from a copy, or delete the checkpoint folders and resume from the start"
            )
        load_weights(model, intact[-1] / WEIGHTS)
        path = intact[-1] / STATE
        state = read_pickled(path)
        if not isinstance(state, dict):
            raise TrainingError(
                f"{path} contains a {type(state).__name__} where the state of a run is expected; "
                "delete the checkpoint folder that contains it"
            )
        return state

    def set_damaged_aside(self) -> list[str]:
        """Rename damaged checkpoints, so that none is resumed from, kept or counted.

        Nothing is renamed if no checkpoint is intact.

        Returns:
            One line of text for each.

        Raises:
            DataError: if one cannot be renamed.
        """
        lines = rename_damaged(checkpoints_of_run(self.folder))
        if lines:
            (self.folder / BEST).unlink(missing_ok=True)
            self._note_best()
        return lines

    def clean(self) -> None:
        """Remove what a killed process left unfinished; call it under the lock."""
        remove_unfinished(self.folder)
        remove_unfinished(self.folder / CHECKPOINTS)
        self._note_best()

    def best_abs_rel(self) -> float:
        """Lowest validation AbsRel so far; infinite before the first evaluation."""
        path = self.folder / BEST
        return self._read_best()["val_abs_rel"] if path.is_file() else float("inf")

    def log(self, *rows: dict[str, Any]) -> None:
        """Append lines to the log, all or none.

        Raises:
            DataError: if they cannot be written.
        """
        path = self.folder / LOG
        try:
            before = path.stat().st_size if path.exists() else 0
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write("".join(json.dumps(row) + "\n" for row in rows))
            except OSError:
                with contextlib.suppress(OSError):  # half a line would damage the next one
                    os.truncate(path, before)
                raise
        except OSError as error:
            raise DataError(f"cannot write {self.folder / LOG}: {reason_of(error)}") from None

    def log_rows(self) -> list[dict[str, Any]]:
        """All lines of the log, without an unfinished last line of a killed process."""
        path = self.folder / LOG
        # A damaged byte makes its line unreadable, not the file.
        try:
            text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        except OSError as error:
            raise TrainingError(f"cannot read {path}: {reason_of(error)}") from None
        lines = text.splitlines()
        rows = []
        for number, line in enumerate(lines):
            try:
                rows.append(_log_row(line))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
                if number < len(lines) - 1:
                    raise TrainingError(f"{path} is damaged at line {number + 1}") from None
        return rows

    def forget_log_after(self, step: int) -> None:
        """Drop log lines after a step, such as the checkpoint a run resumes from."""
        if not (self.folder / LOG).is_file():
            return
        kept = "".join(json.dumps(row) + "\n" for row in self.log_rows() if row["step"] <= step)
        if (self.folder / LOG).stat().st_size != len(kept):  # json.dumps writes ASCII
            write_text(self.folder / LOG, kept)

    def _note_best(self) -> None:
        """Write the checkpoint with the lowest AbsRel to best.json."""
        scored = []
        for folder in checkpoints_of_run(self.folder):
            try:
                about = {} if damage(folder, [CONFIG]) else read_config(folder)[1]
            except CheckpointError:
                continue  # resuming sets it aside
            if about.get("val_abs_rel") is not None:
                try:
                    scored.append((float(about["val_abs_rel"]), int(about["step"]), folder.name))
                except (KeyError, TypeError, ValueError, OverflowError):
                    raise CheckpointError(
                        f"{folder / CONFIG} has no valid step or val_abs_rel; delete {folder}"
                    ) from None
        if scored:
            abs_rel, step, name = min(scored)
            best = {"checkpoint": name, "step": step, "val_abs_rel": abs_rel}
            write_text(self.folder / BEST, json.dumps(best) + "\n")

    def _prune(self) -> None:
        complete = checkpoints_of_run(self.folder)
        keep = {path.name for path in complete[-self.recipe.train.keep_last :]}
        if (self.folder / BEST).is_file():
            keep.add(self._read_best()["checkpoint"])
        for path in complete:
            if path.name not in keep:
                remove_folder(path)

    def _read_best(self) -> dict[str, Any]:
        path = self.folder / BEST
        try:
            best: dict[str, Any] = read_json(path)
            return {
                "checkpoint": str(best["checkpoint"]), "val_abs_rel": float(best["val_abs_rel"])
            }  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            raise CheckpointError(f"{path} is damaged; delete it") from None


def digest_of(about: dict[str, Any]) -> str:
    """SHA-256 of JSON data without its entry `sha256`, independent of white space."""
    said = {key: value for key, value in about.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _log_row(line: str) -> dict[str, Any]:
    """One line of the log, whose values are all numbers."""
    row: dict[str, Any] = parse_json(line)
    if not all(isinstance(value, int | float) for value in row.values()):
        raise TypeError("values must be numbers")
    _ = [float(value) for value in row.values()]  # none is too large
    return row | {"step": int(row["step"])}


def _texts(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise TypeError("data and validation must be lists of names")
    return tuple(given)
