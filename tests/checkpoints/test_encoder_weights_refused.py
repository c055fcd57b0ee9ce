"""Sources of encoder weights that are refused; the encoder is then unchanged."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from helpers.checkpoints import save_checkpoint
from helpers.encoder_forms import SMALL, dinov2, on_disk, original, sizes, spd_with, under
from spd.checkpoints.encoder_weights import load_encoder
from spd.config import EncoderConfig
from spd.errors import CheckpointError
from spd.models.encoder_vits.vit_s import Encoder


def refused(encoder: Encoder, source: Path | str, named: str) -> None:
    """Refused in one line, and the encoder is as it was."""
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    with pytest.raises(CheckpointError, match=named) as caught:
        load_encoder(encoder, source)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(before[n], tensor) for n, tensor in encoder.state_dict().items())


WRONG_TENSORS = {
    "missing": ({"blocks.4.ls2.gamma": None}, r"lacks tensor 'encoder\.layer\.4\.layer_scale2"),
    "no class token": (
        {"cls_token": None},
        "contains no DINOv2 encoder: no tensor is named cls_token",
    ),
    "unknown": ({"blocks.0.mlp.w12.weight": torch.ones(1)}, r"unknown tensor 'encoder.*mlp\.w12"),
    "unknown head": ({"depth_head.x": torch.ones(1)}, "unknown tensor 'depth_head.x'"),
    "another depth": ({"blocks.5.norm1.bias": torch.ones(22)}, "is its number of layers correct"),
    "registers": ({"register_tokens": torch.ones(1, 4, 22)}, "with registers, which is not"),
    "twice": ({"layernorm.bias": torch.ones(22)}, "a tensor under two names"),
    "twice by parts": (
        {"encoder.layer.0.attention.q_proj.bias": torch.ones(22)},
        "a tensor under two names",
    ),
    "two encoders": ({"backbone.cls_token": torch.ones(1, 1, 22)}, "contains 2 encoders"),
    "another shape": (
        {"norm.bias": torch.ones(23)},
        r"layernorm\.bias has shape \[23\], .* \[22\]",
    ),
    "uneven qkv": ({"blocks.1.attn.qkv.bias": torch.ones(67)}, r"q_proj\.bias has shape \[23\]"),
    "scalar qkv": ({"blocks.1.attn.qkv.bias": torch.tensor(1.0)}, r"lacks tensor .*k_proj\.bias"),
    "table of no square": (
        {"pos_embed": torch.ones(1, 12, 22)},
        r"position embeddings \[1, 12, 22\]",
    ),
    "table without patches": ({"pos_embed": torch.ones(1, 1, 22)}, "position embeddings"),
    "table of other rank": ({"pos_embed": torch.ones(10, 22)}, "position embeddings"),
    "whole numbers": ({"norm.bias": torch.ones(22, dtype=torch.int64)}, "in torch.int64"),
    "not finite": (
        {"norm.bias": torch.full((22,), torch.nan)},
        "non-finite values in layernorm.bias; is the file damaged",
    ),
    "no tensor": ({"step": 3}, r"contains 'step' \(int\), which is not a named tensor"),
    "no name": ({7: torch.ones(1)}, r"contains 7 \(Tensor\)"),
}


@pytest.mark.parametrize(("change", "named"), WRONG_TENSORS.values(), ids=WRONG_TENSORS)
def test_wrong_tensors_are_refused(change, named, tmp_path):
    tensors = original(on_disk(dinov2(), tmp_path)) | change
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    torch.save(kept, tmp_path / "wrong.pth")
    refused(Encoder(SMALL), tmp_path / "wrong.pth", named)


def test_an_encoder_under_another_name_and_several_models_are_refused(tmp_path):
    tensors = original(on_disk(dinov2(), tmp_path))
    torch.save(under("visual.", tensors), tmp_path / "a.pth")
    refused(
        Encoder(SMALL), tmp_path / "a.pth", r"under prefix 'visual\.'; expected none or one of back"
    )
    torch.save({"model": tensors, "teacher": tensors}, tmp_path / "b.pth")
    refused(Encoder(SMALL), tmp_path / "b.pth", "several models: model, teacher; save only one")


def test_vit_b_weights_are_refused_for_vit_s(tmp_path):
    tensors = original(on_disk(dinov2(num_hidden_layers=12), tmp_path))
    width = {22: 768, 66: 3 * 768, 88: 4 * 768, 10: 1370}
    vit_b = {  # one zero each, repeated: the file stays small
        name: torch.zeros(1).expand([width.get(n, n) for n in tensor.shape])
        for name, tensor in tensors.items()
    }
    assert vit_b["blocks.11.mlp.fc1.weight"].shape == (3072, 768)
    torch.save(vit_b, tmp_path / "dinov2_vitb14_pretrain.pth")
    named = (
        r"does not match the configured encoder: "
        r".*cls_token has shape \[1, 1, 768\], .* \[1, 1, 384\]"
    )
    refused(Encoder(EncoderConfig()), tmp_path / "dinov2_vitb14_pretrain.pth", named)


@pytest.mark.parametrize("changes", [{"hidden_size": 24}, {"mlp_ratio": 2}, {"patch_size": 7}])
def test_other_sizes_are_refused(changes, tmp_path):
    dinov2(**changes).save_pretrained(tmp_path)
    refused(Encoder(SMALL), tmp_path, "does not match the configured encoder: .* has shape ")


def test_a_shallower_and_a_gated_dinov2_are_refused(tmp_path):
    dinov2(num_hidden_layers=4).save_pretrained(tmp_path / "shallow")
    refused(Encoder(SMALL), tmp_path / "shallow", r"lacks tensor 'encoder\.layer\.4\.")
    dinov2(use_swiglu_ffn=True).save_pretrained(tmp_path / "gated")
    refused(Encoder(SMALL), tmp_path / "gated", "tensor 'encoder.layer.0.mlp")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"num_attention_heads": 11},
            "it has num_attention_heads 11, but the configuration asks for 2",
        ),
        ({"hidden_act": "relu"}, "it has hidden_act relu"),
        ({"layer_norm_eps": 1e-5}, "it has layer_norm_eps 1e-05"),
    ],
)
def test_settings_without_a_shape_are_compared_by_the_configuration(changes, named, tmp_path):
    dinov2(**changes).save_pretrained(tmp_path)
    refused(Encoder(SMALL), tmp_path, named)


def test_an_spd_with_other_heads_is_refused(tmp_path):
    save_checkpoint(spd_with(dinov2(), heads=11), tmp_path / "model")
    refused(Encoder(SMALL), tmp_path / "model", "num_attention_heads 11")


def test_other_architectures_are_refused_by_their_configuration(tmp_path):
    registers = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**sizes()))
    registers.save_pretrained(tmp_path / "registers")
    refused(Encoder(SMALL), tmp_path / "registers", "with registers, which is not")
    theirs = dinov2()
    theirs.save_pretrained(tmp_path / "vit")
    config = json.loads((tmp_path / "vit" / "config.json").read_text())
    (tmp_path / "vit" / "config.json").write_text(json.dumps(config | {"model_type": "vit"}))
    refused(Encoder(SMALL), tmp_path / "vit", "model type vit; expected dinov2")


@pytest.mark.parametrize("name", ["vits14.pth", "vits14.safetensors", "old.pt"])
def test_damaged_files_are_refused(name, tmp_path):
    tensors = original(on_disk(dinov2(), tmp_path))
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=path.suffix == ".pth")
    whole = path.read_bytes()
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(Encoder(SMALL), path, f"{name} (cannot be read|is not a checkpoint)")
    path.write_bytes(b"hello, this is a text file")
    refused(Encoder(SMALL), path, f"{name} (cannot be read|is not a checkpoint)")


class Command:
    """Unpickling it would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_code_in_a_pickle_is_not_run(tmp_path):
    tensors = original(on_disk(dinov2(), tmp_path))
    content = {"model": tensors, "args": Command(f"touch {tmp_path / 'ran'}")}
    torch.save(content, tmp_path / "evil.pth")
    refused(
        Encoder(SMALL),
        tmp_path / "evil.pth",
        "more than tensors .* No code in the file was executed",
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[torch.ones(2)], {}, {"model": {}}, torch.ones(3)])
def test_files_without_tensors_by_name_are_refused(content, tmp_path):
    torch.save(content, tmp_path / "odd.pth")
    refused(Encoder(SMALL), tmp_path / "odd.pth", "contains no named tensors")


def test_directories_without_a_model_are_refused(tmp_path):
    refused(Encoder(SMALL), tmp_path, r"contains no model\.safetensors.*train\.encoder_weights")
    theirs = dinov2()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    refused(Encoder(SMALL), tmp_path, r"config\.json cannot be read as JSON")
    (tmp_path / "config.json").write_text("[]")
    refused(Encoder(SMALL), tmp_path, r"config\.json is not a valid model configuration")
    (tmp_path / "config.json").unlink()
    refused(Encoder(SMALL), tmp_path, r"config\.json is missing")


def test_missing_sources_are_refused(tmp_path, monkeypatch):
    refused(Encoder(SMALL), tmp_path / "none.pth", r"file .*none\.pth does not exist")
    refused(Encoder(SMALL), tmp_path / "none", "exists but contains no none")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    refused(
        Encoder(SMALL),
        tmp_path / "photo.jpg",
        r"not a checkpoint; supported file extensions are \.pth",
    )

    def unreachable(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    refused(
        Encoder(SMALL),
        "facebook/dinov2-small",
        "it could not be downloaded .*null initialises it randomly",
    )
