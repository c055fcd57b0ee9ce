"""Run a batch, or resume one that was killed."""

import collections
import contextlib
import dataclasses
import importlib.util
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Literal

import filelock

from spd.batch.cells import storable
from spd.batch.engines import answers_here, answers_of_processes
from spd.batch.grouping import BatchPlan, plan_rows
from spd.batch.inputs import BatchInput, Rows, read_rows
from spd.batch.manifest import manifest, read_manifest, write_or_compare
from spd.batch.maps import MAPS, MapFiles, MapForm
from spd.batch.part_files import TableForm
from spd.batch.parts import columns_of, count_errors, existing_parts, write_part
from spd.batch.ray_engine import answers_of_ray
from spd.batch.tasks import TaskAnswer
from spd.errors import BatchError, ConfigError, require
from spd.files import LOCK, check_folder, remove_unfinished
from spd.predictors.model_options import ModelLocation, ModelOptions

Engine = Literal["local", "ray"]
Progress = Callable[[int, int, int], None]
"""Called with the rows answered, the rows in all, and the answered rows with an error."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """Model, engine and output of a batch."""

    out: Path
    model: ModelOptions = dataclasses.field(default_factory=ModelOptions)
    engine: Engine = "local"
    workers: int = 1
    photos_per_part: int = 256
    maps: MapForm | None = None
    """Format of a depth map of every photo; None: no maps."""
    table_form: TableForm | None = None
    """Format of the parts; None: that of the batch to resume, else Parquet if pyarrow is there."""

    def form(self) -> TableForm:
        """The format of the parts, which can be written here.

        Raises:
            BatchError: if the folder holds other files than a batch.
            MissingExtraError: if pyarrow is missing for Parquet.
        """
        stored: TableForm | None = (read_manifest(self.out) or {}).get("format")
        usual: TableForm = "csv" if importlib.util.find_spec("pyarrow") is None else "parquet"
        form = self.table_form or stored or usual
        if form == "parquet":
            require("pyarrow")
        return form

    def check(self) -> None:
        """Check everything that can be checked before the inputs are read.

        Raises:
            ConfigError: on a number below 1, or a folder whose name is not UTF-8.
            MissingExtraError: if Ray, or pyarrow for Parquet, is not installed.
            DataError: if the folder cannot be written.
            BatchError: if the folder holds other files than a batch.
        """
        for name in ("workers", "photos_per_part"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.model.threads is not None and self.model.threads < 1:
            raise ConfigError(f"threads must be at least 1, got {self.model.threads}")
        if self.engine == "ray":
            require("ray")
        check_folder(self.out)
        self.form()  # before the inputs are read, which leave files below the folder out
        if storable(str(self.out)) != str(self.out):  # pyarrow could not read the parts again
            raise ConfigError(
                f"--out {storable(str(self.out))} is not valid UTF-8; choose a different one"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary:
    """Result of a run."""

    out: Path
    rows: int
    photos: int
    parts: int
    rows_before: int
    """Rows answered by earlier runs."""
    errors: dict[str, int]
    """Number of rows with each error, the most frequent first."""
    warnings: tuple[str, ...]
    """The predictor's warnings in this run."""
    seconds: float
    """Time of this run, loading included."""

    @property
    def failed(self) -> int:
        """Number of rows with an error."""
        return sum(self.errors.values())


def run_batch(
    batch_input: BatchInput, settings: BatchSettings, progress: Progress | None = None
) -> BatchSummary:
    """Answer every row once; an earlier run with the same input and settings is resumed.

    Args:
        batch_input: photos, tables and points.
        settings: model, engine and output.
        progress: called after each task.

    Raises:
        DataError: if an input cannot be read, or the folder cannot be written.
        BatchError: if the folder holds other files or another batch, or a process dies.
        CheckpointError: if the model does not exist.
    """
    began = time.monotonic()
    settings.check()
    location = settings.model.locate()
    form = settings.form()
    rows, digest = read_rows(batch_input, settings.out)
    maps = MapFiles(settings.out.absolute(), settings.maps) if settings.maps is not None else None
    in_fractions = batch_input.grid is not None
    plan = plan_rows(rows, settings.photos_per_part, in_fractions=in_fractions, maps=maps)
    with _locked(settings.out):
        write_or_compare(
            settings.out,
            manifest(
                location,
                plan,
                input_sha256=digest,
                photos_per_part=settings.photos_per_part,
                columns=columns_of(rows, maps=maps is not None),
                maps=settings.maps,
                form=form,
            ),
        )
        remove_unfinished(settings.out)
        remove_unfinished(settings.out / MAPS)
        done = existing_parts(settings.out, form, plan)
        before = sum(len(plan.rows_of(part)) for part in done)
        part_of = {
            task: part
            for part in range(plan.parts)
            if part not in done
            for task in plan.tasks_of(part)
        }
        with contextlib.closing(_answers(location, plan, list(part_of), settings)) as stream:
            progress = progress or (lambda *_: None)
            warnings = _write_parts(settings.out, form, rows, plan, part_of, stream, progress)
        errors = count_errors(settings.out, form, plan.parts)
    return BatchSummary(
        out=settings.out,
        rows=len(rows),
        photos=plan.photos,
        parts=plan.parts,
        rows_before=before,
        errors=dict(errors.most_common()),
        warnings=warnings,
        seconds=time.monotonic() - began,
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder against a second batch."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = filelock.FileLock(folder / LOCK).acquire(timeout=0)
    except filelock.Timeout:
        raise BatchError(
            f"another batch is writing to {folder}; wait for it to finish, or choose a different "
            "--out"
        ) from None
    with lock:
        yield


def _answers(
    location: ModelLocation, plan: BatchPlan, tasks: list[int], settings: BatchSettings
) -> Generator[TaskAnswer, None, None]:
    """Answer tasks with the engine of the settings."""
    workers = settings.workers
    if not tasks:
        return
    if settings.engine == "ray":
        yield from answers_of_ray(settings.model, plan.photo_points, tasks, workers)
    elif workers > 1:
        yield from answers_of_processes(location, plan.photo_points, tasks, workers)
    else:
        yield from answers_here(location, plan.photo_points, tasks)


def _write_parts(
    out: Path,
    form: TableForm,
    rows: Rows,
    plan: BatchPlan,
    part_of: dict[int, int],
    answers: Iterable[TaskAnswer],
    progress: Progress,
) -> tuple[str, ...]:
    """Write each part when its last task is answered; returns the warnings.

    Args:
        out: folder of the batch.
        form: format of the parts.
        rows: all rows of the input.
        plan: rows and tasks of each part.
        part_of: part of each task to answer.
        answers: answers to these tasks, in any order.
        progress: called after each task.
    """
    missing = collections.Counter(part_of.values())
    answered: dict[int, TaskAnswer] = {}
    warnings: dict[str, None] = {}
    done, failed = len(rows) - sum(len(plan.rows_of(part)) for part in missing), 0
    progress(done, len(rows), failed)
    for answer in answers:
        part = part_of[answer.task]
        answered[answer.task] = answer
        warnings |= dict.fromkeys(answer.warnings)
        missing[part] -= 1
        if not missing[part]:
            part_answers = [answered.pop(task) for task in plan.tasks_of(part)]
            write_part(out, part, form, plan, rows, part_answers)
        done += len(answer.errors)
        failed += len(answer.errors) - answer.errors.count(None)
        progress(done, len(rows), failed)
    return tuple(warnings)
