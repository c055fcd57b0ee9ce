"""File names of a training run's folder, and checks of it without loading torch."""

from pathlib import Path

from spd.errors import TrainingError
from spd.files import is_taken

RUN = "run.json"
LOG = "log.jsonl"
CHECKPOINTS = "checkpoints"
STATE = "state.pt"
BEST = "best.json"


def check_free(folder: Path) -> None:
    """Refuse to start a run in a folder that is not empty.

    Raises:
        TrainingError: if it holds a run or other files.
    """
    if (folder / RUN).exists():
        raise TrainingError(
            f"{folder} already contains a run; resume it with --resume {folder}, or choose a "
            "different --out"
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
