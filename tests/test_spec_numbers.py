"""Every count of the specification: by `spd.cost`, in the live modules, by torch's counter."""

import json
import pathlib
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from spd import geometry
from spd.config import ModelConfig
from spd.cost import (
    cost_command,
    local_macs,
    mac_tables,
    parameter_tables,
    parameters,
    render,
    shared_macs,
    to_json,
    v15_1_macs,
)
from spd.cost.grids import Grid
from spd.cost.spec_values import DIFFERS, PRINTED, Printed
from spd.cost.table import Row
from spd.errors import InputError
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

FULL, TINY = ModelConfig(), ModelConfig.tiny()
FULL_GRID, TINY_GRID = Grid((350, 476)), Grid((168, 224))
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "cost.md"


def rows_of(config: ModelConfig, size: tuple[int, int]) -> dict[str, Row]:
    rows = [
        row
        for table in [*parameter_tables(config), *mac_tables(config, size)]
        for row in table.rows
    ]
    by_key = {row.key: row for row in rows}
    assert len(by_key) == len(rows), "two rows with one key"
    return by_key


SPECIFIED = rows_of(FULL, (350, 476))


# --- printed figures ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", PRINTED)
def test_printed_figure_is_reproduced_or_explained(key: str) -> None:
    row = SPECIFIED[key]
    assert row.printed == PRINTED[key].text
    if key in DIFFERS:
        assert row.agrees is False
        assert DIFFERS[key] in row.note
    else:
        assert row.agrees is True, f"{row.values[0]} is not printed as {row.printed}"


def test_printed_figures_are_parsed_with_their_precision() -> None:
    assert (Printed("5,846M").value, Printed("5,846M").quantum) == (5.846e9, 1e6)
    assert (Printed("~0.56M").value, Printed("~0.56M").quantum) == (0.56e6, 0.01e6)
    assert (Printed("-67%").value, Printed("-67%").quantum) == (-67, 1)
    assert (Printed("+3.4x").value, Printed("+3.4x").quantum) == (3.4, 0.1)
    assert Printed("733K").agrees_with(733_440)
    assert not Printed("733K").agrees_with(733_501)
    with pytest.raises(ValueError, match="'many'"):
        _ = Printed("many").value


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
        ("10.2/kv_share", 83.8),
    ):
        value = SPECIFIED[key].values[0]
        assert value is not None
        assert round(value, 1) == expected


def test_reasons_hold_in_the_specifications_own_rounded_arithmetic() -> None:
    assert PRINTED["9/total"].value == 22_000_000 + 558_145
    shared = 24.9 + 0.16 + 0.16
    assert f"{shared:.2f}G" == PRINTED["10.1/total"].text
    assert f"{25.22 + 1.70:.2f}G" == PRINTED["10.4/dense_total"].text
    assert f"{25.22 + 5.846:.2f}G" == PRINTED["10.5/dense_total_v15_1"].text
    assert f"{1700 / 0.73:,.0f}" == PRINTED["10.4/break_even"].text
    for k in (256, 512, 1024, 2329):
        assert PRINTED[f"10.4/{k}.local"].agrees_with(k * 0.73e6)
    for k in (64, 128, 256, 512, 1024, 2329):
        assert PRINTED[f"10.4/{k}.total"].agrees_with(25.22e9 + k * 0.73e6)
        assert PRINTED[f"10.4/{k}.share"].agrees_with(100 * (25.22e3 + k * 0.73) / 26.92e3)
    assert PRINTED["10.6/kv_maps"].agrees_with(EXACT["10.6/kv_maps"] / 2)  # one image of the two
    # Float32 weights and gradients beside the two moments: 16 bytes a parameter in place of 8.
    assert PRINTED["10.6/optimiser"].agrees_with(2 * EXACT["10.6/optimiser"])


