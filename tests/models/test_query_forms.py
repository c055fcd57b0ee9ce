"""Every form of a query is the same function: against the oracle, forward and gradient."""

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from helpers import reference
from helpers.samples import random_maps
from research.experiment.names import VARIANTS
from research.experiment.variants import build_head
from spd.config import ModelConfig
from spd.cost import local_macs
from spd.cost.grids import Grid
from spd.errors import InputError
from spd.geometry import cell_centres
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

# Depths are a few metres, so float32 rounds at 2.4e-7 m; some hundred operations lie between.
TOLERANCE_M = {torch.float32: 1e-5, torch.float64: 1e-12}
FORMS = ("folded", "projected")
SIZES = [(4, 6), (5, 7), (9, 3), (2, 2)]  # patches; odd ones and the least there are


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
        for s8, l2, l1, image in zip(maps.stride_8_map, maps.l2, maps.l1, points, strict=True)
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
@pytest.mark.parametrize("form", FORMS)
def test_every_form_equals_the_oracle_borders_included(model, patches, form):
    maps = random_maps(model.config.dim, patches, batch=2)
    points = torch.stack([border_and_inside(maps.image_size, 20) for _ in range(2)])
    with torch.no_grad():
        asked = model.query(maps, points, form=form)
        expected = oracle(model.local_path, maps, points)
    assert (asked - expected).abs().max() <= TOLERANCE_M[torch.float64]
    assert asked.std() > 1e-3


@pytest.mark.parametrize("form", FORMS)
def test_every_form_in_float32(model, form):
    maps = random_maps(model.config.dim, (5, 7), batch=3)
    points = torch.stack([border_and_inside(maps.image_size, 40) for _ in range(3)])
    with torch.no_grad():
        exact = model.query(maps, points, form=form)
        narrow = model.float().query(maps.to(torch.float32), points.float(), form=form)
    assert (narrow - exact).abs().max() <= TOLERANCE_M[torch.float32]


def test_gradients_of_every_form_are_the_oracles(model):
    maps = random_maps(model.config.dim, (2, 3))
    inputs = [maps.stride_8_map, maps.l2, maps.l1]
    for feature_map in inputs:
        feature_map.requires_grad_()
    points = torch.cat(
        [
            cell_centres((4, 6), maps.image_size, like=maps.l1).detach(),
            border_and_inside(maps.image_size, 8),
        ]
    )[None]
    weighting = torch.randn(points.shape[1], dtype=torch.float64)
    path = model.local_path
    leaves = inputs + list(path.parameters())
    depths = {form: model.query(maps, points, form=form)[0] for form in FORMS}
    depths["oracle"] = oracle(path, maps, points)[0]
    gradients = {
        name: torch.autograd.grad((depth_m * weighting).sum(), leaves)
        for name, depth_m in depths.items()
    }
    names = ["s8", "l2", "l1", *dict(path.named_parameters())]
    for place, name in enumerate(names):
        expected = gradients["oracle"][place]
        scale = max(1.0, float(expected.abs().max()))
        for form in FORMS:
            gap = (gradients[form][place] - expected).abs().max()
            assert gap <= 1e-11 * scale, (form, name)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_any_number_of_points_of_projected_maps(model, count):
    maps = model.project(random_maps(model.config.dim, (3, 4), batch=2))
    points = torch.rand(2, count, 2, dtype=torch.float64) * 40
    asked = model.query(maps, points)
    assert asked.shape == (2, count)
    plain = dataclasses.replace(maps, projected=None)
    assert torch.allclose(asked, model.query(plain, points), atol=1e-12, rtol=0)


def test_projecting_gives_a_new_value_and_leaves_the_old_one(model):
    maps = random_maps(model.config.dim, (3, 4))
    projected = model.project(maps)
    assert maps.projected is None
    assert projected.projected is not None
    assert projected.l1 is maps.l1
    assert projected.nbytes == maps.nbytes * 3  # keys and values beside each map
    narrow = projected.to(torch.float32)
    assert narrow.projected is not None
    assert narrow.projected.l2.dtype == torch.float32
    assert not projected.detach().projected.l1.requires_grad


