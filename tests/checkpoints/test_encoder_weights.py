"""The encoder starts from every published form, bit by bit."""

import pytest
import torch
from torch import Tensor
from transformers import Dinov2Model

from helpers.checkpoints import save_checkpoint
from helpers.encoder_forms import (
    FORMS,
    SMALL,
    depth_anything,
    dinov2,
    on_disk,
    original,
    original_pth,
    spd_checkpoint,
    spd_with,
    transformers_depth_anything,
    under,
)
from spd.checkpoints.encoder_weights import load_encoder
from spd.config import EncoderConfig
from spd.models.encoder_vits.vit_s import IMAGENET_MEAN, IMAGENET_STD, Encoder


def features_of(theirs: Dinov2Model, images: Tensor, taps) -> list[Tensor]:
    """Outputs of transformers' own model after these blocks, each through its final norm."""
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
    hidden = theirs((images - mean) / std, output_hidden_states=True).hidden_states
    h, w = (side // 14 for side in images.shape[2:])
    tokens = [theirs.layernorm(hidden[tap + 1])[:, 1:] for tap in taps]  # hidden[0] is the stem
    return [t.reshape(len(images), h, w, -1).permute(0, 3, 1, 2) for t in tokens]


def assert_same(encoder: Encoder, theirs: Dinov2Model, taps, size=(56, 98)) -> None:
    ours, wanted = encoder.backbone.state_dict(), theirs.state_dict()
    assert ours.keys() == wanted.keys()
    assert all(torch.equal(ours[name], wanted[name]) for name in wanted)
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        for got, expected in zip(encoder(images), features_of(theirs, images, taps), strict=True):
            assert torch.equal(got, expected)


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_tensors_and_features(write, tmp_path, capfd):
    theirs = dinov2()
    source, named, taken, left_out = write(theirs, tmp_path)
    encoder = Encoder(SMALL).eval()
    capfd.readouterr()
    start = load_encoder(encoder, source)
    assert capfd.readouterr() == ("", "")
    assert_same(encoder, theirs, SMALL.taps)
    assert (start.source, start.form) == (str(source), named)
    assert (start.taken, start.left_out) == (taken, left_out)
    assert start.position_resized is None


def test_vit_s_under_original_names_has_the_published_shapes(tmp_path):
    config = EncoderConfig()
    theirs = dinov2(config)
    tensors = original(on_disk(theirs, tmp_path))
    assert tensors["pos_embed"].shape == (1, 1370, 384)
    assert tensors["mask_token"].shape == (1, 384)
    assert tensors["blocks.11.attn.qkv.weight"].shape == (1152, 384)
    torch.save(tensors, tmp_path / "dinov2_vits14_pretrain.pth")
    encoder = Encoder(config).eval()
    start = load_encoder(encoder, tmp_path / "dinov2_vits14_pretrain.pth")
    assert start.taken == 5 + 12 * 14 + 2
    assert_same(encoder, theirs, config.taps)


def test_the_features_agree_with_depth_anythings_backbone(tmp_path):
    model = depth_anything(dinov2())
    model.save_pretrained(tmp_path)
    encoder = Encoder(SMALL).eval()
    load_encoder(encoder, tmp_path)
    images = torch.rand(1, 3, 42, 70)
    with torch.no_grad():
        tokens = model.backbone((images - encoder.mean) / encoder.std).feature_maps
        for got, expected in zip(encoder(images), tokens, strict=True):
            assert torch.equal(got.flatten(2).mT, expected[:, 1:])


def test_only_the_needed_files_of_a_hub_model_are_downloaded(tmp_path, monkeypatch):
    theirs = dinov2()
    theirs.save_pretrained(tmp_path)
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download",
        lambda name, allow_patterns: asked.append((name, allow_patterns)) or str(tmp_path),
    )
    encoder = Encoder(SMALL).eval()
    assert load_encoder(encoder, "facebook/dinov2-small").source == "facebook/dinov2-small"
    files = ["model.safetensors", "config.json", "preprocessor_config.json"]
    assert asked == [("facebook/dinov2-small", files)]
    assert_same(encoder, theirs, SMALL.taps)


@pytest.mark.parametrize(("given_px", "own_px"), [(98, 42), (518, 224), (42, 140)])
@pytest.mark.parametrize("write", [original_pth, transformers_depth_anything, spd_checkpoint])
def test_other_position_embeddings_are_resized_as_transformers_does(
    write, given_px, own_px, tmp_path
):
    theirs = dinov2(image_size=given_px)
    if write is spd_checkpoint:
        save_checkpoint(spd_with(theirs, position_size_px=given_px), tmp_path / "model")
        source = tmp_path / "model"
    else:
        source = write(theirs, tmp_path)[0]
    encoder = Encoder(SMALL.model_copy(update={"position_size_px": own_px})).eval()
    given, own = given_px // 14, own_px // 14
    before = torch.get_rng_state()
    assert load_encoder(encoder, source).position_resized == (given, own)
    assert torch.equal(torch.get_rng_state(), before)  # the decoder starts as it would have
    table = theirs.embeddings.position_embeddings
    grid = table[:, 1:].reshape(1, given, given, 22).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(
        grid, size=(own, own), mode="bicubic", align_corners=False, antialias=False
    )
    got = encoder.backbone.embeddings.position_embeddings
    assert torch.equal(got[:, :1], table[:, :1])
    assert torch.allclose(got[:, 1:], resized.permute(0, 2, 3, 1).reshape(1, own * own, 22))
    tokens = torch.zeros(1, 1 + own * own, 22)
    assert torch.equal(got, theirs.embeddings.interpolate_pos_encoding(tokens, own_px, own_px))
    images = torch.rand(1, 3, own_px, own_px)
    with torch.no_grad():
        ours, expected = encoder(images), features_of(theirs, images, SMALL.taps)
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


def test_half_precision_becomes_float32(tmp_path):
    tensors = original(on_disk(dinov2(image_size=98).half(), tmp_path))
    torch.save(tensors, tmp_path / "half.pth")
    encoder = Encoder(SMALL)
    load_encoder(encoder, tmp_path / "half.pth")
    state = encoder.backbone.state_dict()
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert torch.equal(state["layernorm.weight"], tensors["norm.weight"].float())


def test_the_report_is_one_line_for_a_log(tmp_path):
    tensors = under("pretrained.", original(on_disk(dinov2(image_size=98), tmp_path)))
    torch.save(tensors | {"depth_head.x": torch.ones(1)}, tmp_path / "v2.pth")
    assert str(load_encoder(Encoder(SMALL), tmp_path / "v2.pth")) == (
        f"encoder initialised from {tmp_path / 'v2.pth'} (Depth Anything, original names): "
        "77 tensors used, 1 tensor(s) of depth_head left out (a different decoder), "
        "position embeddings resized from 7x7 to 3x3"
    )
