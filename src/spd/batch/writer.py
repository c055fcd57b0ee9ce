"""Write the parts of a batch from new results and from those of earlier runs."""

import collections
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from spd.batch.grouping import BatchPlan, separate_answered
from spd.batch.inputs import Rows
from spd.batch.part_files import TableForm
from spd.batch.parts import part_bytes
from spd.batch.resume import Finished, part_content, remove_part, stale_parts, write_with_record
from spd.batch.tasks import TaskAnswer
from spd.errors import shortened

Progress = Callable[[int, int, int], None]
"""Called with the numbers of finished rows, of all rows, and of finished rows with an error."""


class PartWriter:
    """Writes each part when its last task is answered.

    Args:
        folder: folder of the batch.
        form: format of the parts.
        rows: all rows of the input.
        plan: rows of each part.
        keys: key of each photo (`photo_keys`).
        input_sha256: digest of the tables.
        finished: results of earlier runs.
    """

    def __init__(
        self,
        folder: Path,
        form: TableForm,
        rows: Rows,
        plan: BatchPlan,
        keys: Sequence[str],
        input_sha256: str,
        finished: Finished,
    ) -> None:
        self._folder, self._form, self._rows = folder, form, rows
        self._keys, self._input_sha256, self._finished = keys, input_sha256, finished
        is_answered = [key in finished.answers for key in keys]
        if plan.photo_points.maps is not None:
            for photo in np.flatnonzero(is_answered).tolist():
                is_answered[photo] = (folder / plan.map_of(photo)).exists()
        answered = np.array(is_answered)
        self.plan = separate_answered(plan, answered)
        """The plan; each task has only photos with results of earlier runs, or none of them."""
        unfinished = [part for part in range(plan.parts) if part not in finished.parts]
        self._tasks = {part: list(self.plan.tasks_of(part)) for part in unfinished}
        first = self.plan.photo_points.tasks[:, 0]
        self._part_of = {
            task: part
            for part, tasks in self._tasks.items()
            for task in tasks
            if not answered[first[task]]
        }

    @property
    def asked(self) -> list[int]:
        """Tasks without results of earlier runs."""
        return list(self._part_of)

    @property
    def rows_before(self) -> int:
        """Number of rows that earlier runs have finished."""
        points = self.plan.photo_points
        ranges = points.tasks[self.asked] if self._part_of else np.zeros((0, 2), dtype=np.int64)
        asked = points.starts[ranges[:, 1]] - points.starts[ranges[:, 0]]
        return len(self._rows) - int(asked.sum())

    def write_all(self, answers: Iterable[TaskAnswer], progress: Progress) -> tuple[str, ...]:
        """Write the unfinished parts from the answers to the tasks in `asked`, in any order.

        Returns:
            The warnings of all answers, each once, with the photos that it concerns.
        """
        missing = collections.Counter(self._part_of.values())
        answered: dict[int, TaskAnswer] = {}
        warnings: dict[str, str] = {}  # with the first photo that each concerns
        concerned: collections.Counter[str] = collections.Counter()
        done, failed = self.rows_before, 0
        progress(done, len(self._rows), failed)
        for part in self._tasks:
            if not missing[part]:
                self._write(part, answered)
        for answer in answers:
            part = self._part_of[answer.task]
            answered[answer.task] = answer
            for text, path in answer.warnings:
                warnings.setdefault(text, path)
                concerned[text] += 1
            missing[part] -= 1
            if not missing[part]:
                self._write(part, answered)
            done += len(answer.errors)
            failed += len(answer.errors) - answer.errors.count(None)
            progress(done, len(self._rows), failed)
        for part in stale_parts(self._folder, self.plan.parts):
            remove_part(self._folder, self._form, part)
        return tuple(_with_photos(text, path, concerned[text]) for text, path in warnings.items())

    def _write(self, part: int, answered: dict[int, TaskAnswer]) -> None:
        content = part_content(self.plan, part, self._keys, self._input_sha256)
        pieces: list[TaskAnswer] = []
        for task in self._tasks[part]:
            if task in answered:
                pieces.append(answered.pop(task))
            else:
                first, end = self.plan.photo_points.tasks[task].tolist()
                pieces += [self._finished.answers[self._keys[photo]] for photo in range(first, end)]
        written = part_bytes(self._folder, part, self._form, self.plan, self._rows, pieces)
        write_with_record(self._folder, self._form, part, self.plan, self._keys, content, written)


def _with_photos(text: str, path: str, number: int) -> str:
    """A warning with the first photo that it concerns and the number of the others."""
    more = f" and {number - 1} more" if number > 1 else ""
    return f"{text} ({shortened(path)}{more})" if more or path not in text else text
