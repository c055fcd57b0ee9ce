"""Converts the published names of DINOv2's tensors to one set of names.

The common names are those of transformers' model in memory. Its files, the original code and models
built on either have other names; `docs/encoder_weights.md` lists them side by side.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from torch import Tensor

from spd.errors import CheckpointError

HEAD = "a head"
OTHER_DECODER = "a different decoder"
QKV = ".attention.qkv."  # query, key and value stacked in this order, along the rows
REGISTERS = "embeddings.register_tokens"


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """One way to store a DINOv2 in a checkpoint."""

    form: str
    """Name of the published model."""
    prefix: str
    """Prefix of the encoder's tensor names."""
    beside: Mapping[str, str]
    """First parts of all other tensor names, with the reason why they are left out."""


LAYOUTS = (
    Layout("DINOv2", "", {}),
    Layout("DINOv2", "dinov2.", {"classifier": HEAD}),
    Layout("DINOv2", "backbone.", {"dino_head": HEAD, "ibot_head": HEAD}),
    Layout("Depth Anything", "backbone.", {"neck": OTHER_DECODER, "head": HEAD}),
    Layout("Depth Anything", "pretrained.", {"depth_head": OTHER_DECODER}),
    Layout(
        "SPD",
        "encoder.backbone.",
        dict.fromkeys(("neck", "global_path", "local_path"), OTHER_DECODER),
    ),
)
CLASS_TOKEN = re.compile(r"(.*?)(?:embeddings\.)?cls_token")
# The original code may group its blocks: blocks.CHUNK.BLOCK, where BLOCK counts all blocks.
RULES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^blocks\.(?:\d+\.)?(\d+)\.", r"encoder.layer.\1."),
        (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
        (r"^pos_embed$", "embeddings.position_embeddings"),
        (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
        (r"^norm\.", "layernorm."),
        (r"\.attn\.qkv\.", ".attention.qkv."),
        (r"\.attn\.proj\.", ".attention.o_proj."),
        (r"\.ls([12])\.gamma$", r".layer_scale\1.lambda1"),
        (r"\.attention\.attention\.query\.", ".attention.q_proj."),
        (r"\.attention\.attention\.key\.", ".attention.k_proj."),
        (r"\.attention\.attention\.value\.", ".attention.v_proj."),
        (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    )
]


@dataclasses.dataclass(frozen=True, slots=True)
class EncoderStart:
    """The origin of an encoder's weights; `str` gives one line for a log."""

    source: str
    """The file, folder or hub id."""
    form: str
    """Name of the published model, and whose tensor names it uses."""
    taken: int
    """Number of tensors of the source that the encoder took."""
    left_out: tuple[tuple[str, int, str], ...]
    """All other tensors: (first part of the names, number of tensors, reason)."""
    position_resized: tuple[int, int] | None = None
    """Patches along a side of the position embeddings, in the source and here; None if equal."""

    def __str__(self) -> str:
        parts = [f"encoder initialised from {self.source} ({self.form}): {self.taken} tensors used"]
        parts += [
            f"{count} tensor(s) of {name} left out ({why})" for name, count, why in self.left_out
        ]
        if self.position_resized is not None:
            given, ours = self.position_resized
            parts.append(f"position embeddings resized from {given}x{given} to {ours}x{ours}")
        return ", ".join(parts)


def common_name(name: str) -> str:
    """The common name of a DINOv2 tensor; an unknown name stays unchanged."""
    for pattern, replacement in RULES:
        name = pattern.sub(replacement, name)
    return name


def take_apart(
    tensors: Mapping[str, Tensor], source: str
) -> tuple[dict[str, Tensor], EncoderStart]:
    """Find the DINOv2 in a checkpoint, and a reason to leave out every other tensor.

    Args:
        tensors: all tensors of the checkpoint, under its own names.
        source: name of the checkpoint in messages.

    Returns:
        The encoder's tensors under their common names, query, key and value separate, and where
        they come from.

    Raises:
        CheckpointError: if it contains no encoder, several encoders, an encoder with registers, or
            an unknown tensor.
    """
    while tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    layout = _layout(tensors, source)
    own = {
        name.removeprefix(layout.prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(layout.prefix)
    }
    beside = Counter(_first(name) for name in tensors if not name.startswith(layout.prefix))
    renamed = [pair for name, tensor in own.items() for pair in _renamed(name, tensor)]
    encoder = dict(renamed)
    if REGISTERS in encoder:
        raise has_registers(source)
    if len(encoder) < len(renamed):
        raise CheckpointError(f"{source} contains a tensor under two names; is it a single model?")
    naming = "original" if "pos_embed" in own else "transformers'"
    left_out = tuple((name, beside[name], layout.beside[name]) for name in sorted(beside))
    return encoder, EncoderStart(source, f"{layout.form}, {naming} names", len(own), left_out)


def _renamed(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    name = common_name(name)
    if QKV not in name or tensor.ndim == 0:
        yield name, tensor
        return
    for letter, part in zip("qkv", tensor.tensor_split(3), strict=True):
        yield name.replace(QKV, f".attention.{letter}_proj."), part


def has_registers(source: str) -> CheckpointError:
    """The error for a DINOv2 with registers, whose tensor names are nearly the same."""
    return CheckpointError(
        f"{source} is a DINOv2 with registers, which is not supported; use one without registers"
    )


def _layout(names: Mapping[str, Tensor], source: str) -> Layout:
    prefixes = {match[1] for name in names if (match := CLASS_TOKEN.fullmatch(name))}
    if not prefixes:
        raise CheckpointError(f"{source} contains no DINOv2 encoder: no tensor is named cls_token")
    if len(prefixes) > 1:
        listed = ", ".join(f"{prefix}cls_token" for prefix in sorted(prefixes))
        raise CheckpointError(
            f"{source} contains {len(prefixes)} encoders ({listed}); keep only one"
        )
    prefix = prefixes.pop()
    layouts = [layout for layout in LAYOUTS if layout.prefix == prefix]
    if not layouts:
        known = ", ".join(sorted({layout.prefix for layout in LAYOUTS if layout.prefix}))
        raise CheckpointError(
            f"{source} has its encoder under prefix {prefix!r}; expected none or one of {known}"
        )
    beside = sorted(name for name in names if not name.startswith(prefix))
    for layout in layouts:
        if {_first(name) for name in beside} <= layout.beside.keys():
            return layout
    expected = {name for layout in layouts for name in layout.beside}
    unknown = [name for name in beside if _first(name) not in expected] or beside
    raise CheckpointError(
        f"{source} has an unknown tensor {unknown[0]!r} in addition to its encoder"
    )


def _first(name: str) -> str:
    return name.partition(".")[0]
