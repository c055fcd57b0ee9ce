"""Initial weights of the encoder: DINOv2, Depth Anything V2 or an SPD, in any published format.

This module finds and reads files; `spd.models.encoder_vits.weights` loads tensors strictly.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spd.checkpoints.checkpoint import read_config
from spd.checkpoints.checksums import refuse_damaged
from spd.checkpoints.folder import CONFIG, WEIGHTS, find_checkpoint
from spd.checkpoints.tensor_files import read_pickled, read_safetensors
from spd.errors import CheckpointError, shortened
from spd.files import read_json
from spd.models.encoder_vits.checkpoint_names import EncoderStart, has_registers
from spd.models.encoder_vits.vit_s import Encoder, backbone_config
from spd.models.encoder_vits.weights import fill_encoder
from spd.terminal import quiet_loggers

PICKLED = "pytorch_model.bin"  # transformers' older file
SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
WRAPPERS = ("model", "state_dict", "teacher")
_MOST_WRAPPERS = 10  # a pickled dictionary can contain itself
# Settings that change the encoder's function but no tensor's shape.
SHAPELESS = ("num_attention_heads", "hidden_act", "layer_norm_eps")


def load_encoder(encoder: Encoder, source: str | Path) -> EncoderStart:
    """Replace an encoder's weights by published ones, or by another SPD's.

    Args:
        encoder: the encoder to fill; unchanged after an error.
        source: a hub id or a directory in transformers' format (DINOv2, or Depth Anything V2 for
            its backbone), a `.pth`, `.pt` or `.safetensors` file with the original or
            transformers' tensor names, or a checkpoint or run of SPD.

    Raises:
        CheckpointError: if the source cannot be found or read, has another architecture or size,
            or a tensor is missing or unknown.
    """
    weights, config = _find(source)
    refuse_damaged(weights.parent, (CONFIG, weights.name))
    if config is not None:
        _check_config(encoder, config)
    tensors, beside = _unwrap(_read(weights), weights)
    start = fill_encoder(encoder, tensors, str(source))
    return dataclasses.replace(start, left_out=start.left_out + beside)


def _find(source: str | Path) -> tuple[Path, Path | None]:
    """Weights file of a source, and its `config.json` where the format has one."""
    path = Path(source)
    if os.path.isfile(path):
        beside = path.parent / CONFIG
        described = path.name in (WEIGHTS, PICKLED) and beside.is_file()
        return path, beside if described else None
    if path.suffix in SUFFIXES and not os.path.exists(path):
        raise CheckpointError(f"cannot initialise the encoder: file {path} does not exist")
    if os.path.isfile(path / PICKLED) and not os.path.isfile(path / WEIGHTS):
        return path / PICKLED, path / CONFIG
    try:
        with quiet_loggers("huggingface_hub", "httpx"):  # the error below reports it
            folder = find_checkpoint(source)
    except CheckpointError as error:
        raise type(error)(
            f"{error} (train.encoder_weights sets the encoder's initial weights; null initialises "
            "it randomly)"
        ) from None
    return folder / WEIGHTS, folder / CONFIG


def _check_config(encoder: Encoder, path: Path) -> None:
    """Refuse another architecture by its configuration, before its tensors are loaded."""
    given, expected = _dinov2_config(path), encoder.backbone.config
    for field in SHAPELESS:
        if field in given and given[field] != getattr(expected, field):
            raise CheckpointError(
                f"{path.parent} does not match the configured encoder: it has {field} "
                f"{shortened(str(given[field]))}, but the configuration asks for "
                f"{getattr(expected, field)}"
            )


def _dinov2_config(path: Path) -> dict[str, Any]:
    """Configuration of the DINOv2 in a checkpoint, with transformers' defaults."""
    try:
        config = read_json(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing; it must be in the same folder as the weights"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error})") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} is not a valid model configuration; expected a JSON object")
    if "spd" in config:
        return backbone_config(read_config(path.parent)[0].encoder).to_dict()
    kind = config.get("model_type")
    if kind == "depth_anything":
        config = config.get("backbone_config")
        config = config if isinstance(config, dict) else {}
        kind = config.get("model_type")
    if kind == "dinov2_with_registers":
        raise has_registers(str(path.parent))
    if kind != "dinov2":
        raise CheckpointError(
            f"{path.parent} has model type {shortened(str(kind))}; expected dinov2, depth_anything "
            "with a dinov2 backbone, or an SPD model"
        )
    from transformers.models.dinov2.configuration_dinov2 import Dinov2Config

    return Dinov2Config().to_dict() | config


def _read(path: Path) -> object:
    if path.suffix not in SUFFIXES:
        raise CheckpointError(
            f"{path} is not a checkpoint; supported file extensions are {', '.join(SUFFIXES)}"
        )
    return read_safetensors(path) if path.suffix == ".safetensors" else read_pickled(path)


def _unwrap(
    content: object, path: Path
) -> tuple[dict[str, Tensor], tuple[tuple[str, int, str], ...]]:
    """Tensors inside the dictionaries that training code saves, and the other entries there."""
    beside: list[tuple[str, int, str]] = []
    for _ in range(_MOST_WRAPPERS):
        if not isinstance(content, dict):
            break
        inside = [name for name in WRAPPERS if isinstance(content.get(name), dict)]
        if len(inside) > 1:
            raise CheckpointError(
                f"{path} contains several models: {', '.join(inside)}; save only one of them"
            )
        if not inside:
            break
        others = sorted(str(name) for name in content if name != inside[0])
        beside += [(name, 1, f"not part of {inside[0]}") for name in others]
        content = content[inside[0]]
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} contains no named tensors; expected a state_dict")
    for name, value in content.items():
        plain = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
        if not isinstance(name, str) or not plain:
            raise CheckpointError(
                f"{path} contains {shortened(repr(name))} ({type(value).__name__}), which is not a "
                "named tensor; expected a state_dict"
            )
    return content, tuple(beside)
