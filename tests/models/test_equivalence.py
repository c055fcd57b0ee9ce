"""The sparse and the dense schedule and the oracle are one function, forward and gradient."""

import pytest
import torch
from torch import Tensor

from helpers import reference
from helpers.samples import random_maps
from spd.config import ModelConfig
from spd.geometry import cell_centres
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

# Depths are a few metres, so float32 rounds at 2.4e-7 m; some hundred operations lie between.
TOLERANCE_M = {torch.float32: 1e-5, torch.float64: 1e-12}
SIZES = [(350, 476), (28, 28), (70, 98), (126, 42)]  # 5x7 and 9x3 patches are odd


@pytest.fixture(scope="module")
def full_model() -> SPD:
    torch.manual_seed(0)
    return SPD(ModelConfig()).eval()


def sharpen(model: SPD, factor: float) -> None:
    """Scale the queries, which makes attention peaked; the factor may be undone by its inverse."""
    with torch.no_grad():
        for stage in (model.local_path.stage1, model.local_path.stage2):
            stage.q_proj.weight *= factor


def local_weights(path: CrossAttentionPath) -> dict[str, Tensor]:
    return dict(path.named_parameters())


def oracle(path: CrossAttentionPath, maps: FeatureMaps, points: Tensor, seen=None) -> Tensor:
    one = (maps.stride_8_map[0], maps.l2[0], maps.l1[0], maps.image_size)
    weights = local_weights(path)
    return torch.stack([reference.depth_at(weights, *one, u, v, seen) for u, v in points.tolist()])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sharpness", [1.0, 60.0])
def test_query_equals_dense_at_every_stride_4_position(full_model, size, dtype, sharpness):
    model = full_model.to(dtype)
    sharpen(model, sharpness)
    with torch.no_grad():
        maps = model.encode(torch.rand(1, 3, *size, dtype=dtype))
        grid = model.dense(maps, form="torch")
        assert grid.shape == (1, 1, 4 * size[0] // 14, 4 * size[1] // 14)
        points = cell_centres((grid.shape[2], grid.shape[3]), size, like=maps.l1)
        asked = model.query(maps, points[None], form="torch")
        by_default = model.query(maps, points[None]), model.dense(maps).flatten(1)
    sharpen(model, 1 / sharpness)
    for metres in (asked, *by_default):  # by default the compiled kernel, where there is one
        assert (metres - grid.flatten(1)).abs().max() <= TOLERANCE_M[dtype]
    assert grid.std() > 1e-3  # the answers differ from place to place; equality is not trivial


@pytest.mark.parametrize("sharpness", [1.0, 60.0])
def test_query_equals_the_oracle_at_200_points_with_every_edge_and_corner(full_model, sharpness):
    model = full_model.double()
    sharpen(model, sharpness)
    height, width = 350, 476
    edges_u, edges_v = torch.tensor([-0.5, width - 0.5]), torch.tensor([-0.5, height - 0.5])
    corners = torch.cartesian_prod(edges_u, edges_v)
    along = torch.linspace(-0.5, width - 0.5, 12)
    sides = [torch.cartesian_prod(along, edges_v), torch.cartesian_prod(edges_u, along * 0.73)]
    inside = torch.rand(200 - 4 - 48, 2) * torch.tensor([width, height]) - 0.5
    points = torch.cat([corners, *sides, inside]).double()
    assert len(points) == 200
    seen: list[Tensor] = []
    with torch.no_grad():
        maps = model.encode(torch.rand(1, 3, height, width, dtype=torch.float64))
        expected = oracle(model.local_path, maps, points, seen)
        asked = model.query(maps, points[None])[0]
    sharpen(model, 1 / sharpness)
    assert (asked - expected).abs().max() <= 1e-12
    strongest = max(float(weights.max()) for weights in seen)
    assert (strongest > 0.5) == (sharpness > 1), strongest


def test_dense_equals_the_oracle_at_every_position_of_a_small_image(small_config):
    path = CrossAttentionPath(small_config).double()
    maps = random_maps(small_config.dim, (3, 5))
    points = cell_centres((12, 20), maps.image_size, like=maps.l1)
    with torch.no_grad():
        expected = oracle(path, maps, points)
        grid = path.dense(maps).flatten()
    assert (grid - expected).abs().max() <= 1e-12


def test_gradients_of_query_dense_and_oracle_agree(small_config):
    path = CrossAttentionPath(small_config).double()
    maps = random_maps(small_config.dim, (2, 3))
    inputs = [maps.stride_8_map, maps.l2, maps.l1]
    for feature_map in inputs:
        feature_map.requires_grad_()
    points = cell_centres((8, 12), maps.image_size, like=maps.l1).detach()
    weighting = torch.randn(len(points), dtype=torch.float64)
    leaves = inputs + list(path.parameters())
    forms = {
        "query": path.query(maps, points[None])[0],
        "dense": path.dense(maps).flatten(),
        "oracle": oracle(path, maps, points),
    }
    gradients = {
        name: torch.autograd.grad((depth_m * weighting).sum(), leaves)
        for name, depth_m in forms.items()
    }
    names = ["s8", "l2", "l1", *local_weights(path)]
    for name, query, dense, expected in zip(names, *gradients.values(), strict=True):
        scale = max(1.0, float(expected.abs().max()))
        assert (query - expected).abs().max() <= 1e-11 * scale, name
        assert (dense - expected).abs().max() <= 1e-11 * scale, name
        if not name.endswith("k_proj.bias"):  # softmax drops it: exactly no effect
            assert expected.abs().max() > 0, name


def test_dense_calls_no_query_and_projects_each_map_once(full_model, monkeypatch):
    model = full_model.float()
    maps = random_maps(64, (5, 7), dtype=torch.float32)

    def refuse(*_):
        raise AssertionError("dense asked a query")

    monkeypatch.setattr(model.local_path, "query", refuse)
    projected = []
    original = CrossAttentionPath._project

    def count(self, projection, feature_map, row):
        projected.append(tuple(feature_map.shape[-2:]))
        return original(self, projection, feature_map, row)

    monkeypatch.setattr(CrossAttentionPath, "_project", count)
    model.dense(maps)
    assert sorted(projected) == [(10, 14)] * 4 + [(20, 28)] * 2  # K and V of s8, L2; of L1


def test_answers_do_not_depend_on_the_other_images_or_points(small_model):
    model = small_model.double()
    maps = random_maps(small_model.config.dim, (3, 4), batch=2)
    points = torch.rand(2, 7, 2, dtype=torch.float64) * 40
    together = model.query(maps, points)
    for image in range(2):
        alone = FeatureMaps(
            *(m[image : image + 1] for m in (maps.stride_8_map, maps.l2, maps.l1)), maps.image_size
        )
        for k in range(7):
            one = model.query(alone, points[image : image + 1, k : k + 1])
            assert (one - together[image, k]).abs().max() <= 1e-12


def test_bfloat16_autocast_stays_close_to_float32(full_model):
    model = full_model.float()
    image = torch.rand(1, 3, 70, 98)
    with torch.no_grad():
        exact = model(image)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(image)
    assert rough.dtype == torch.float32  # softplus and head run in float32
    # bfloat16 carries 8 bits through some twenty layers: a few per cent of the depths' spread.
    assert (rough - exact).abs().max() < 0.05
    assert rough.unique().numel() > 0.9 * rough.numel()  # not stepped to bfloat16's grid
