"""Damaged checkpoints of a run: found when it is resumed, and renamed."""

import os
from collections.abc import Sequence
from pathlib import Path

from spd.checkpoints.checkpoint import read_config
from spd.checkpoints.checksums import damage
from spd.checkpoints.folder import WEIGHTS
from spd.checkpoints.run_folder import DAMAGED, STATE, STEP
from spd.checkpoints.tensor_files import read_pickled, read_safetensors
from spd.errors import CheckpointError, DataError, reason_of
from spd.files import remove_folder


def rename_damaged(complete: Sequence[Path]) -> list[str]:
    """Rename damaged checkpoints, unless all are damaged, and return a line of text for each.

    Raises:
        DataError: if one cannot be renamed.
    """
    problems = {folder: problem_of(folder) for folder in complete}
    intact = [folder for folder in complete if problems[folder] is None]
    lines = []
    for folder in complete if intact else ():
        if problems[folder] is None:
            continue
        aside = folder.with_name(f"{DAMAGED}{folder.name}")
        try:
            if aside.exists():
                remove_folder(aside)
            os.replace(folder, aside)
        except OSError as error:
            raise DataError(
                f"cannot rename {folder}, which is damaged: {reason_of(error)}"
            ) from None
        lost = _step(folder) - _step(intact[-1])
        again = f"; {lost} step(s) are computed again" if lost > 0 else ""
        lines.append(
            f"checkpoint {folder.name} is damaged ({problems[folder]}) and was renamed to "
            f"{aside.name}; the last intact one is {intact[-1].name}{again}"
        )
    return lines


def problem_of(folder: Path) -> str | None:
    """The damage of a checkpoint, as part of a sentence; None if it can be resumed from."""
    found = damage(folder)
    if found is not None:
        return found
    try:  # a checkpoint of an earlier version has no checksums
        read_config(folder)
        read_safetensors(folder / WEIGHTS)
        read_pickled(folder / STATE)
    except CheckpointError as error:
        return str(error)
    return None


def _step(folder: Path) -> int:
    number = folder.name.removeprefix(STEP)
    return int(number) if number.isdecimal() else 0
