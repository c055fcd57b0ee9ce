"""File names of a training run's folder, and checks of it without loading torch."""

from pathlib import Path

from spd.errors import TrainingError
from spd.files import UNFINISHED

RUN = "run.json"
LOG = "log.jsonl"
CHECKPOINTS = "checkpoints"
STATE = "state.pt"
BEST = "best.json"
LOCK = "lock"


def check_free(folder: Path) -> None:
    """Refuse to start a run in a folder that is not empty.

    Raises:
        TrainingError: if it holds a run or other files.
    """
    if (folder / RUN).exists():
        raise TrainingError(
            f"{folder} already holds a run; continue it with --resume {folder}, or choose another "
            "--out"
        )
    if folder.exists() and (not folder.is_dir() or any(map(_is_foreign, folder.iterdir()))):
        raise TrainingError(f"{folder} exists and is not empty; choose another --out")


def check_run(folder: Path) -> None:
    """Refuse to resume a run that does not exist.

    Raises:
        TrainingError: if `run.json` is missing.
    """
    path = folder / RUN
    if not path.is_file():
        raise TrainingError(f"{folder} holds no run to resume: {path} is missing")


def _is_foreign(path: Path) -> bool:
    """Whether this is a file that no killed start of a run leaves behind."""
    return path.name != LOCK and not path.name.startswith(UNFINISHED)
