"""A DINOv2 of transformers' own, written in every form that the encoder may start from."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
)

from helpers.checkpoints import save_checkpoint
from spd.config import EncoderConfig, ModelConfig
from spd.models.spd import SPD

SMALL = EncoderConfig(hidden_size=22, layers=5, heads=2, taps=(0, 1, 3, 4), position_size_px=42)
# In the original code: from the names that transformers writes to disk.
OUTSIDE_BLOCKS = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.mask_token": "mask_token",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}
IN_BLOCKS = {
    "norm1": "norm1",
    "attention.output.dense": "attn.proj",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
QKV = ("query", "key", "value")
DECODERS = "a different decoder"

# Where it was written, what it is called, tensors taken and left out.
Written = tuple[Path, str, int, tuple[tuple[str, int, str], ...]]
FORMS: dict[str, Callable[[Dinov2Model, Path], Written]] = {}


def sizes(config: EncoderConfig = SMALL, **changes) -> dict:
    """Arguments for a DINOv2 of transformers of an encoder's sizes."""
    own = {
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "image_size": config.position_size_px,
        "patch_size": 14,
    }
    return own | changes


def noisy(model):
    """No tensor is left as it starts, all zeros or ones, so that none is mistaken for another."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model.eval()


def dinov2(config: EncoderConfig = SMALL, **changes) -> Dinov2Model:
    return noisy(Dinov2Model(Dinov2Config(**sizes(config, **changes))))


def on_disk(model, folder: Path) -> dict[str, Tensor]:
    """A model's tensors under the names that transformers writes."""
    model.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def original(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original code's names, from those of transformers' files."""
    tensors = {theirs: published[ours] for ours, theirs in OUTSIDE_BLOCKS.items()}
    for block in range(1 + max(int(n.split(".")[2]) for n in published if ".layer." in n)):
        ours, theirs = f"encoder.layer.{block}.", f"blocks.{block}."
        for end in ("weight", "bias"):
            for mine, other in IN_BLOCKS.items():
                tensors[f"{theirs}{other}.{end}"] = published[f"{ours}{mine}.{end}"]
            qkv = [published[f"{ours}attention.attention.{x}.{end}"] for x in QKV]
            tensors[f"{theirs}attn.qkv.{end}"] = torch.cat(qkv)
        for number in "12":
            scale = published[f"{ours}layer_scale{number}.lambda1"]
            tensors[f"{theirs}ls{number}.gamma"] = scale
    assert sum(t.numel() for t in tensors.values()) == sum(t.numel() for t in published.values())
    return tensors


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def depth_anything(theirs: Dinov2Model) -> DepthAnythingForDepthEstimation:
    """A Depth Anything with this DINOv2 inside; 58 tensors of neck and 6 of head."""
    backbone = Dinov2Config(
        **sizes(image_size=theirs.config.image_size),
        out_indices=[1, 2, 4, 5],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=22,
        neck_hidden_sizes=[4, 5, 6, 7],
        fusion_hidden_size=8,
        head_hidden_size=3,
    )
    model = noisy(DepthAnythingForDepthEstimation(config))
    model.backbone.load_state_dict(theirs.state_dict())
    return model


def spd_with(theirs: Dinov2Model, **encoder) -> SPD:
    """An SPD with this DINOv2 inside."""
    model = SPD(ModelConfig(encoder=SMALL.model_copy(update=encoder), dim=12))
    model.encoder.backbone.load_state_dict(theirs.state_dict())
    return model


def form(write: Callable[[Dinov2Model, Path], Written]):
    FORMS[write.__name__] = write
    return write


@form
def transformers_dinov2(theirs, folder):
    theirs.save_pretrained(folder / "dinov2")
    return folder / "dinov2", "DINOv2, transformers' names", 97, ()  # 5 + 5 * 18 + 2


@form
def transformers_dinov2_as_pickle(theirs, folder):
    tensors = on_disk(theirs, folder)
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder, "DINOv2, transformers' names", 97, ()


@form
def transformers_file_alone(theirs, folder):
    on_disk(theirs, folder)
    (folder / "model.safetensors").rename(folder / "dinov2.safetensors")
    return folder / "dinov2.safetensors", "DINOv2, transformers' names", 97, ()


@form
def transformers_file_beside_its_config(theirs, folder):
    on_disk(theirs, folder)
    return folder / "model.safetensors", "DINOv2, transformers' names", 97, ()


@form
def transformers_classifier(theirs, folder):
    model = noisy(Dinov2ForImageClassification(Dinov2Config(**sizes())))
    model.dinov2.load_state_dict(theirs.state_dict())
    model.save_pretrained(folder)
    return folder, "DINOv2, transformers' names", 97, (("classifier", 2, "a head"),)


@form
def transformers_depth_anything(theirs, folder):
    depth_anything(theirs).save_pretrained(folder)
    left_out = (("head", 6, "a head"), ("neck", 58, DECODERS))
    return folder, "Depth Anything, transformers' names", 97, left_out


@form
def original_pth(theirs, folder):
    torch.save(original(on_disk(theirs, folder)), folder / "vits14.pth")
    return folder / "vits14.pth", "DINOv2, original names", 77, ()  # 5 + 5 * 14 + 2


@form
def original_pt_of_old_torch(theirs, folder):
    tensors = original(on_disk(theirs, folder))
    torch.save(tensors, folder / "vits14.pt", _use_new_zipfile_serialization=False)
    return folder / "vits14.pt", "DINOv2, original names", 77, ()


@form
def original_safetensors(theirs, folder):
    save_file(original(on_disk(theirs, folder)), folder / "vits14.safetensors")
    return folder / "vits14.safetensors", "DINOv2, original names", 77, ()


@form
def original_depth_anything(theirs, folder):
    tensors = under("pretrained.", original(on_disk(theirs, folder)))
    tensors["depth_head.scratch.output_conv1.weight"] = torch.ones(3)
    tensors["depth_head.projects.0.bias"] = torch.ones(4)
    torch.save(tensors, folder / "depth_anything_v2_vits.pth")
    left_out = (("depth_head", 2, DECODERS),)
    place = folder / "depth_anything_v2_vits.pth"
    return place, "Depth Anything, original names", 77, left_out


@form
def wrapped_by_training_code(theirs, folder):
    tensors = under("module.pretrained.", original(on_disk(theirs, folder)))
    tensors["module.depth_head.projects.0.bias"] = torch.ones(4)
    wrapped = {"model": tensors, "optimizer": {"state": {}}, "epoch": 3}
    torch.save(wrapped, folder / "latest.pth")
    left_out = (
        ("depth_head", 1, DECODERS),
        ("epoch", 1, "not part of model"),
        ("optimizer", 1, "not part of model"),
    )
    return folder / "latest.pth", "Depth Anything, original names", 77, left_out


@form
def wrapped_as_state_dict(theirs, folder):
    tensors = under("module.", original(on_disk(theirs, folder)))
    torch.save({"state_dict": tensors}, folder / "vits14.pth")
    return folder / "vits14.pth", "DINOv2, original names", 77, ()


@form
def teacher_with_chunked_blocks(theirs, folder):
    tensors = original(on_disk(theirs, folder))
    chunk = {f"blocks.{n}.": f"blocks.{n // 2}.{n}." for n in range(5)}  # the number goes on
    for plain, chunked in chunk.items():
        for name in [name for name in tensors if name.startswith(plain)]:
            tensors[chunked + name.removeprefix(plain)] = tensors.pop(name)
    assert "blocks.2.4.norm1.weight" in tensors
    tensors = under("backbone.", tensors) | {"dino_head.mlp.0.weight": torch.ones(2)}
    torch.save({"teacher": tensors}, folder / "teacher_checkpoint.pth")
    left_out = (("dino_head", 1, "a head"),)
    return folder / "teacher_checkpoint.pth", "DINOv2, original names", 77, left_out


def rest_of_spd(model: SPD) -> tuple[tuple[str, int, str], ...]:
    parts = ("global_path", "local_path", "neck")
    names = [name.split(".")[0] for name in model.state_dict()]
    return tuple((part, names.count(part), DECODERS) for part in parts)


@form
def spd_checkpoint(theirs, folder):
    model = spd_with(theirs)
    save_checkpoint(model, folder / "model")
    return folder / "model", "SPD, transformers' names", 97, rest_of_spd(model)


@form
def spd_run(theirs, folder):
    model = spd_with(theirs)
    save_checkpoint(model, folder / "checkpoints" / "step-00000010")
    save_checkpoint(spd_with(dinov2()), folder / "checkpoints" / "step-00000020")
    (folder / "best.json").write_text(json.dumps({"checkpoint": "step-00000010"}))
    return folder, "SPD, transformers' names", 97, rest_of_spd(model)
