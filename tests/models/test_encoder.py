"""The encoder against transformers' own DINOv2; where its weights come from has its own file."""

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from spd.checkpoints.encoder_weights import load_encoder
from spd.config import EncoderConfig, ModelConfig
from spd.errors import InputError
from spd.models.encoder_vits.vit_s import IMAGENET_MEAN, IMAGENET_STD, Encoder
from spd.models.spd import SPD

SMALL = EncoderConfig(hidden_size=22, layers=5, heads=2, taps=(0, 1, 3, 4), position_size_px=42)


def dinov2(**changes) -> Dinov2Model:
    sizes = {
        "hidden_size": 22,
        "num_hidden_layers": 5,
        "num_attention_heads": 2,
        "mlp_ratio": 4,
        "image_size": 42,
        "patch_size": 14,
    }
    return Dinov2Model(Dinov2Config(**(sizes | changes)))


@pytest.mark.parametrize("config", [SMALL, EncoderConfig()], ids=["small", "vit-s"])
def test_features_are_dinov2s_hidden_states_at_the_specified_blocks(config, tmp_path):
    torch.manual_seed(1)
    theirs = dinov2(
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        image_size=config.position_size_px,
    ).eval()
    with torch.no_grad():  # a final norm that does something
        theirs.layernorm.weight.uniform_(0.5, 1.5)
        theirs.layernorm.bias.uniform_(-0.5, 0.5)
    theirs.save_pretrained(tmp_path / "dinov2")
    ours = Encoder(config).eval()
    load_encoder(ours, tmp_path / "dinov2")
    images = torch.rand(2, 3, 56, 98)
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        hidden = theirs((images - mean) / std, output_hidden_states=True).hidden_states
        features = ours(images)
        for tap, feature in zip(config.taps, features, strict=True):
            assert feature.shape == (2, config.hidden_size, 4, 7)
            tokens = theirs.layernorm(hidden[tap + 1])[:, 1:]  # hidden[0] is the stem
            expected = tokens.reshape(2, 4, 7, -1).permute(0, 3, 1, 2)
            assert torch.equal(feature, expected)


def test_the_position_embeddings_are_resized_bicubically_by_size():
    encoder = Encoder(SMALL)
    table = encoder.backbone.embeddings.position_embeddings
    tokens = torch.zeros(1, 1 + 4 * 7, 22)
    got = encoder.backbone.embeddings.interpolate_pos_encoding(tokens, 56, 98)
    grid = table[:, 1:].reshape(1, 3, 3, 22).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        grid, size=(4, 7), mode="bicubic", align_corners=False, antialias=False
    )
    assert torch.allclose(got[:, 1:], expected.permute(0, 2, 3, 1).reshape(1, 28, 22))
    assert torch.equal(got[:, :1], table[:, :1])


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (torch.rand(1, 3, 351, 476), "height must be a multiple of 14 .* got 351"),
        (torch.rand(3, 56, 56), r"\[B, 3, H, W\]"),
        (torch.rand(1, 1, 56, 56), r"\[B, 3, H, W\]"),
        (torch.zeros(1, 3, 56, 56, dtype=torch.uint8), "torch.uint8"),
        (torch.rand(1, 3, 56, 56).double(), "torch.float64"),
    ],
)
def test_wrong_images_are_refused(small_model, images, named):
    with pytest.raises(InputError, match=named):
        small_model.encode(images)


def test_every_parameter_gets_a_gradient_except_the_two_that_cannot(small_model: SPD):
    images = torch.rand(2, 3, 42, 70)
    maps = small_model.encode(images)
    points = torch.rand(2, 11, 2) * 40
    (small_model.query(maps, points).sum() + small_model.dense(maps).sum()).backward()
    none = [name for name, p in small_model.named_parameters() if p.grad is None]
    assert none == ["encoder.backbone.embeddings.mask_token"]
    assert not dict(small_model.named_parameters())[none[0]].requires_grad
    zero = {
        name
        for name, p in small_model.named_parameters()
        if p.grad is not None and float(p.grad.abs().max()) < 1e-6
    }
    assert {"local_path.stage1.k_proj.bias", "local_path.stage2.k_proj.bias"} <= zero
    # The keys' biases of the encoder are dropped by its softmax in the same way.
    assert all(name.endswith(("k_proj.bias", "key.bias")) for name in zero), zero


def test_model_is_built_from_a_configuration_without_downloads(monkeypatch):
    import socket

    def refuse(*_, **__):
        raise AssertionError("SPD() reached for the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    SPD(ModelConfig.tiny())
