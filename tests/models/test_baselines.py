"""v15.1 and the bilinear MLP: the counts of their descriptions, and one function in two modes."""

import pytest
import torch

from helpers.samples import random_maps
from spd.config import ModelConfig
from spd.cost.parameters import local_path_v15_1
from spd.geometry import cell_centres
from spd.models.decoder.local_paths import build_local_path
from spd.models.spd import SPD


def path_of(name: str, dim: int = 12) -> torch.nn.Module:
    return build_local_path(ModelConfig(local_path=name, dim=dim)).double()


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_baselines_have_the_described_number_of_parameters():
    full = ModelConfig()
    conv, mlp = path_of("conv", 64), path_of("bilinear_mlp", 64)
    assert count(conv) == 331_489 == local_path_v15_1(full).sums[0]
    assert count(conv.refine2) == 2 * 73_856 + 4_160
    assert count(mlp) == 109_865
    assert abs(count(mlp) / count(build_local_path(full)) - 1) < 0.005


@pytest.mark.parametrize("patches", [(2, 2), (2, 3), (3, 2), (5, 3)])
@pytest.mark.parametrize("name", ["conv", "bilinear_mlp"])
def test_query_equals_dense_at_every_cell_borders_included(name, patches):
    path = path_of(name)
    maps = random_maps(12, patches)
    with torch.no_grad():
        grid = path.dense(maps)
        per_patch = 16 if name == "conv" else 4
        assert grid.shape == (1, 1, per_patch * patches[0], per_patch * patches[1])
        points = cell_centres(tuple(grid.shape[-2:]), maps.image_size, like=maps.l1)
        asked = path.query(maps, points[None])
    assert (asked - grid.flatten(1)).abs().max() <= 1e-12
    assert grid.std() > 0.01


@pytest.mark.parametrize("name", ["conv", "bilinear_mlp"])
def test_gradients_of_query_and_dense_agree(name):
    path = path_of(name, dim=8)
    maps = random_maps(8, (2, 2))
    inputs = [maps.stride_8_map, maps.l2, maps.l1]
    leaves = [*(m.requires_grad_() for m in inputs), *path.parameters()]
    grid = path.dense(maps)
    points = cell_centres(tuple(grid.shape[-2:]), maps.image_size, like=maps.l1).detach()
    weighting = torch.randn_like(grid)
    of_dense = torch.autograd.grad((grid * weighting).sum(), leaves)
    asked = path.query(maps, points[None])
    of_query = torch.autograd.grad((asked * weighting.flatten(1)).sum(), leaves)
    for a, b in zip(of_dense, of_query, strict=True):
        assert (a - b).abs().max() <= 1e-10 * max(1.0, float(a.abs().max()))


def test_convolutional_answer_is_that_of_the_cell_with_the_point():
    path = path_of("conv")
    maps = random_maps(12, (2, 2))  # 28 px on 32 cells of 0.875 px
    with torch.no_grad():
        grid = path.dense(maps)[0, 0]
        # u = 3.0 is 3.5 px from the border: where cell 3 ends and cell 4 begins.
        points = [[-0.5, -0.5], [27.5, 27.5], [2.99, 0.0], [3.01, 0.0], [0.0, 14.2]]
        asked = path.query(maps, torch.tensor([points], dtype=torch.float64))[0]
    cells = [grid[0, 0], grid[31, 31], grid[0, 3], grid[0, 4], grid[16, 0]]
    assert (asked - torch.stack(cells)).abs().max() <= 1e-12


@pytest.mark.parametrize("name", ["conv", "bilinear_mlp"])
def test_baselines_work_inside_the_model(small_config, name):
    model = SPD(small_config.model_copy(update={"local_path": name}))
    images = torch.rand(2, 3, 42, 56)
    maps = model.encode(images)
    assert model.query(maps, torch.rand(2, 7, 2) * 40).shape == (2, 7)
    assert model.query(maps, torch.rand(2, 0, 2)).shape == (2, 0)
    full = model(images)
    assert full.shape == (2, 1, 42, 56)
    assert 2.0 < float(full.mean().detach()) < 3.0
