"""Run a batch, or resume one that was killed."""

import contextlib
import dataclasses
import importlib.util
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Literal

import filelock

from spd.batch.engines import answers_here, answers_of_processes
from spd.batch.grouping import BatchPlan, plan_rows
from spd.batch.inputs import BatchInput, points_sha256, read_rows
from spd.batch.manifest import check_settings, manifest, read_manifest, write_manifest
from spd.batch.maps import MAPS, MapFiles, MapForm
from spd.batch.part_files import TableForm
from spd.batch.parts import columns_of, count_errors
from spd.batch.ray_engine import answers_of_ray
from spd.batch.resume import find_finished, photo_keys
from spd.batch.tasks import TaskAnswer
from spd.batch.writer import PartWriter, Progress
from spd.errors import BatchError, ConfigError, require
from spd.files import LOCK, check_folder, make_folder, remove_unfinished, storable
from spd.predictors.model_options import ModelLocation, ModelOptions

Engine = Literal["local", "ray"]


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
    """Format of the parts; None: that of the batch to resume, or else Parquet if pyarrow is
    installed."""

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
    changed: int
    """Number of photos queried again, because file, focal length or points changed."""
    added: int
    """Number of photos without a result of an earlier run."""
    removed: tuple[str, ...]
    """Photos of earlier runs that are not in the input any more; their rows were removed."""
    errors: dict[str, int]
    """Number of rows with each error, the most frequent first."""
    warnings: tuple[str, ...]
    """Warnings of this run about skipped files and unused columns, and about photos, each with the
    first photo that it concerns and the number of the others."""
    seconds: float
    """Time of this run, loading included."""

    @property
    def failed(self) -> int:
        """Number of rows with an error."""
        return sum(self.errors.values())


def run_batch(
    batch_input: BatchInput, settings: BatchSettings, progress: Progress | None = None
) -> BatchSummary:
    """Answer every row once; an earlier run with the same settings is resumed.

    New and changed photos are queried; the other results are kept.

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
        described = manifest(
            location,
            plan,
            points_sha256=points_sha256(batch_input),
            photos_per_part=settings.photos_per_part,
            columns=columns_of(rows, maps=maps is not None),
            maps=settings.maps,
            form=form,
        )
        check_settings(settings.out, described)
        keys = photo_keys(plan.photo_points)
        finished = find_finished(settings.out, form, plan, keys, digest)
        write_manifest(settings.out, described)
        remove_unfinished(settings.out)
        remove_unfinished(settings.out / MAPS)
        writer = PartWriter(settings.out, form, rows, plan, keys, digest, finished)
        with contextlib.closing(_answers(location, writer.plan, writer.asked, settings)) as stream:
            warnings = writer.write_all(stream, progress or (lambda *_: None))
        errors = count_errors(settings.out, form, plan.parts)
    return BatchSummary(
        out=settings.out,
        rows=len(rows),
        photos=plan.photos,
        parts=plan.parts,
        rows_before=writer.rows_before,
        changed=finished.changed,
        added=finished.added,
        removed=finished.removed,
        errors=dict(errors.most_common()),
        warnings=(*rows.notes, *warnings),
        seconds=time.monotonic() - began,
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder against a second batch."""
    if folder.exists() and not folder.is_dir():
        raise BatchError(f"{folder} is a file; choose a different --out")
    make_folder(folder)
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
        yield from answers_here(location, plan.photo_points, tasks, settings.out)
