"""File names of a training run's folder, and checks of it without loading torch."""

from pathlib import Path

from spd.errors import TrainingError
from spd.files import is_taken, storable

RUN = "run.json"
DATA = "data.json"
LOG = "log.jsonl"
CHECKPOINTS = "checkpoints"
STATE = "state.pt"
STEP = "step-"
DAMAGED = "damaged-"
"""Prefix that a resumed run adds to the folder name of a damaged checkpoint."""
BEST = "best.json"


def check_free(folder: Path) -> None:
    """Refuse to start a run in a folder that is not empty.

    Raises:
        TrainingError: if it holds a run or other files, or its name is not UTF-8.
    """
    if storable(str(folder)) != str(folder):  # TensorBoard could not write there
        raise TrainingError(f"{storable(str(folder))} is not valid UTF-8; choose a different --out")
    if (folder / RUN).exists():
        raise TrainingError(
            f"{folder} already contains a run; resume it with --resume {folder}, or choose a "
            f"different --out (--set train.start_from={folder} starts from its weights)"
        )
    if is_taken(folder):
        raise TrainingError(f"{folder} exists and is not empty; choose a different --out")


def check_run(folder: Path) -> None:
    """Refuse to resume a run that does not exist.

    Raises:
        TrainingError: if `run.json` is missing.
    """
    if not (folder / RUN).is_file():
        raise TrainingError(f"{folder} contains no run to resume: {folder / RUN} is missing")