def test_implemented_query_and_its_other_arrangements() -> None:
    costs = local_macs.arrangements(FULL, FULL_GRID)
    assert costs == {
        "literal": (733_440, 0),
        "implemented": (194_112, 0),
        "folded": (155_712, 0),
        "folded_by_token": (164_352, 0),
        "projected": (116_320, 167_116_800),
        "projected_features": (138_496, 167_116_800),
    }
    assert SPECIFIED["10.2/total"].values == (733_440, 194_112)
    for key, queries in (("literal", 270.8), ("implemented", 2148.3), ("folded_by_token", 3479.3)):
        pays_from = SPECIFIED[f"10.2/arrangement.pays_{key}"].values[1]
        assert pays_from is not None
        assert round(pays_from, 1) == queries
    assert SPECIFIED["10.4/break_even"].values[1] == 1_674_189_600 / 194_112


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
    formulas = {
        "encoder": parameters.encoder(config.encoder),
        "neck": parameters.neck(config),
        "global_path": parameters.global_path(config),
        "local_path": parameters.local_path(config),
    }
    for name, terms in formulas.items():
        assert count(model.get_submodule(name)) == sum(terms.values()), name
    assert count(model) == sum(sum(terms.values()) for terms in formulas.values())


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
    stage = parameters.stage(FULL)
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        assert count(model.get_submodule(f"local_path.stage1.{name}")) == stage["q_projection"]


def test_parameters_of_encoder_terms() -> None:
    terms = parameters.encoder(FULL.encoder)
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
    assert flops_of(build(config).encode, images) == 2 * shared_macs.shared(config, grid)


def test_flops_of_the_parts_of_encode() -> None:
    model, (height, width) = build(FULL), FULL_GRID.size
    encoder = shared_macs.encoder(FULL, FULL_GRID)
    images = torch.empty(1, 3, height, width, device="meta")
    assert flops_of(model.encoder, images) == 2 * sum(encoder.values())
    features = torch.empty(1, 384, 25, 34, device="meta")
    neck = shared_macs.neck(FULL, FULL_GRID)
    assert flops_of(model.neck, (features,) * 4) == 2 * sum(neck.values())


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
    terms = local_macs.sparse_as_implemented(FULL)
    counted = sum(terms.values()) - terms["sampling"]  # blends are elementwise
    assert flops_of(local.query, feature_maps(TINY_GRID), points) == 3 * 2 * counted


def test_flops_of_dense(local: CrossAttentionPath) -> None:
    terms = local_macs.dense_as_implemented(FULL, TINY_GRID)
    # Scores and weighted sums run shift by shift as elementwise products over the whole grid.
    attention = TINY_GRID.l1 * 2 * (50 + 25) * 64
    counted = sum(terms.values()) - terms["upsample"] - terms["resize"] - attention
    assert flops_of(local.dense, feature_maps(TINY_GRID)) == 2 * counted


