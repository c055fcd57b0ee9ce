"""The counts of algorithms written out, other sizes, text, JSON and the page of `spd.cost`."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from helpers.costs import rows_of, terms_of
from helpers.paths import DOCS
from spd import pixels
from spd.config import ModelConfig
from spd.cost import (
    cost_command,
    local_macs,
    mac_tables,
    parameter_tables,
    parameters,
    v15_1_macs,
)
from spd.cost.shared_macs import Grid
from spd.cost.table import Table, render, to_json
from spd.errors import InputError
from spd.models.decoder import dense_attention
from spd.models.decoder.local_conv import ConvPath
from spd.models.encoder_vits.pyramid_neck import PyramidNeck
from spd.models.feature_maps import FeatureMaps

FULL, TINY = ModelConfig(), ModelConfig.tiny()
FULL_GRID = Grid((350, 476))
PAGE = DOCS / "cost.md"


SPECIFIED = rows_of(FULL, (350, 476))


def flops_of(function: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def test_macs_of_every_arrangement_of_a_query() -> None:
    costs = local_macs.arrangements(FULL, FULL_GRID)
    assert costs == {
        "literal": (733_440, 0),
        "implemented": (173_824, 614_400),
        "folded": (164_224, 0),
        "blended": (165_184, 614_400),
        "projected": (116_320, 167_116_800),
        "projected_features": (138_496, 167_116_800),
    }
    assert SPECIFIED["10.2/total"].values == (733_440, 173_824)
    for key, queries in (("literal", 270.8), ("implemented", 2906.2), ("blended", 3420.0)):
        pays_from = SPECIFIED[f"10.2/arrangement.pays_{key}"].values[1]
        assert pays_from is not None
        assert round(pays_from, 1) == queries
    assert dense_attention.TILE == local_macs.TILE
    assert SPECIFIED["10.4/break_even"].values[1] == 2_065_664_800 / 173_824


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

    terms = terms_of(local_macs.sparse(FULL))
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


def without_resizes(table: Table, column: int = 0) -> int:
    terms = terms_of(table, column)
    return sum(macs for key, macs in terms.items() if not key.endswith(("upsample", "resize")))


def test_flops_of_v15_1_sparse() -> None:
    patches = (meta(1, 64, 9, 9), meta(1, 64, 9, 9), meta(1, 64, 7, 7))
    assert v15_1_local(*patches, valid=True).shape == (1, 1, 1, 1)
    flops = flops_of(lambda: v15_1_local(*patches, valid=True))
    assert flops == 2 * without_resizes(v15_1_macs.sparse(FULL))


def test_flops_of_v15_1_sparse_as_implemented() -> None:
    path = ConvPath(FULL.model_copy(update={"local_path": "conv"}))
    maps = FeatureMaps(*(torch.zeros(1, 64, n * 5, n * 6) for n in (2, 2, 4)), (70, 84))
    flops = flops_of(lambda: path.query(maps, torch.rand(1, 7, 2)))
    assert flops == 7 * 2 * without_resizes(v15_1_macs.sparse(FULL), 1)


def test_flops_of_v15_1_dense() -> None:
    maps = (meta(1, 64, 50, 68), meta(1, 64, 50, 68), meta(1, 64, 100, 136))
    assert v15_1_local(*maps, valid=False).shape == (1, 1, 400, 544)
    flops = flops_of(lambda: v15_1_local(*maps, valid=False))
    assert flops == 2 * without_resizes(v15_1_macs.dense(FULL, FULL_GRID))


# --- other configurations and sizes, text and JSON ---------------------------------------------


@pytest.mark.parametrize("size", [(168, 224), (28, 28), (364, 490)])
def test_other_sizes_and_models_have_the_same_rows(size: tuple[int, int]) -> None:
    for config in (FULL, TINY):
        assert rows_of(config, size).keys() == SPECIFIED.keys()


def test_grid_has_the_sizes_of_an_odd_patch_grid() -> None:
    with torch.device("meta"):
        l1, l2, l3, l4 = PyramidNeck(TINY)((torch.empty(1, 96, 5, 7),) * 4)
    grid = Grid((5 * 14, 7 * 14))
    cells = [feature_map[0, 0].numel() for feature_map in (l1, l2, l3, l4)]
    assert cells == [grid.l1, grid.l2, grid.patches, grid.l4]


@pytest.mark.parametrize("size", [(351, 476), (350, 14), (0, 28)])
def test_bad_size_has_the_same_message_as_in_the_model(size: tuple[int, int]) -> None:
    with pytest.raises(InputError) as from_geometry:
        pixels.check_image_size(size)
    with pytest.raises(InputError) as from_cost:
        mac_tables(FULL, size)
    assert str(from_cost.value) == str(from_geometry.value)


def test_json_holds_every_value_under_its_column() -> None:
    data = json.loads(cost_command(FULL, (350, 476), as_json=True))
    assert data["image_size"] == [350, 476]
    assert data["config"] == FULL.to_dict()
    by_key = {row["key"]: row for table in data["tables"] for row in table["rows"]}
    assert by_key["9/total"]["values"] == {"exact": 22_614_721}
    assert by_key["10.2/total"]["values"] == {"as specified": 733_440, "as implemented": 173_824}
    assert data["tables"] == to_json([*parameter_tables(FULL), *mac_tables(FULL)])["tables"]


def test_text_names_the_size_and_shows_every_row() -> None:
    text = cost_command()
    line = next(line for line in text.splitlines() if line.startswith("| Whole model"))
    assert [cell.strip() for cell in line.strip("|").split("|")] == ["Whole model", "22,614,721"]
    assert "350x476" in text.splitlines()[0]


def test_a_local_path_without_a_formula_has_no_count() -> None:
    assert parameters.model(FULL) == 22_614_721
    assert parameters.model(FULL.model_copy(update={"local_path": "bilinear_mlp"})) is None


def test_page_contains_the_tables_of_the_command() -> None:
    tables = render([*parameter_tables(FULL), *mac_tables(FULL)])
    page = PAGE.read_text(encoding="utf-8")
    assert tables in page, "paste the output of `spd cost` again"
    text = page.split("## The tables")[0]
    costs = local_macs.arrangements(FULL, FULL_GRID)
    for key in ("literal", "implemented", "folded"):
        assert f"{costs[key][0]:,}" in text, f"the text does not give the cost of a query, {key}"
    for break_even in SPECIFIED["10.4/break_even"].values:
        assert f"{break_even:,.0f}" in text


def test_cost_needs_no_torch() -> None:
    code = (
        "import sys, spd.cost; spd.cost.cost_command(); "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
