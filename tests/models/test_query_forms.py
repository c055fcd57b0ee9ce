"""The torch query equals the oracle, forward and gradient; unknown forms are refused."""

import pytest
import torch
from torch import Tensor

from helpers import reference
from helpers.samples import random_maps
from research.experiment.names import VARIANTS
from research.experiment.variants import build_head
from spd.errors import InputError
from spd.geometry import cell_centres
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

# Depths are a few metres, so float32 rounds at 2.4e-7 m; some hundred operations lie between.
TOLERANCE_M = {torch.float32: 1e-5, torch.float64: 1e-12}
SIZES = [(4, 6), (5, 7), (9, 3), (2, 2)]  # patches; odd ones and the smallest allowed


def border_and_inside(size: tuple[int, int], count: int) -> Tensor:
    """The four corners, both ends of every side, cell centres, and points in between."""
    height, width = size
    corners = torch.cartesian_prod(
        torch.tensor([-0.5, width - 0.5]), torch.tensor([-0.5, height - 0.5])
    )
    inside = torch.rand(count, 2) * torch.tensor([width, height]) - 0.5
    whole = torch.tensor([[0.0, 0.0], [6.5, 6.5], [width - 1.0, height - 1.0], [3.0, 0.0]])
    return torch.cat([corners, whole, inside]).double()


def oracle(path: CrossAttentionPath, maps: FeatureMaps, points: Tensor) -> Tensor:
    weights = dict(path.named_parameters())
    images = [
        torch.stack(
            [
                reference.depth_at(weights, s8, l2, l1, maps.image_size, u, v)
                for u, v in image.tolist()
            ]
        )
        for s8, l2, l1, image in zip(*maps.maps, points, strict=True)
    ]
    return torch.stack(images)


@pytest.fixture
def model(small_config) -> SPD:
    torch.manual_seed(0)
    model = SPD(small_config).double().eval()
    with torch.no_grad():  # peaked attention, so that a wrong weight shows
        for stage in (model.local_path.stage1, model.local_path.stage2):
            stage.q_proj.weight *= 20
            stage.k_proj.bias.normal_()
            stage.v_proj.bias.normal_()
    return model


@pytest.mark.parametrize("patches", SIZES)
def test_query_equals_the_oracle_borders_included(model, patches):
    maps = random_maps(model.config.dim, patches, batch=2)
    points = torch.stack([border_and_inside(maps.image_size, 20) for _ in range(2)])
    with torch.no_grad():
        depth_m = model.query(maps, points, form="torch")
        expected = oracle(model.local_path, maps, points)
    assert (depth_m - expected).abs().max() <= TOLERANCE_M[torch.float64]
    assert depth_m.std() > 1e-3


def test_query_in_float32_is_close_to_float64(model):
    maps = random_maps(model.config.dim, (5, 7), batch=3)
    points = torch.stack([border_and_inside(maps.image_size, 40) for _ in range(3)])
    with torch.no_grad():
        exact = model.query(maps, points, form="torch")
        narrow = model.float().query(maps.to(torch.float32), points.float(), form="torch")
    assert (narrow - exact).abs().max() <= TOLERANCE_M[torch.float32]


def test_gradients_of_query_are_the_oracles(model):
    maps = random_maps(model.config.dim, (2, 3))
    for feature_map in maps.maps:
        feature_map.requires_grad_()
    points = torch.cat(
        [
            cell_centres((4, 6), maps.image_size, like=maps.l1).detach(),
            border_and_inside(maps.image_size, 8),
        ]
    )[None]
    weighting = torch.randn(points.shape[1], dtype=torch.float64)
    path = model.local_path
    leaves = [*maps.maps, *path.parameters()]
    depth_m = model.query(maps, points, form="torch")[0]
    found, expected = (
        torch.autograd.grad((depth * weighting).sum(), leaves)
        for depth in (depth_m, oracle(path, maps, points)[0])
    )
    names = ["s8", "l2", "l1", *dict(path.named_parameters())]
    for name, got, wanted in zip(names, found, expected, strict=True):
        scale = max(1.0, float(wanted.abs().max()))
        assert (got - wanted).abs().max() <= 1e-11 * scale, name


@pytest.mark.parametrize("form", ["literal", "folded", ""])
def test_an_unknown_form_is_refused_and_the_known_ones_are_named(model, form):
    maps = random_maps(model.config.dim, (3, 4))
    expected = rf"form must be 'compiled', 'torch' or omitted, got '{form}'"
    with pytest.raises(InputError, match=expected):
        model.query(maps, torch.zeros(1, 1, 2, dtype=torch.float64), form=form)
    with pytest.raises(InputError, match=expected):
        model.dense(maps, form=form)


@pytest.mark.parametrize("name", ["conv", "bilinear_mlp"])
def test_other_local_paths_have_no_compiled_kernel(small_config, name):
    model = SPD(small_config.model_copy(update={"local_path": name}))
    maps = random_maps(small_config.dim, (3, 4), dtype=torch.float32)
    for call in (
        lambda: model.query(maps, torch.zeros(1, 1, 2), form="compiled"),
        lambda: model.dense(maps, form="compiled"),
    ):
        with torch.no_grad(), pytest.raises(InputError, match="Path has no compiled kernel"):
            call()


def test_a_path_without_its_second_stage_is_queried_by_torch(small_config):
    model = SPD(small_config)
    model.local_path = build_head(VARIANTS["one stage"], small_config, 0)
    maps = random_maps(small_config.dim, (3, 4), dtype=torch.float32)
    with torch.no_grad():
        assert model.query(maps, torch.rand(1, 5000, 2) * 40).shape == (1, 5000)
        with pytest.raises(InputError, match="OneStagePath has no compiled kernel"):
            model.query(maps, torch.rand(1, 5, 2), form="compiled")
