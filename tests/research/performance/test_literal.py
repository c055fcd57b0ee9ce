"""The yardstick computes what the model computes: the same depth and the same gradients."""

import pytest
import torch

from helpers.samples import random_maps
from research.performance.literal import CHUNK, literal_dense, literal_query
from spd.config import ModelConfig
from spd.errors import ConfigError
from spd.models.spd import SPD

SIZE = (42, 56)  # of 3 x 4 patches
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture
def model(small_config):
    made = SPD(small_config).double()
    with torch.no_grad():
        for parameter in made.local_path.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def gradients(depth, maps, model):
    """Of an uneven sum of the depth, by every map and every weight that is read."""
    weights = list(model.local_path.parameters())
    loss = (depth * torch.linspace(1, 2, depth.numel()).view_as(depth)).sum()
    inputs = [maps.stride_8_map, maps.l2, maps.l1, *weights]
    return torch.autograd.grad(loss, inputs, allow_unused=True)


def watched(maps):
    for feature_map in (maps.stride_8_map, maps.l2, maps.l1):
        feature_map.requires_grad_()
    return maps


def assert_same(one, other, maps, model):
    torch.testing.assert_close(one, other, **EXACT)
    assert one.std() > 1e-3  # nothing is compared with a constant
    for a, b in zip(gradients(one, maps, model), gradients(other, maps, model), strict=True):
        torch.testing.assert_close(
            torch.zeros(()) if a is None else a, torch.zeros(()) if b is None else b, **EXACT
        )


@pytest.mark.parametrize("count", [1, 9, CHUNK + 5])
def test_points_get_the_depth_and_gradients_of_query(model, count):
    maps = watched(random_maps(12, (3, 4), batch=2))
    points = torch.rand(2, count, 2, dtype=torch.float64) * torch.tensor([SIZE[1], SIZE[0]]) - 0.5
    corners = torch.tensor([[-0.5, -0.5], [SIZE[1] - 0.5, SIZE[0] - 0.5]], dtype=torch.float64)
    points[:, :2] = corners[:count]
    literal = literal_query(model, maps, points)
    assert_same(literal, model.query(maps, points), maps, model)


def test_whole_maps_get_the_depth_and_gradients_of_dense(model):
    maps = watched(random_maps(12, (3, 4), batch=2))
    literal = literal_dense(model, maps)
    assert literal.shape == (2, 1, 12, 16)
    assert_same(literal, model.dense(maps), maps, model)


def test_a_model_without_cross_attention_has_no_literal_form(small_config):
    config = ModelConfig.from_dict(small_config.to_dict() | {"local_path": "conv"})
    with pytest.raises(ConfigError, match="not of conv"):
        literal_query(SPD(config), random_maps(12, (3, 4)), torch.zeros(1, 1, 2))
