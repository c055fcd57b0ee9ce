"""Loads the encoder from another model's checkpoint, strictly: no tensor is ignored silently."""

import dataclasses
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings

from spd.config import PATCH
from spd.errors import CheckpointError
from spd.models.encoder_vits.checkpoint_names import EncoderStart, common_name, take_apart
from spd.models.encoder_vits.vit_s import Encoder

POSITIONS = "embeddings.position_embeddings"
_MOST_PATCHES = 300


def fill_encoder(encoder: Encoder, tensors: Mapping[str, Tensor], source: str) -> EncoderStart:
    """Replace all weights of an encoder by those of a DINOv2, under any of its known names.

    Args:
        encoder: the encoder; unchanged on any error.
        tensors: all tensors of the checkpoint, under its own names.
        source: name of the checkpoint in messages.

    Raises:
        CheckpointError: if a tensor is missing, unknown, of another shape or not finite.
    """
    given, start = take_apart(tensors, source)
    own_names = {common_name(name): name for name in encoder.backbone.state_dict()}
    expected = {common_name(name): w for name, w in encoder.backbone.state_dict().items()}
    _complain(source, "lacks", expected.keys() - given.keys())
    _complain(source, "has unknown", given.keys() - expected.keys())
    table = given[POSITIONS]
    ours = encoder.backbone.config.image_size // PATCH
    given[POSITIONS] = resize_positions(encoder, table, ours, source)
    for name in sorted(expected):
        _check(source, name, given[name], expected[name])
    encoder.backbone.load_state_dict({own_names[name]: w for name, w in given.items()})
    resized = None if _side(table) == ours else (_side(table), ours)
    return dataclasses.replace(start, position_resized=resized)


def resize_positions(encoder: Encoder, table: Tensor, side: int, source: str) -> Tensor:
    """Resize position embeddings `[1, 1 + n n, C]` to `[1, 1 + side side, C]`, class position kept.

    The resize is that of transformers in a forward pass with an image of `side` patches: bicubic,
    by size, `align_corners=False`, no antialiasing, in float32.

    Raises:
        CheckpointError: if the table is not that of a square grid, or is too large.
    """
    if table.ndim != 3 or len(table) != 1 or not _side(table) ** 2 + 1 == table.shape[1] > 1:
        raise CheckpointError(
            f"{source} has position embeddings {list(table.shape)}; expected [1, 1 + n x n, C]"
        )
    if _side(table) > _MOST_PATCHES:
        raise CheckpointError(
            f"{source} has a position table of {_side(table)} patches a side; expected at most "
            f"{_MOST_PATCHES}"
        )
    if _side(table) == side or table.shape[2] != encoder.backbone.config.hidden_size:
        return table  # the caller refuses other widths
    with torch.device("meta"):  # only its method is needed; draws no random numbers
        embeddings = Dinov2Embeddings(encoder.backbone.config)
    embeddings.position_embeddings = nn.Parameter(table.float(), requires_grad=False)
    tokens = table.new_zeros(1, 1 + side * side, table.shape[2])
    return embeddings.interpolate_pos_encoding(tokens, side * PATCH, side * PATCH)


def _side(table: Tensor) -> int:
    """Patches along a side of the square grid of position embeddings."""
    return math.isqrt(max(table.shape[1] - 1, 0))


def _check(source: str, name: str, given: Tensor, expected: Tensor) -> None:
    if given.shape != expected.shape:
        raise CheckpointError(
            f"{source} does not match the configured encoder: {name} has shape "
            f"{list(given.shape)}, but the configuration needs {list(expected.shape)}"
        )
    if not given.is_floating_point():
        raise CheckpointError(f"{source} has {name} in {given.dtype}; expected floating point")
    if not given.isfinite().all():
        raise CheckpointError(f"{source} has non-finite values in {name}; is the file damaged?")


def _complain(source: str, verb: str, names: set[str]) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise CheckpointError(
            f"{source} {verb} tensor {min(names)!r}{more}; is its number of layers correct?"
        )
