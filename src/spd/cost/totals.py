"""Tables that compare: forms of a query, dense and sparse, v15.2 and v15.1 (10.2, 10.4 to 10.6)."""

from collections.abc import Sequence

from spd.config import ModelConfig
from spd.cost import local_macs, parameters, v15_1_macs
from spd.cost.shared_macs import Grid
from spd.cost.table import BOTH, Number, Table, Unit, percent_change
from spd.recipes import TrainConfig

QUERIES = (64, 128, 256, 512, 1024, 2329)
"""Values of K in the table of section 10.4."""
BFLOAT16_BYTES, FLOAT32_BYTES = 2, 4
ARRANGEMENTS = {
    "literal": "As specified: K and V computed for every token",
    "implemented": "As implemented: K and V projections folded into the query",
    "folded": "Folded, with embeddings added to the tokens",
    "blended": "Folded, with tokens interpolated from the 6x6 cells",
    "projected": "K and V computed once per map cell, then scores interpolated",
    "projected_features": "K and V computed once per map cell, then interpolated",
}
COMPARED = {
    "literal": "the specified query",
    "implemented": "the implemented query",
    "blended": "tokens from the 6x6 cells",
}
"""Arrangements that computing K and V once is compared with, with their names."""


def arrangements_table(config: ModelConfig, grid: Grid) -> Table:
    """Other arrangements of a query, and from how many queries projecting once pays."""
    costs = local_macs.arrangements(config, grid)
    table = Table(
        "10.2", "Alternative arrangements of the same query", columns=("per query", "once")
    )
    for key, (each, once) in costs.items():
        table.add(f"arrangement.{key}", ARRANGEMENTS[key], each, once or None)
    each, once = costs["projected"]
    for key, name in COMPARED.items():
        label = f"K and V computed once: break-even with {name}"
        pays_from = once / (costs[key][0] - each)
        table.add(f"arrangement.pays_{key}", label, None, pays_from, unit="queries")
    return table


def table_by_queries(config: ModelConfig, grid: Grid, shared: int) -> Table:
    """Section 10.4; K* is the number of queries that cost as much as the dense map.

    `shared` is the number of MACs before the local path.
    """
    query, dense = local_macs.sparse(config).sums, local_macs.dense(config, grid).sums
    dense_totals = [shared + macs for macs in dense]
    table = Table("10.4", "Total MACs by number of queries K")
    table.add("dense_total", "Dense map: total", *dense_totals)
    for k in QUERIES:
        local = [k * macs for macs in query]
        totals = [shared + macs for macs in local]
        shares = (100 * part / whole for part, whole in zip(totals, dense_totals, strict=True))
        table.add(f"{k}.local", f"K = {k:,}: local path", *local)
        table.add(f"{k}.total", f"K = {k:,}: total", *totals)
        table.add(f"{k}.share", f"K = {k:,}: share of the dense total", *shares, unit="percent")
    table.add("break_even", "Break-even K*", *_ratios(dense, query), unit="queries")
    return table


def table_against_v15_1(config: ModelConfig, grid: Grid, shared: int) -> Table:
    """Section 10.5; `shared` is the number of MACs before the local path."""
    table = Table("10.5", "v15.2 compared with v15.1")

    def compare(
        key: str, name: str, before: Sequence[Number], after: Sequence[Number], unit: Unit = "MACs"
    ) -> None:
        changes = map(percent_change, after, before)
        table.add(f"{key}_v15_1", f"{name}, v15.1", *before, unit=unit)
        table.add(key, f"{name}, v15.2", *after, unit=unit)
        table.add(f"{key}_change", f"{name}, change", *changes, unit="percent")

    counts = (parameters.local_path_v15_1(config).sums, parameters.local_path(config).sums)
    queries = (v15_1_macs.sparse(config).sums, local_macs.sparse(config).sums)
    denses = (v15_1_macs.dense(config, grid).sums, local_macs.dense(config, grid).sums)
    before, after = (_ratios(dense, query) for dense, query in zip(denses, queries, strict=True))
    compare("local", "Local parameters", 2 * counts[0], 2 * counts[1], "parameters")
    compare("query", "MACs per query", *queries)
    table.add("query_factor", "MACs per query, reduction factor", *_ratios(*queries), unit="times")
    compare("dense", "Dense local MACs", *denses)
    old_total, new_total = ([shared + macs for macs in dense] for dense in denses)
    compare("dense_total", "Dense total MACs", old_total, new_total)
    table.add("break_even_v15_1", "Break-even K*, v15.1", *before, unit="queries")
    table.add("break_even", "Break-even K*, v15.2", *after, unit="queries")
    table.add(
        "break_even_factor", "Break-even K*, increase factor", *_ratios(after, before), unit="times"
    )
    return table


def memory_table(config: ModelConfig, grid: Grid) -> Table:
    """The two figures of section 10.6 that follow from a formula; the others are estimates."""
    batch_size = TrainConfig().batch_size
    maps = 2 * local_macs.MAPS  # K and V of s8, L2 and L1
    kv_bytes = batch_size * maps * grid.l1 * config.dim * BFLOAT16_BYTES
    count = parameters.model(config.model_copy(update={"local_path": "cross_attention"}))
    assert count is not None
    table = Table("10.6", "Exactly computable terms of the training memory", "bytes", BOTH[:1])
    table.add("kv_maps", f"K and V maps, bfloat16, batch of {batch_size}", kv_bytes)
    table.add("optimiser", "AdamW's moments, float32", 2 * FLOAT32_BYTES * count)
    return table


def _ratios(numerators: Sequence[Number], denominators: Sequence[Number]) -> list[float]:
    return [a / b for a, b in zip(numerators, denominators, strict=True)]
