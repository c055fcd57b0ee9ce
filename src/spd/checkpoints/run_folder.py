"""The folder of a training run: what its files are called, and what it must or must not hold.

Separate from `spd.training.runs`, so that a command refuses a wrong folder before torch is loaded.
"""

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
    """Refuse to start a run in a folder that holds anything.

    Raises:
        TrainingError: naming what to do instead.
    """
    if (folder / RUN).exists():
        raise TrainingError(
            f"{folder} already holds a run; go on with --resume {folder}, or choose another --out"
        )
    if folder.exists() and (not folder.is_dir() or any(map(_is_foreign, folder.iterdir()))):
        raise TrainingError(f"{folder} exists and is not empty; choose another --out")


def check_run(folder: Path) -> None:
    """Refuse to go on with a run that is not there.

    Raises:
        TrainingError: naming the file that is missing.
    """
    path = folder / RUN
    if not path.is_file():
        raise TrainingError(f"{folder} holds no run to go on with: {path} is missing")


def _is_foreign(path: Path) -> bool:
    """Whether this is anything but what a run leaves that was killed before it was one."""
    return path.name != LOCK and not path.name.startswith(UNFINISHED)
