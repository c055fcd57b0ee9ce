"""Where the weights are: of a file, a checkpoint, a run, or a model on the hub.

Separate from `spd.checkpoints.checkpoint`, so that a command refuses a mistyped name before torch
is loaded.
"""

import json
from pathlib import Path

from spd.checkpoints.run_folder import BEST, CHECKPOINTS, RUN
from spd.errors import CheckpointError

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"  # of models that others published (`spd.peers`)


SHIPPED = "shipped"
"""What the model that comes with the package is called wherever a model is named."""


def find_checkpoint(source: str | Path | None) -> Path:
    """The directory that holds the weights: of a file, a checkpoint, a run, or a hub id.

    A run's best checkpoint is taken, or its last where none was evaluated. None and `shipped` are
    the model that comes with the package.

    Raises:
        CheckpointError: if there is none.
    """
    if source is None or str(source) == SHIPPED:
        return shipped_folder()
    path = Path(source)
    if path.is_file():
        if path.name != WEIGHTS:
            raise CheckpointError(f"{path} is not a checkpoint; expected a file named {WEIGHTS}")
        return path.parent
    if (path / WEIGHTS).is_file():
        return path
    if (path / CHECKPOINTS).is_dir() or (path / RUN).is_file():
        return _of_run(path)
    if path.exists():
        raise CheckpointError(f"{path} holds no {WEIGHTS}; expected a checkpoint or a run")
    if len(path.parts) > 1 and path.parent.exists():
        raise CheckpointError(f"no file or folder {path}; {path.parent} is there, {path.name} not")
    return _from_hub(str(source))


def shipped_folder() -> Path:
    """Where the model that comes with the package is, with its card.

    Raises:
        CheckpointError: if the package was installed without it.
    """
    folder = Path(__file__).parents[1] / SHIPPED
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(
            f"{folder} holds no {WEIGHTS}: this installation came without its model; install "
            "again, or name a model of yours"
        )
    return folder


def checkpoints_of_run(run: Path) -> list[Path]:
    """A run's complete checkpoints, first step first."""
    return sorted(path.parent for path in (run / CHECKPOINTS).glob(f"step-*/{WEIGHTS}"))


def _of_run(run: Path) -> Path:
    complete = checkpoints_of_run(run)
    if not complete:
        raise CheckpointError(f"{run} is a run without a checkpoint; train it first")
    best = run / BEST
    if best.is_file():
        try:
            name = json.loads(best.read_text(encoding="utf-8"))["checkpoint"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            raise CheckpointError(f"{best} is damaged; delete it") from None
        chosen = run / CHECKPOINTS / name
        if (chosen / WEIGHTS).is_file():
            return chosen
    return complete[-1]


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=[WEIGHTS, CONFIG, PREPROCESSOR]))
    except HFValidationError:
        raise CheckpointError(f"no file, folder or hub model {name!r}") from None
    except Exception as error:  # the hub client raises many kinds for "not to be had"
        raise CheckpointError(
            f"no file or folder {name!r}, and no hub model of that name could be fetched: "
            f"{_why_not(error)}"
        ) from None


def _why_not(error: Exception) -> str:
    """What the hub client's error means, in words; it may stand behind another one."""
    from huggingface_hub import errors

    kinds = (error, error.__cause__)

    def is_a(*wanted: type[BaseException]) -> bool:
        return any(isinstance(kind, wanted) for kind in kinds)

    if is_a(errors.GatedRepoError):
        return "the hub gives it only to those who accepted its terms and are logged in"
    if is_a(errors.RepositoryNotFoundError):
        return "the hub has no such model, or it is private"
    if is_a(errors.OfflineModeIsEnabled):
        return "the hub may not be asked (offline mode), and no complete copy is on this machine"
    if is_a(errors.HfHubHTTPError):
        return "the hub answered with an error, and no complete copy is on this machine"
    if is_a(errors.LocalEntryNotFoundError, ConnectionError, TimeoutError):
        return "the network failed, and no complete copy is on this machine"
    return type(error).__name__