def meta(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def test_flops_of_the_literal_query() -> None:
    """Section 10.2, written out with plain matrix products."""

    def literal() -> None:
        for tokens in (50, 25):
            meta(1, 64) @ meta(64, 64)  # Q
            meta(tokens, 64) @ meta(64, 128)  # K and V
            meta(4, 1, 16) @ meta(4, 16, tokens)  # scores of four heads
            meta(4, 1, tokens) @ meta(4, tokens, 16)
            meta(1, 64) @ meta(64, 64)  # output
            meta(1, 64) @ meta(64, 256) @ meta(256, 64)
        meta(1, 64) @ meta(64, 128) @ meta(128, 1)

    terms = local_macs.sparse_as_specified(FULL)
    assert flops_of(literal) == 2 * (sum(terms.values()) - terms["sampling"])


def conv(x: Tensor, channels: int, kernel: int, padding: int = 0) -> Tensor:
    return F.conv2d(x, meta(channels, x.shape[1], kernel, kernel), padding=padding)


def doubled(x: Tensor, crop: int | None = None) -> Tensor:
    size = (2 * x.shape[-2], 2 * x.shape[-1])
    x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
    return x if crop is None else x[..., :crop, :crop]


def v15_1_local(s8: Tensor, l2: Tensor, l1: Tensor, *, valid: bool) -> Tensor:
    """The baseline's convolutions; skips, biases and activations cost no products."""
    padding = 0 if valid else 1

    def units(x: Tensor) -> Tensor:
        return conv(conv(x, 64, 3, padding), 64, 3, padding)

    x = conv(doubled(units(s8) + units(l2), 7 if valid else None), 64, 1)
    x = conv(doubled(units(x) + units(l1), 5 if valid else None), 64, 1)
    x = doubled(conv(x, 32, 3, padding), 3 if valid else None)
    return conv(conv(x, 32, 3, padding), 1, 1)


def without_resizes(terms: parameters.Terms) -> int:
    return sum(
        macs for key, macs in terms.items() if not key.endswith("upsample") and key != "resize"
    )


def test_flops_of_v15_1_sparse() -> None:
    patches = (meta(1, 64, 9, 9), meta(1, 64, 9, 9), meta(1, 64, 7, 7))
    assert v15_1_local(*patches, valid=True).shape == (1, 1, 1, 1)
    flops = flops_of(lambda: v15_1_local(*patches, valid=True))
    assert flops == 2 * without_resizes(v15_1_macs.sparse(FULL))


def test_flops_of_v15_1_dense() -> None:
    maps = (meta(1, 64, 50, 68), meta(1, 64, 50, 68), meta(1, 64, 100, 136))
    assert v15_1_local(*maps, valid=False).shape == (1, 1, 400, 544)
    flops = flops_of(lambda: v15_1_local(*maps, valid=False))
    assert flops == 2 * without_resizes(v15_1_macs.dense(FULL, FULL_GRID))


# --- other configurations and sizes, text and JSON ---------------------------------------------


@pytest.mark.parametrize("size", [(168, 224), (28, 28), (364, 490)])
def test_other_sizes_keep_the_rows_and_drop_the_printed_mac_figures(size: tuple[int, int]) -> None:
    for config in (FULL, TINY):
        rows = rows_of(config, size)
        assert rows.keys() == SPECIFIED.keys()
        assert all(row.printed is None and row.agrees is None for row in rows.values()) == (
            config is TINY
        )
        assert rows["10.3/total"].printed is None


def test_grid_follows_the_maps_of_an_odd_patch_grid() -> None:
    l1, l2, l3, l4 = build(TINY).neck((torch.empty(1, 96, 5, 7, device="meta"),) * 4)
    grid = Grid((5 * 14, 7 * 14))
    cells = [feature_map[0, 0].numel() for feature_map in (l1, l2, l3, l4)]
    assert cells == [grid.l1, grid.l2, grid.patches, grid.l4]


@pytest.mark.parametrize("size", [(351, 476), (350, 14), (0, 28)])
def test_bad_size_has_the_message_of_the_model(size: tuple[int, int]) -> None:
    with pytest.raises(InputError) as from_geometry:
        geometry.check_image_size(size)
    with pytest.raises(InputError) as from_cost:
        mac_tables(FULL, size)
    assert str(from_cost.value) == str(from_geometry.value)


def test_json_holds_every_value_under_its_column() -> None:
    data = json.loads(cost_command(FULL, (350, 476), as_json=True))
    assert data["image_size"] == [350, 476]
    assert data["config"] == FULL.to_dict()
    by_key = {row["key"]: row for table in data["tables"] for row in table["rows"]}
    assert by_key["9/total"]["values"] == {"exact": 22_614_721}
    assert by_key["9/total"]["printed"] == "~22,558,145"
    assert by_key["9/total"]["agrees"] is False
    assert by_key["10.2/total"]["values"] == {"as specified": 733_440, "as implemented": 194_112}
    assert data["tables"] == to_json([*parameter_tables(FULL), *mac_tables(FULL)])["tables"]


def test_text_marks_what_differs_and_gives_the_reason_once() -> None:
    text = cost_command()
    line = next(line for line in text.splitlines() if line.startswith("| Whole model"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["Whole model [1]", "22,614,721", "~22,558,145 (differs)"]
    assert text.count(DIFFERS["9/total"]) == 1
    assert "350x476" in text.splitlines()[0]


def test_page_holds_the_tables_as_they_are() -> None:
    tables = render([*parameter_tables(FULL), *mac_tables(FULL)])
    assert tables in PAGE.read_text(encoding="utf-8"), "paste the output of `spd cost` again"


def test_cost_needs_no_torch() -> None:
    code = (
        "import sys, spd.cost; spd.cost.cost_command(); "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
