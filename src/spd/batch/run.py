"""A batch from beginning to end, or from where it was killed to its end."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal

import filelock

from spd.batch.asking import Answer, Computation
from spd.batch.cells import storable
from spd.batch.engines import answers_here, answers_of_processes
from spd.batch.grouping import Plan, plan_rows
from spd.batch.inputs import Asked, Rows, read_rows
from spd.batch.manifest import LOCK, begin_or_go_on, check_own, manifest
from spd.batch.maps import MAPS, MapForm, Maps
from spd.batch.parts import columns_of, count_errors, parts_there, write_part
from spd.batch.ray_engine import answers_of_ray, check_ray
from spd.errors import BatchError, ConfigError
from spd.files import check_folder, remove_unfinished

Engine = Literal["local", "ray"]
Show = Callable[[int, int, int], None]
"""Told how many rows are answered, how many there are, and how many of these have an error."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How a batch is computed, and where it goes."""

    out: Path
    computed: Computation = dataclasses.field(default_factory=Computation)
    engine: Engine = "local"
    workers: int = 1
    photos_per_part: int = 256
    maps: MapForm | None = None
    """Write a map of every photo too."""

    def check(self) -> None:
        """Refuse what shows before anything is read.

        Raises:
            ConfigError: on a number that is none, an engine that is not installed, or a folder
                whose name is not UTF-8.
            DataError: if the folder cannot be written.
            BatchError: if it holds something else than a batch.
        """
        for name in ("workers", "photos_per_part"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.computed.threads is not None and self.computed.threads < 1:
            raise ConfigError(f"threads must be at least 1, got {self.computed.threads}")
        if self.engine == "ray":
            check_ray()
        check_folder(self.out)
        check_own(self.out)  # before inputs are read: what lies below it is none
        if storable(str(self.out)) != str(self.out):  # pyarrow could not read its parts again
            raise ConfigError(f"--out {storable(str(self.out))} is not UTF-8; choose another")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came of a batch."""

    out: Path
    rows: int
    photos: int
    parts: int
    rows_before: int
    """Answered by runs before this one."""
    errors: dict[str, int]
    """How many rows have each error, the most frequent first."""
    notes: tuple[str, ...]
    """What the network warned of in this run."""
    seconds: float
    """Of this run, loading included."""

    @property
    def failed(self) -> int:
        """Rows with an error."""
        return sum(self.errors.values())


def run_batch(asked: Asked, settings: BatchSettings, show: Show | None = None) -> Summary:
    """Answer every row once, going on where an earlier run with the same input stopped.

    Args:
        asked: what is asked.
        settings: how, and where to.
        show: is told of progress.

    Raises:
        DataError: if an input cannot be read, or the folder not written.
        BatchError: if the folder holds something else, or processes die.
        CheckpointError: if there is no such model.
    """
    began = time.monotonic()
    settings.check()
    rows, digest = read_rows(asked, settings.out)
    maps = Maps(settings.out.absolute(), settings.maps) if settings.maps is not None else None
    plan = plan_rows(rows, settings.photos_per_part, in_fractions=asked.grid is not None, maps=maps)
    with _held(settings.out):
        begin_or_go_on(
            settings.out,
            manifest(
                settings.computed,
                input_sha256=digest,
                rows=len(rows),
                photos=plan.photos,
                parts=plan.parts,
                photos_per_part=settings.photos_per_part,
                columns=columns_of(rows, maps=maps is not None),
                maps=settings.maps,
            ),
        )
        remove_unfinished(settings.out)
        remove_unfinished(settings.out / MAPS)
        there = parts_there(settings.out, plan)
        before = sum(len(plan.rows_of(part)) for part in there)
        notes = _answer_rest(rows, plan, set(there), before, settings, show or (lambda *_: None))
        errors = count_errors(settings.out, plan.parts)
    return Summary(
        out=settings.out,
        rows=len(rows),
        photos=plan.photos,
        parts=plan.parts,
        rows_before=before,
        errors=dict(sorted(errors.items(), key=lambda found: -found[1])),
        notes=notes,
        seconds=time.monotonic() - began,
    )


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep a second batch out of the folder while this one writes to it."""
    if folder.exists() and not folder.is_dir():
        raise BatchError(f"{folder} is a file; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BatchError(f"another batch is writing to {folder}; wait, or choose another") from None
    try:
        yield
    finally:
        lock.release()


def _answer_rest(
    rows: Rows, plan: Plan, there: set[int], before: int, settings: BatchSettings, show: Show
) -> tuple[str, ...]:
    """Write the parts that are not there; a part is written when the last of its tasks comes in."""
    parts = [part for part in range(plan.parts) if part not in there]
    missing = {part: len(plan.tasks_of(part)) for part in parts}
    part_of = {task: part for part in parts for task in plan.tasks_of(part)}
    answers: dict[int, Answer] = {}
    notes: dict[str, None] = {}
    done, failed = before, 0
    show(done, len(rows), failed)
    with contextlib.closing(_answers(plan, list(part_of), settings)) as coming:
        for answer in coming:
            part = part_of[answer.task]
            answers[answer.task] = answer
            notes |= dict.fromkeys(answer.notes)
            missing[part] -= 1
            if not missing[part]:
                own = [answers.pop(task) for task in plan.tasks_of(part)]
                write_part(settings.out, part, plan, rows, own)
            done += len(answer.errors)
            failed += len(answer.errors) - answer.errors.count(None)
            show(done, len(rows), failed)
    return tuple(notes)


def _answers(
    plan: Plan, tasks: list[int], settings: BatchSettings
) -> Generator[Answer, None, None]:
    if not tasks:
        return
    computed, workers = settings.computed, settings.workers
    if settings.engine == "ray":
        yield from answers_of_ray(computed, plan.questions, tasks, workers)
    elif workers > 1:
        yield from answers_of_processes(computed, plan.questions, tasks, workers)
    else:
        yield from answers_here(computed, plan.questions, tasks)