def test_weights_that_changed_make_projected_maps_useless_and_that_is_said(model):
    maps = model.project(random_maps(model.config.dim, (3, 4)))
    points = torch.rand(1, 3, 2, dtype=torch.float64) * 40
    model.query(maps, points)
    with torch.no_grad():
        model.local_path.stage2.v_proj.weight += 1
    with pytest.raises(InputError, match=r"project them again with model\.project"):
        model.query(maps, points)
    assert model.query(maps, points, form="folded").shape == (1, 3)  # which needs no projection


@pytest.mark.parametrize("name", ["conv", "bilinear_mlp"])
def test_other_local_paths_have_nothing_to_project(small_config, name):
    other = SPD(small_config.model_copy(update={"local_path": name}))
    maps = random_maps(small_config.dim, (3, 4), dtype=torch.float32)
    for call in (
        lambda: other.project(maps),
        lambda: other.query(maps, torch.zeros(1, 1, 2), form="projected"),
    ):
        with pytest.raises(InputError, match=f"{name} has no keys and values to project"):
            call()
    assert other.query_plan(maps, 10**6).form == "folded"


def test_the_plan_projects_nothing_unasked_and_says_what_that_would_save():
    model = SPD(ModelConfig()).eval()
    maps = FeatureMaps(
        *(torch.zeros(1, 64, *cells, device="meta") for cells in ((50, 68), (50, 68), (100, 136))),
        (350, 476),
    )
    # 167,116,800 MACs to project, 173,824 a query folded and 116,320 projected: 57,504 a query
    few, many = model.query_plan(maps, 2906), model.query_plan(maps, 2907)
    assert (few.form, few.macs_per_query, few.macs_once) == ("folded", 173_824, 614_400)
    assert few.reason == (
        "projecting first is slower (no multiply-adds saved); no kernel: gradients are wanted"
    )
    assert 2907 * 57_504 - 167_116_800 == 47_328
    assert many.form == "folded"
    assert many.reason.startswith("projecting first is slower (47,328 multiply-adds saved)")
    asked = model.query_plan(maps, 1, form="projected")
    assert (asked.macs_per_query, asked.macs_once) == (116_320, 167_116_800)
    assert asked.reason == "asked for"


def test_maps_that_are_projected_are_read_as_such(model):
    maps = model.project(random_maps(model.config.dim, (3, 4)))
    plan = model.query_plan(maps, 1)
    assert (plan.form, plan.macs_once, plan.reason) == (
        "projected",
        0,
        "these maps are projected",
    )


def test_flops_of_a_projected_query_are_the_counted_ones():
    # Scores and sums over cells are elementwise products, so the products with weights are left:
    # those of both stages, the head, and the embeddings' part.
    config = ModelConfig()
    path = CrossAttentionPath(config)
    grid = Grid((28, 28))
    maps = FeatureMaps(
        torch.zeros(1, 64, 4, 4), torch.zeros(1, 64, 4, 4), torch.zeros(1, 64, 8, 8), (28, 28)
    )
    with FlopCounterMode(display=False) as counter:
        projected = path.project(maps)
    assert counter.get_total_flops() == 2 * local_macs.arrangements(config, grid)["projected"][1]
    points = torch.tensor([[[0.0, 0.0], [10.25, 20.5], [27.5, 27.5]]])
    with FlopCounterMode(display=False) as counter:
        path.query(projected, points)
    layers = 2 * (2 * 64**2 + local_macs.ffn(config)) + local_macs.head(config)
    places = sum(local_macs.embeddings(config, stage) for stage in local_macs.SOURCES)
    once = local_macs.embeddings_once(config)
    assert counter.get_total_flops() == 2 * (3 * (layers + places) + once)


def test_a_path_without_its_second_stage_is_never_projected(small_config):
    model = SPD(small_config)
    model.local_path = build_head(VARIANTS["one stage"], small_config, 0)
    maps = random_maps(small_config.dim, (3, 4), dtype=torch.float32)
    with torch.no_grad():
        assert model.query_plan(maps, 10**6).form == "folded"
        assert model.query(maps, torch.rand(1, 5000, 2) * 40).shape == (1, 5000)
