"""The counts of `spd.cost` equal those of the live modules and of torch's flop counter."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from helpers.costs import rows_of, terms_of
from spd.config import ModelConfig
from spd.cost import local_macs, parameters, shared_macs
from spd.cost.shared_macs import Grid
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

FULL, TINY = ModelConfig(), ModelConfig.tiny()
FULL_GRID, TINY_GRID = Grid((350, 476)), Grid((168, 224))


SPECIFIED = rows_of(FULL, (350, 476))


def test_grids_of_the_specifications_input() -> None:
    assert (FULL_GRID.patches, FULL_GRID.tokens) == (25 * 34, 25 * 34 + 1)
    assert (FULL_GRID.l1, FULL_GRID.l2, FULL_GRID.l4) == (13_600, 50 * 68, 13 * 17)


EXACT = {
    "9/total": 22_614_721,
    "10.1/encoder": 24_936_007_680,
    "10.1/neck": 161_337_344,
    "10.1/global": 159_039_488,
    "10.1/total": 25_256_384_512,
    "10.2/total": 733_440,
    "10.3/total": 1_699_687_200,
    "10.4/dense_total": 26_956_071_712,
    "10.4/256.local": 187_760_640,
    "10.4/1024.total": 26_007_427_072,
    "v15.1/dense": 5_846_272_800,
    "v15.1/sparse": 8_480_288,
    "v15.1/dense_total": 31_102_657_312,
    "10.6/kv_maps": 20_889_600,
    "10.6/optimiser": 180_917_768,
}


@pytest.mark.parametrize("key", EXACT)
def test_exact_figure(key: str) -> None:
    assert SPECIFIED[key].values[0] == EXACT[key]


def test_exact_ratios() -> None:
    for key, expected in (
        ("10.4/break_even", 2317.4),
        ("10.5/break_even_v15_1", 689.4),
        ("10.5/query_factor", 11.6),
        ("10.3/kv_share", 83.8),
    ):
        value = SPECIFIED[key].values[0]
        assert value is not None
        assert round(value, 1) == expected


# --- live modules ------------------------------------------------------------------------------


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def build(config: ModelConfig) -> SPD:
    """The model without its weights: shapes are all that is counted."""
    with torch.device("meta"):
        return SPD(config)


@pytest.mark.parametrize("config", [FULL, TINY], ids=["full", "tiny"])
def test_parameters_of_live_modules(config: ModelConfig) -> None:
    model = build(config)
    tables = {
        "encoder": parameters.encoder(config.encoder),
        "neck": parameters.neck(config),
        "global_path": parameters.global_path(config),
        "local_path": parameters.local_path(config),
    }
    for name, table in tables.items():
        assert (count(model.get_submodule(name)),) == table.sums, name
    assert count(model) == sum(table.sums[0] for table in tables.values())


def test_parameters_of_live_parts_by_group() -> None:
    model = build(FULL)
    groups = {
        "encoder": 22_056_576,
        "neck": 218_048,
        "neck.projections": 98_560 + 512,
        "neck.resizes": 65_600 + 16_448 + 36_928,
        "global_path": 229_888,
        "global_path.rcu_l4": 73_856,
        "local_path": 110_209,
        "local_path.stage1": 49_984,
        "local_path.stage2": 49_984,
        "local_path.stage1.ffn": 33_088,
        "local_path.head": 8_449,
    }
    for name, expected in groups.items():
        assert count(model.get_submodule(name)) == expected, name
    assert model.get_parameter("local_path.scale_embedding").numel() == 192
    assert model.get_parameter("local_path.position_embedding").numel() == 1_600
    stage = terms_of(parameters.stage(FULL))
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        assert count(model.get_submodule(f"local_path.stage1.{name}")) == stage["q_projection"]


def test_parameters_of_encoder_terms() -> None:
    terms = terms_of(parameters.encoder(FULL.encoder))
    encoder = build(FULL).encoder
    by_name = {name: parameter.numel() for name, parameter in encoder.named_parameters()}

    def matching(part: str) -> int:
        return sum(size for name, size in by_name.items() if part in name)

    assert terms["patch_embedding"] == matching("patch_embeddings")
    assert terms["position_table"] == matching("position_embeddings")
    assert terms["class_and_mask_tokens"] == matching("cls_token") + matching("mask_token")
    assert terms["attention"] == matching(".attention.")
    assert terms["mlp"] == matching(".mlp.")


# --- torch's flop counter ----------------------------------------------------------------------
# It counts two per multiply-add of convolutions and matrix products, and nothing of elementwise
# products or bilinear resizes. Equality is exact: both count the same integers.


def flops_of(function: object, *args: object) -> int:
    assert callable(function)
    # The fused attention kernels of a CPU are unknown to the counter; the plain one is products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        function(*args)
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("config", "grid"), [(FULL, FULL_GRID), (TINY, TINY_GRID)], ids=["full", "tiny"]
)
def test_flops_of_encode(config: ModelConfig, grid: Grid) -> None:
    images = torch.empty(1, 3, *grid.size, device="meta")
    assert flops_of(build(config).encode, images) == 2 * shared_macs.shared(config, grid).sums[1]


def test_flops_of_the_parts_of_encode() -> None:
    model, (height, width) = build(FULL), FULL_GRID.size
    encoder = shared_macs.encoder(FULL, FULL_GRID)
    images = torch.empty(1, 3, height, width, device="meta")
    assert flops_of(model.encoder, images) == 2 * encoder.sums[1]
    features = torch.empty(1, 384, 25, 34, device="meta")
    neck = shared_macs.neck(FULL, FULL_GRID)
    assert flops_of(model.neck, (features,) * 4) == 2 * neck.sums[1]


@pytest.fixture(scope="module")
def local() -> CrossAttentionPath:
    torch.manual_seed(0)
    return CrossAttentionPath(FULL)


def feature_maps(grid: Grid) -> FeatureMaps:
    height, width = grid.size[0] // 14, grid.size[1] // 14
    coarse = torch.zeros(1, 64, 2 * height, 2 * width)
    return FeatureMaps(coarse, coarse, torch.zeros(1, 64, 4 * height, 4 * width), grid.size)


def test_flops_of_a_query(local: CrossAttentionPath) -> None:
    points = torch.tensor([[[0.0, 0.0], [10.25, 20.5], [223.5, 167.0]]])
    terms = terms_of(local_macs.sparse(FULL), 1)
    counted = sum(terms.values()) - terms["sampling"]  # blends are elementwise
    expected = 2 * (3 * counted + local_macs.embeddings_once(FULL))
    assert flops_of(local.query, feature_maps(TINY_GRID), points) == expected


def test_flops_of_dense(local: CrossAttentionPath) -> None:
    grid = Grid((168, 210))  # 48x60 cells of L1: whole tiles, of every second cell too
    terms = terms_of(local_macs.dense(FULL, grid), 1)
    counted = sum(terms.values()) - terms["upsample"] - terms["resize"]
    assert flops_of(local.dense, feature_maps(grid)) == 2 * counted
