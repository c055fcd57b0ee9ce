"""Checkpoints: a folder with `model.safetensors` and `config.json`.

Weights load strictly: a missing, unexpected or wrongly shaped tensor is an error. The tensor names
in `docs/conventions.md` are a contract; the encoder's do not depend on the installed transformers,
whose versions name tensors differently.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from spd.checkpoints.checksums import refuse_damaged
from spd.checkpoints.folder import CONFIG, WEIGHTS
from spd.checkpoints.tensor_files import check_size, check_tensors, read_safetensors
from spd.config import ModelConfig
from spd.cost import parameters
from spd.errors import CheckpointError, ConfigError, shortened
from spd.files import read_json, write_bytes
from spd.models.encoder_vits.checkpoint_names import common_name
from spd.models.spd import SPD


def write_model(
    model: SPD,
    folder: Path,
    about: dict[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights and configuration into an existing folder.

    `about` are facts to store in `config.json` (step, recipe, metrics), as plain JSON. `dtype` is
    the type to store weights in: float16 halves the file, and loading gives float32 again.
    """
    weights = {name: tensor.to(dtype) for name, tensor in stored_weights(model).items()}
    # Serialised first, so that a full disk is the same error for both files.
    write_bytes(folder / WEIGHTS, safetensors_bytes(weights, metadata={"format": "pt"}))
    config = {"spd": "v15.2", "model": model.config.to_dict(), "about": about or {}}
    text = json.dumps(config, indent=1) + "\n"
    write_bytes(folder / CONFIG, text.encode("utf-8", "backslashreplace"))


def stored_weights(model: SPD) -> dict[str, Tensor]:
    """The model's tensors by their names in checkpoints."""
    return {common_name(name): tensor.contiguous() for name, tensor in model.state_dict().items()}


def fill_model(model: SPD, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Load named tensors into a model, strictly.

    Raises:
        CheckpointError: if a tensor is missing, unexpected or of another shape, or holds something
            other than finite floating-point numbers.
    """
    own_names = {common_name(name): name for name in model.state_dict()}
    expected = stored_weights(model)
    given = {common_name(name): tensor for name, tensor in weights.items()}
    _complain(source, "lacks", sorted(expected.keys() - given.keys()))
    _complain(source, "has unknown", sorted(given.keys() - expected.keys()))
    for name, tensor in given.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"{source} has a different architecture: tensor {name} has shape "
                f"{list(tensor.shape)}, but the configuration asks for "
                f"{list(expected[name].shape)}"
            )
    check_tensors(source, given)
    model.load_state_dict({own_names[name]: tensor for name, tensor in given.items()})


def load_checkpoint(folder: Path) -> tuple[SPD, dict[str, Any]]:
    """Load a model, in float32 and evaluation mode, and the facts stored with it.

    Raises:
        CheckpointError: if a file is missing, truncated, differs from its checksum, or does not fit
            its configuration.
    """
    refuse_damaged(folder, (CONFIG, WEIGHTS))
    config, about = read_config(folder)
    check_size(folder / WEIGHTS, _parameters(config))
    model = SPD(config)
    load_weights(model, folder / WEIGHTS)
    return model.eval(), about


def read_config(folder: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """Read a checkpoint's model configuration and the facts stored with it."""
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; it must be in the same folder as {WEIGHTS}")
    try:
        data = read_json(path)
        config, about = ModelConfig.from_dict(data["model"]), data.get("about", {})
        if not isinstance(about, dict):
            raise TypeError
        return config, about
    except (OSError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path} is not a valid checkpoint configuration") from None
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except ValueError:  # ConfigError is one too
        raise CheckpointError(f"{path} is not a valid checkpoint configuration") from None


def load_weights(model: SPD, path: Path) -> None:
    """Load a safetensors file into a model, strictly.

    Raises:
        CheckpointError: if the file is missing or truncated, or a tensor is missing, unexpected or
            of another shape.
    """
    fill_model(model, read_safetensors(path), path)


def _parameters(config: ModelConfig) -> int:
    """Number of parameters without the local path, counted without building the model."""
    parts = (
        parameters.encoder(config.encoder),
        parameters.neck(config),
        parameters.global_path(config),
    )
    return sum(part.sums[0] for part in parts)


def _complain(source: str | Path, verb: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise CheckpointError(
            f"{source} {verb} tensor {shortened(repr(names[0]))}{more}; does the file belong to "
            "this model?"
        )


def default_device() -> torch.device:
    """CUDA if present, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
