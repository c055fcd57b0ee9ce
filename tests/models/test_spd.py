"""The model's surface: shapes, any K, gradients, names in the checkpoint."""

import dataclasses

import pytest
import torch

import spd
from helpers.samples import random_maps
from spd.errors import ConfigError, InputError, PointError
from spd.models.decoder.global_dpt import GlobalPath, ResidualConvUnit
from spd.models.feature_maps import FeatureMaps


def test_shapes_at_the_specified_size():
    model = spd.SPD(spd.ModelConfig()).eval()
    with torch.no_grad():
        maps = model.encode(torch.rand(1, 3, 350, 476))
        assert maps.stride_8_map.shape == (1, 64, 50, 68)
        assert maps.l2.shape == (1, 64, 50, 68)
        assert maps.l1.shape == (1, 64, 100, 136)
        assert maps.image_size == (350, 476)
        grid = model.dense(maps)
        assert grid.shape == (1, 1, 100, 136)
        full = model(torch.rand(1, 3, 350, 476))
    assert full.shape == (1, 1, 350, 476)
    assert full.min() > 0  # metres


def test_levels_of_the_neck_have_the_specified_sizes():
    model = spd.SPD(spd.ModelConfig())
    features = tuple(torch.rand(1, 384, 25, 34) for _ in range(4))
    sizes = [tuple(level.shape) for level in model.neck(features)]
    assert sizes == [(1, 64, 100, 136), (1, 64, 50, 68), (1, 64, 25, 34), (1, 64, 13, 17)]


@pytest.mark.parametrize("count", [0, 1, 7, 1024, 1025, 2500])
def test_any_number_of_points(small_model, count):
    maps = random_maps(small_model.config.dim, (3, 5), batch=2, dtype=torch.float32)
    depth_m = small_model.query(maps, torch.rand(2, count, 2) * 40)
    assert depth_m.shape == (2, count)
    assert torch.isfinite(depth_m).all()


def test_points_split_into_chunks_give_the_same_answers_and_gradients(small_model, monkeypatch):
    model = small_model.double()
    maps = random_maps(model.config.dim, (3, 5))
    points = torch.rand(1, 50, 2, dtype=torch.float64) * 40
    whole = model.query(maps, points)
    expected = torch.autograd.grad(whole.sum(), model.local_path.stage1.v_proj.weight)[0]
    monkeypatch.setattr("spd.models.spd.QUERY_CHUNK", 7)
    parts = model.query(maps, points)
    got = torch.autograd.grad(parts.sum(), model.local_path.stage1.v_proj.weight)[0]
    assert (parts - whole).abs().max() <= 1e-12
    assert (got - expected).abs().max() <= 1e-11


def test_outside_nan_answers_only_what_is_inside(small_model):
    small_model.double()
    maps = random_maps(small_model.config.dim, (2, 3))
    points = torch.tensor([[[3.0, 4.0], [-0.6, 4.0], [41.5, 27.5], [float("nan"), 1.0]]]).double()
    depth_m = small_model.query(maps, points, outside="nan")
    assert torch.isnan(depth_m[0]).tolist() == [False, True, False, True]
    inside = small_model.query(maps, points[:, ::2])
    # A product of four rows may round differently from one of two.
    assert (depth_m[:, ::2] - inside).abs().max() <= 1e-14


def test_points_outside_are_refused_by_name(small_model):
    maps = random_maps(small_model.config.dim, (2, 3), dtype=torch.float32)
    with pytest.raises(PointError, match=r"point 1 is \(42, 4\)"):
        small_model.query(maps, torch.tensor([[[3.0, 4.0], [42.0, 4.0]]]))
    with pytest.raises(PointError, match=r"\[1, K, 2\]"):
        small_model.query(maps, torch.rand(4, 2))
    with pytest.raises(PointError, match=r"\[1, K, 2\]"):
        small_model.query(maps, torch.rand(2, 4, 2))


def test_maps_in_bfloat16_can_be_queried(small_model):
    maps = random_maps(small_model.config.dim, (2, 3), dtype=torch.float32)
    points = torch.rand(1, 9, 2) * 28
    narrow = maps.to(torch.bfloat16)
    assert narrow.nbytes * 2 == maps.nbytes
    # 8 bits of mantissa in the features: well under a per cent of 2.5 m.
    assert (small_model.query(narrow, points) - small_model.query(maps, points)).abs().max() < 0.02


def test_feature_maps_are_immutable_and_movable():
    maps = random_maps(8, (2, 3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        maps.image_size = (1, 1)
    assert maps.to(torch.float32).l1.dtype == torch.float32
    assert maps.nbytes == 8 * 8 * (24 + 24 + 96)
    assert maps.batch_size == 1
    with pytest.raises(InputError, match="l2 must be"):
        FeatureMaps(maps.stride_8_map, maps.l2[:, :5], maps.l1, maps.image_size)


def test_the_first_prediction_is_about_two_and_a_half_metres():
    with torch.no_grad():
        depth_m = spd.SPD(spd.ModelConfig())(torch.rand(1, 3, 70, 98))
    assert 2.2 < float(depth_m.mean()) < 2.8


def test_embeddings_start_small(small_model):
    path = small_model.local_path
    values = torch.cat([path.scale_embedding.flatten(), path.position_embedding.flatten()])
    assert float(values.detach().std()) == pytest.approx(0.02, rel=0.15)  # of 336 values
    assert path.scale_embedding.shape == (3, 12)
    assert path.position_embedding.shape == (25, 12)


def test_checkpoint_names_are_the_contract(small_model):
    names = set(small_model.state_dict())
    assert {name.split(".")[0] for name in names} == {
        "encoder",
        "neck",
        "global_path",
        "local_path",
    }
    local = {name.removeprefix("local_path.") for name in names if name.startswith("local_path.")}
    layers = ("norm_q", "q_proj", "k_proj", "v_proj", "out_proj", "norm_ffn", "ffn.0", "ffn.2")
    both = ("weight", "bias")
    expected = {f"{s}.{n}.{p}" for s in ("stage1", "stage2") for n in layers for p in both}
    expected |= {f"head.{n}.{p}" for n in (0, 2) for p in both}
    assert local == expected | {"scale_embedding", "position_embedding"}
    weights = small_model.state_dict()
    assert weights["local_path.stage1.ffn.0.weight"].shape == (48, 12)  # [out, in]


def test_residual_unit_is_its_equation():
    unit = ResidualConvUnit(3).double()
    x = torch.randn(1, 3, 4, 5, dtype=torch.float64)
    erf = lambda t: 0.5 * t * (1 + torch.erf(t / 2**0.5))  # noqa: E731
    expected = x + unit.conv2(erf(unit.conv1(erf(x))))
    assert torch.allclose(unit(x), expected, atol=1e-14)


def test_global_path_meets_an_odd_level_at_its_own_size():
    path = GlobalPath(3)
    out = path(torch.randn(1, 3, 25, 34), torch.randn(1, 3, 13, 17), (50, 68))
    assert out.shape == (1, 3, 50, 68)


def test_unknown_configuration_is_refused():
    with pytest.raises(ConfigError, match="widow: unknown key"):
        spd.ModelConfig(widow=5)
    with pytest.raises(ConfigError, match="dim"):
        spd.ModelConfig(dim="64")
    with pytest.raises(ConfigError, match="local_path"):
        spd.ModelConfig(local_path="attention")
