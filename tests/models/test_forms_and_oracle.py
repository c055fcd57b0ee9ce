"""Query and dense against the oracle at drawn sizes, the narrowest ones among them.

Forward at every cell of L1 in float64 and float32, gradients in float64 of twelve cells, corners
among them.
"""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import reference
from helpers.samples import random_maps
from spd.config import ModelConfig
from spd.geometry import cell_centres
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

# Depths are a few metres, so float32 rounds at 2.4e-7 m; some hundred operations lie between.
TOLERANCE_M = {torch.float32: 1e-5, torch.float64: 1e-12}
FORMS = ("query", "dense")
NARROWEST = [(2, 2), (2, 5), (5, 2)]  # 28 pixels a side: a window is wider than s8 and L2
DRAWN = [
    (int(rows), int(columns)) for rows, columns in np.random.default_rng(6).integers(2, 6, (3, 2))
]


@pytest.fixture(scope="module")
def model() -> SPD:
    torch.manual_seed(0)
    tiny = ModelConfig.tiny()
    made = SPD(ModelConfig(encoder=tiny.encoder, dim=8, heads=4, head_width=9, camera=tiny.camera))
    with torch.no_grad():  # peaked attention, so that a wrong weight shows
        for stage in (made.local_path.stage1, made.local_path.stage2):
            stage.q_proj.weight *= 20
            stage.k_proj.bias.normal_()
            stage.v_proj.bias.normal_()
    return made.double().eval()


def asked(model: SPD, maps: FeatureMaps, form: str) -> Tensor:
    """Metres at the centre of every cell of L1, `[B, cells]`, in one of the forms."""
    if form == "dense":
        return model.dense(maps).flatten(1)
    return model.query(maps, centres(maps), form="torch")


def centres(maps: FeatureMaps) -> Tensor:
    cells = (maps.l1.shape[2], maps.l1.shape[3])
    points = cell_centres(cells, maps.image_size, like=maps.l1.detach())
    return points.expand(maps.batch_size, -1, -1)


def oracle(model: SPD, maps: FeatureMaps, cells: Tensor | slice = slice(None)) -> Tensor:
    weights = dict(model.local_path.named_parameters())
    return torch.stack(
        [
            torch.stack(
                [
                    reference.depth_at(weights, s8, l2, l1, maps.image_size, u, v)
                    for u, v in points[cells].tolist()
                ]
            )
            for s8, l2, l1, points in zip(
                maps.stride_8_map, maps.l2, maps.l1, centres(maps), strict=True
            )
        ]
    )


@pytest.mark.parametrize("patches", NARROWEST + DRAWN, ids=str)
def test_every_form_equals_the_oracle_at_every_cell(model, patches):
    maps = random_maps(model.config.dim, patches)
    narrow = copy.deepcopy(model).float()
    with torch.no_grad():
        expected = oracle(model, maps)
        assert expected.std() > 1e-3
        for form in FORMS:
            gap = (asked(model, maps, form) - expected).abs().max()
            assert gap <= TOLERANCE_M[torch.float64], form
            gap = (asked(narrow, maps.to(torch.float32), form) - expected).abs().max()
            assert gap <= TOLERANCE_M[torch.float32], form


@pytest.mark.parametrize("patches", NARROWEST + DRAWN[:1], ids=str)
def test_gradients_of_every_form_are_the_oracles(model, patches):
    maps = random_maps(model.config.dim, patches)
    inputs = [maps.stride_8_map, maps.l2, maps.l1]
    for feature_map in inputs:
        feature_map.requires_grad_()
    leaves = inputs + list(model.local_path.parameters())
    names = ["s8", "l2", "l1", *dict(model.local_path.named_parameters())]
    rows, columns = maps.l1.shape[2:]
    corners = [0, columns - 1, (rows - 1) * columns, rows * columns - 1]
    cells = torch.cat([torch.tensor(corners), torch.randperm(rows * columns)[:8]])
    weighting = torch.randn(1, len(cells), dtype=torch.float64)

    def gradients(depth_m: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad((depth_m * weighting).sum(), leaves)

    expected = gradients(oracle(model, maps, cells))
    for form in FORMS:
        found = gradients(asked(model, maps, form)[:, cells])
        for name, got, wanted in zip(names, found, expected, strict=True):
            scale = max(1.0, float(wanted.abs().max()))
            assert (got - wanted).abs().max() <= 1e-11 * scale, (form, name)
