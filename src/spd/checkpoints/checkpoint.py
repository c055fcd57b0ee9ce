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

from spd.checkpoints.folder import CONFIG, WEIGHTS, checkpoints_of_run, find_checkpoint
from spd.config import ModelConfig
from spd.errors import CheckpointError, ConfigError
from spd.files import atomic_path, write_bytes, write_text
from spd.models.encoder_vits.checkpoint_names import common_name
from spd.models.spd import SPD

__all__ = [
    "CONFIG",
    "WEIGHTS",
    "checkpoints_of_run",
    "default_device",
    "fill_model",
    "find_checkpoint",
    "load_checkpoint",
    "load_weights",
    "read_config",
    "save_checkpoint",
    "stored_weights",
    "write_model",
]


def save_checkpoint(
    model: SPD,
    folder: Path,
    about: dict[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a model so that `load_checkpoint` gives it back; the directory appears whole.

    Args:
        model: the model.
        folder: the directory to make; must not exist.
        about: anything worth keeping with the weights (step, recipe, metrics); plain JSON.
        dtype: what to store weights as; float16 halves the file, and loading widens it again.

    Raises:
        CheckpointError: if the directory exists.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} exists already; remove it or choose another name")
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        write_model(model, temporary, about, dtype)


def write_model(
    model: SPD,
    folder: Path,
    about: dict[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write the two files into an existing directory; `dtype` may store weights narrower."""
    weights = {name: tensor.to(dtype) for name, tensor in stored_weights(model).items()}
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


def default_device() -> torch.device:
    """CUDA where present, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
