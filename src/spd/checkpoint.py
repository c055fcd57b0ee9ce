"""Checkpoints: `model.safetensors` with `config.json` beside it, in one directory.

Weights load strictly: a missing, unexpected or wrongly shaped tensor is an error, never a silent
partial load. `docs/conventions.md` lists the tensor names that are a contract. The encoder's are
those of one naming, whichever the installed transformers has: its versions differ.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from spd.config import ModelConfig
from spd.errors import CheckpointError, ConfigError
from spd.files import atomic_path, write_bytes, write_text
from spd.models.encoder_vits.checkpoint_names import common_name
from spd.models.spd import SPD

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
BEST = "best.json"
CHECKPOINTS = "checkpoints"
RUN = "run.json"


def save_checkpoint(model: SPD, folder: Path, about: dict[str, Any] | None = None) -> None:
    """Write a model so that `load_checkpoint` gives it back; the directory appears whole.

    Args:
        model: the model.
        folder: the directory to make; must not exist.
        about: anything worth keeping with the weights (step, recipe, metrics); plain JSON.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} exists already; remove it or choose another name")
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        write_model(model, temporary, about)


def write_model(model: SPD, folder: Path, about: dict[str, Any] | None = None) -> None:
    """Write the two files into an existing directory."""
    weights = stored_weights(model)
    # As bytes first: a full disk is then one kind of error, whichever library serialises.
    write_bytes(folder / WEIGHTS, safetensors_bytes(weights, metadata={"format": "pt"}))
    config = {"spd": "v15.2", "model": model.config.to_dict(), "about": about or {}}
    write_text(folder / CONFIG, json.dumps(config, indent=1) + "\n")


def stored_weights(model: SPD) -> dict[str, Tensor]:
    """The model's tensors under the names that checkpoints have."""
    return {common_name(name): tensor.contiguous() for name, tensor in model.state_dict().items()}


def fill_model(model: SPD, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Fill a model from named tensors, strictly.

    Raises:
        CheckpointError: if any tensor is missing, unexpected or of another shape.
    """
    own_names = {common_name(name): name for name in model.state_dict()}
    expected = stored_weights(model)
    given = {common_name(name): tensor for name, tensor in weights.items()}
    _complain(source, "lacks", sorted(expected.keys() - given.keys()))
    _complain(source, "has unknown", sorted(given.keys() - expected.keys()))
    for name, tensor in given.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"{source} is of another architecture: {name} is {list(tensor.shape)}, the "
                f"configuration makes it {list(expected[name].shape)}"
            )
    model.load_state_dict({own_names[name]: tensor for name, tensor in given.items()})


def find_checkpoint(source: str | Path) -> Path:
    """The directory that holds the weights: of a file, a checkpoint, a run, or a hub id.

    A run's best checkpoint is taken, or its last where none was evaluated.

    Raises:
        CheckpointError: if there is none.
    """
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


def checkpoints_of_run(run: Path) -> list[Path]:
    """A run's complete checkpoints, first step first."""
    return sorted(path.parent for path in (run / CHECKPOINTS).glob(f"step-*/{WEIGHTS}"))


def load_checkpoint(folder: Path) -> tuple[SPD, dict[str, Any]]:
    """The model and what was kept about it.

    Raises:
        CheckpointError: if a file is missing, truncated, or does not fit its configuration.
    """
    config, about = read_config(folder)
    model = SPD(config)
    load_weights(model, folder / WEIGHTS)
    return model.eval(), about


def read_config(folder: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """The model's configuration and what was kept about the checkpoint."""
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; the configuration must lie beside {WEIGHTS}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return ModelConfig.from_dict(data["model"]), data.get("about", {})
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path} is not a checkpoint's configuration") from None
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None


def load_weights(model: SPD, path: Path) -> None:
    """Fill a model from a safetensors file, strictly.

    Raises:
        CheckpointError: if the file is missing or truncated, or any tensor is missing,
            unexpected or of another shape.
    """
    try:
        weights = load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read, is it complete? ({error})") from None
    fill_model(model, weights, path)


def _complain(source: str | Path, verb: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise CheckpointError(f"{source} {verb} tensor {names[0]!r}{more}; is it of this model?")


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
        return Path(snapshot_download(name, allow_patterns=[WEIGHTS, CONFIG]))
    except HFValidationError:
        raise CheckpointError(f"no file, folder or hub model {name!r}") from None
    except Exception as error:  # the hub client raises many kinds for "not to be had"
        raise CheckpointError(
            f"no file or folder {name!r}, and no hub model of that name could be fetched "
            f"({type(error).__name__})"
        ) from None


def default_device() -> torch.device:
    """CUDA where present, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
