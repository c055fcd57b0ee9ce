"""Finding the folder of a model's weights, without loading torch."""

import os
import warnings
from pathlib import Path
from typing import Any

from spd.checkpoints.checksums import damage
from spd.checkpoints.hub_errors import NO_CONNECTION, OFFLINE, hub_reason
from spd.checkpoints.run_folder import BEST, CHECKPOINTS, RUN, STEP
from spd.errors import CheckpointError, HubConnectionError, shown
from spd.files import read_json

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"  # of published networks (`spd.peers`)

SHIPPED = "shipped"
"""Name of the model that comes with the package."""


def find_checkpoint(source: str | Path | None) -> Path:
    """Folder with the weights of a checkpoint, a file in it, a run, or a hub id.

    For a run, it is the best checkpoint, or the last one if none was evaluated. If that one is
    damaged, a warning names the intact one that is used instead. None and `shipped` are the model
    that comes with the package.

    Raises:
        CheckpointError: if it does not exist, or the run has no intact checkpoint.
    """
    if source is None:
        return shipped_folder()
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise CheckpointError(f"a model must be a path or hub id, got {shown(source)}")
    if str(source) == SHIPPED:
        return shipped_folder()
    path = Path(source)
    if os.path.isfile(path):  # `Path.is_file` raises for a path that is too long
        if path.name != WEIGHTS:
            raise CheckpointError(f"{path} is not a checkpoint; expected a file named {WEIGHTS}")
        return path.parent
    if os.path.isfile(path / WEIGHTS):
        return path
    if os.path.isdir(path / CHECKPOINTS) or os.path.isfile(path / RUN):
        return _best_of_run(path)
    if os.path.exists(path):
        raise CheckpointError(
            f"{path} contains no {WEIGHTS}; expected a checkpoint folder or a run folder"
        )
    if len(path.parts) > 1 and os.path.exists(path.parent):
        raise CheckpointError(
            f"no file or folder {path}: {path.parent} exists but contains no {path.name}"
        )
    return _from_hub(str(source))


def shipped_folder() -> Path:
    """Folder of the model that comes with the package.

    Raises:
        CheckpointError: if the package was installed without it.
    """
    folder = Path(__file__).parents[1] / SHIPPED
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(
            f"{folder} contains no {WEIGHTS}: spd was installed without its model; reinstall spd, "
            "or choose a different model"
        )
    return folder


def checkpoints_of_run(run: Path) -> list[Path]:
    """Checkpoints of a run, in order of their steps; they were complete when they were written."""
    return sorted(path for path in (run / CHECKPOINTS).glob(f"{STEP}*") if path.is_dir())


def _best_of_run(run: Path) -> Path:
    complete = checkpoints_of_run(run)
    if not complete:
        raise CheckpointError(f"run {run} has no checkpoint yet; train it first")
    chosen = _noted_best(run, complete) or complete[-1]
    problem = damage(chosen, (CONFIG, WEIGHTS))
    if problem is None:
        return chosen
    others = [folder for folder in reversed(complete) if folder != chosen]
    intact = next((folder for folder in others if not damage(folder, (CONFIG, WEIGHTS))), None)
    if intact is None:
        raise CheckpointError(
            f"run {run} has no intact checkpoint: in {chosen.name}, {problem}; restore its files "
            "from a copy, or train a new run"
        )
    warnings.warn(
        f"checkpoint {chosen} is damaged ({problem}); using {intact.name} instead", stacklevel=3
    )
    return intact


def _noted_best(run: Path, complete: list[Path]) -> Path | None:
    best = run / BEST
    if best.is_file():
        try:
            noted = read_json(best)
            named = next((one for one in complete if one.name == noted["checkpoint"]), None)
            # Both say again what a checkpoint's name or configuration says: a damaged byte shows.
            whole = noted["checkpoint"] == f"{STEP}{noted['step']:08d}" if "step" in noted else True
            if whole and named is not None and "val_abs_rel" in noted:
                whole = _val_abs_rel(named) in (None, noted["val_abs_rel"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise CheckpointError(f"{best} is damaged; delete it")
        return named
    return None


def _val_abs_rel(folder: Path) -> Any:
    """The error on the validation set that a checkpoint states; None if it is damaged."""
    if damage(folder, (CONFIG,)):
        return None
    return read_json(folder / CONFIG).get("about", {}).get("val_abs_rel")


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=[WEIGHTS, CONFIG, PREPROCESSOR]))
    except HFValidationError:
        raise CheckpointError(f"{name!r} is not a file, a folder or a valid hub id") from None
    except Exception as error:  # the client's errors have no common base
        reason = hub_reason(error)
        kind = HubConnectionError if reason in (OFFLINE, NO_CONNECTION) else CheckpointError
        raise kind(
            f"no local file or folder {name!r}, and it could not be downloaded from the hub: "
            f"{reason}"
        ) from None
