"""The data that a run has used: recorded when it starts, compared when it is resumed.

`RUN/data.json` stores a `DataRecord` of the training data and one of the validation data. A resumed
run equals an uninterrupted one only if every frame that it has used is still the same.
"""

import json
from pathlib import Path
from typing import Any

from spd.checkpoints.run_folder import DATA
from spd.data.record import DataChange, DataRecord, compare_data, record_data
from spd.data.sources import Samples
from spd.data.view_order import ViewOrder, groups_of
from spd.errors import TrainingError
from spd.files import LISTED_BYTES, read_json, write_text
from spd.terminal import progress_bar
from spd.training.parallel import is_main_process
from spd.training.runs import Run, digest_of

Records = tuple[DataRecord, DataRecord | None]
"""Records of the training data and of the validation data, if there are any."""


def record_run_data(run: Run, samples: Samples, validation: Samples | None) -> None:
    """Record the data of a run at its start; the main process writes the record.

    Every process reads the data, because the others would time out if they waited for one reader.

    Raises:
        DataError: if a frame cannot be read, or the record cannot be written.
    """
    write_records(run.folder, _records(samples, validation, None))


def check_run_data(run: Run, step: int, samples: Samples, validation: Samples | None) -> str | None:
    """Refuse to resume after `step` steps with other data than the run has seen.

    Paths do not matter, so data may have moved. Frames that changed before the run first used them
    are accepted, for example a damaged frame that was repaired. The record is then updated.

    Returns:
        A note on what was accepted or could not be compared; None without any.

    Raises:
        TrainingError: if frames that determine the run are missing, new, changed or reordered, or
            if the record is damaged.
        DataError: if a frame cannot be read, or the record cannot be written.
    """
    before = read_records(run.folder)
    now = _records(samples, validation, before)
    note = None
    if before is None:
        if step:
            note = (
                f"{run.folder} has no record of its data, because an earlier version of spd "
                "started it; earlier changes of the data are not detected"
            )
    elif step:
        note = _compare(run, step, samples, before, now)
    if before != now:
        write_records(run.folder, now)
    return note


def _compare(run: Run, step: int, samples: Samples, before: Records, now: Records) -> str | None:
    change = compare_data(before[0], now[0])
    used = seen_frames(run, step, samples) if change.changed else frozenset[int]()
    if change and (not change.is_of_contents or used.intersection(change.changed)):
        raise _refusal(run, "training data", change)
    other = _validation_change(before[1], now[1])
    if other and (not other.is_of_contents or step >= run.recipe.train.evaluate_every):
        raise _refusal(run, "validation data", other)
    found = {"training": change, "validation": other}
    said = [f"{kind} frames: {one}" for kind, one in found.items() if one]
    if not said:
        return None
    return (
        f"{'; '.join(said)}. The run has not used them yet, and continues with them as they are now"
    )


def _validation_change(before: DataRecord | None, now: DataRecord | None) -> DataChange:
    empty = DataRecord((), (), (), ())
    return compare_data(before or empty, now or empty)


def _refusal(run: Run, what: str, change: DataChange) -> TrainingError:
    return TrainingError(
        f"{run.folder} cannot be resumed: its {what} differ from those that it has used: {change}. "
        "Restore them (data that moved are passed with --data and --val), or start a new run from "
        f"its weights: spd train --set train.start_from={run.folder} --data ... --out NEW"
    )


def seen_frames(run: Run, step: int, samples: Samples) -> frozenset[int]:
    """Numbers of the training frames that a run has used in its first `step` steps."""
    config = run.recipe.train
    order = ViewOrder(
        groups_of(samples, run.recipe.model.camera, config), config.batch_size, config.seed
    )
    views = config.batch_size if run.overfit else step * config.batch_size
    seen: set[int] = set()
    for number in range(views):
        seen.add(order[number][0])
        if len(seen) == len(samples):
            break
    return frozenset(seen)


def write_records(folder: Path, records: Records) -> None:
    """Write `data.json`, in the main process only."""
    if not is_main_process():
        return
    train, validation = records
    about: dict[str, Any] = {
        "train": train.to_dict(),
        "validation": None if validation is None else validation.to_dict(),
    }
    text = json.dumps({"sha256": digest_of(about)} | about, separators=(",", ":"))
    write_text(folder / DATA, text + "\n")


def read_records(folder: Path) -> Records | None:
    """Read `data.json`; None if a run of an earlier version has none.

    Raises:
        TrainingError: if it is damaged.
    """
    path = folder / DATA
    if not path.is_file():
        return None
    try:
        about = read_json(path, LISTED_BYTES)
        if about["sha256"] != digest_of(about):
            raise ValueError
        held_out = about["validation"]
        return DataRecord.from_dict(about["train"]), (
            None if held_out is None else DataRecord.from_dict(held_out)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise TrainingError(
            f"{path} is damaged; restore it from a copy, or delete it to resume without comparing "
            "the data with those of the start"
        ) from None


def _records(samples: Samples, validation: Samples | None, known: Records | None) -> Records:
    """Records of the present data, with a progress bar while files are read."""
    shown = None if is_main_process() else False
    with progress_bar("reading the data", shown=shown) as show:
        train = record_data(samples, None if known is None else known[0], show)
        if validation is None:
            return train, None
        return train, record_data(validation, None if known is None else known[1], show)
