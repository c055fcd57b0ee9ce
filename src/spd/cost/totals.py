"""Tables that compare: forms of a query, dense and sparse, v15.2 and v15.1 (10.2, 10.4 to 10.6)."""

import dataclasses
from collections.abc import Sequence

from spd.config import ModelConfig
from spd.cost import local_macs, parameters, shared_macs, v15_1_macs
from spd.cost.grids import Grid
from spd.cost.parameter_tables import percent_change
from spd.cost.table import Number, Rows, Table, Unit
from spd.recipes import TrainConfig

BOTH = ("as specified", "as implemented")
QUERIES = (64, 128, 256, 512, 1024, 2329)
"""Values of K in the table of section 10.4."""
BFLOAT16_BYTES, FLOAT32_BYTES = 2, 4
ARRANGEMENTS = {
    "literal": "As specified: K and V of every token it reads",
    "implemented": "As implemented: K and V folded into the query",
    "folded": "Folded, embeddings added to the tokens",
    "blended": "The same, from 6x6 cells, features blended",
    "projected": "K and V projected once, scores blended",
    "projected_features": "K and V projected once, features blended",
}


@dataclasses.dataclass(frozen=True, slots=True)
class LocalCost:
    """Multiply-adds of a local path: one query, and the dense map."""

    query: int
    dense: int

    @property
    def break_even(self) -> float:
        """K*, the number of queries that cost as much as the dense map (specification, 10.4)."""
        return self.dense / self.query


def local_costs(config: ModelConfig, grid: Grid) -> tuple[LocalCost, LocalCost]:
    """v15.2 as specified and as implemented."""
    return (
        LocalCost(
            sum(local_macs.sparse_as_specified(config).values()),
            sum(local_macs.dense_as_specified(config, grid).values()),
        ),
        LocalCost(
            sum(local_macs.sparse_as_implemented(config).values()),
            sum(local_macs.dense_as_implemented(config, grid).values()),
        ),
    )


def v15_1_costs(config: ModelConfig, grid: Grid) -> tuple[LocalCost, LocalCost]:
    """v15.1 as specified and as implemented; the dense map is the same."""
    dense = sum(v15_1_macs.dense(config, grid).values())
    queries = (v15_1_macs.sparse(config), v15_1_macs.sparse_as_implemented(config))
    specified, implemented = (LocalCost(sum(query.values()), dense) for query in queries)
    return specified, implemented


def comparison_tables(config: ModelConfig, grid: Grid) -> list[Table]:
    """Other arrangements of a query, 10.4, 10.5, and the figures of 10.6 that have a formula."""
    return [
        _arrangements(config, grid),
        _by_queries(config, grid),
        _against_v15_1(config, grid),
        _memory(config, grid),
    ]


def _arrangements(config: ModelConfig, grid: Grid) -> Table:
    costs = local_macs.arrangements(config, grid)
    rows = Rows("10.2", "MACs")
    for key, (each, once) in costs.items():
        rows.add(f"arrangement.{key}", ARRANGEMENTS[key], each, once or None)
    each, once = costs["projected"]
    for key in ("literal", "implemented", "blended"):
        name = f"Projecting once pays from, against {key}"
        pays_from = once / (costs[key][0] - each)
        rows.add(f"arrangement.pays_{key}", name, None, pays_from, unit="queries")
    return rows.table("The same query arranged in other ways", ("per query", "once"))


def _by_queries(config: ModelConfig, grid: Grid) -> Table:
    shared = shared_macs.shared(config, grid)
    both = local_costs(config, grid)
    dense_totals = [shared + cost.dense for cost in both]
    rows = Rows("10.4", "MACs")
    rows.add("dense_total", "Dense, total", *dense_totals)
    for k in QUERIES:
        totals = [shared + k * cost.query for cost in both]
        shares = [100 * part / whole for part, whole in zip(totals, dense_totals, strict=True)]
        rows.add(f"{k}.local", f"K = {k:,}: local", *(k * cost.query for cost in both))
        rows.add(f"{k}.total", f"K = {k:,}: total", *totals)
        rows.add(f"{k}.share", f"K = {k:,}: of the dense total", *shares, unit="percent")
    rows.add("break_even", "Break-even K*", *(cost.break_even for cost in both), unit="queries")
    return rows.table("Total against the number of queries", BOTH)


def _against_v15_1(config: ModelConfig, grid: Grid) -> Table:
    shared = shared_macs.shared(config, grid)
    new, old = local_costs(config, grid), v15_1_costs(config, grid)
    counts = [
        parameters.total(count(config))
        for count in (parameters.local_path_v15_1, parameters.local_path)
    ]
    rows = Rows("10.5", "MACs")

    def compare(
        key: str, name: str, before: Sequence[Number], after: Sequence[Number], unit: Unit = "MACs"
    ) -> None:
        changes = (percent_change(a, b) for a, b in zip(after, before, strict=True))
        rows.add(f"{key}_v15_1", f"{name}, v15.1", *before, unit=unit)
        rows.add(key, f"{name}, v15.2", *after, unit=unit)
        rows.add(f"{key}_change", f"{name}, change", *changes, unit="percent")

    compare("local", "Local parameters", [counts[0]] * 2, [counts[1]] * 2, "parameters")
    compare("query", "MACs of a query", [c.query for c in old], [c.query for c in new])
    factors = (o.query / n.query for o, n in zip(old, new, strict=True))
    rows.add("query_factor", "MACs of a query, factor", *factors, unit="times")
    compare("dense", "Dense local MACs", [c.dense for c in old], [c.dense for c in new])
    before, after = ([shared + cost.dense for cost in costs] for costs in (old, new))
    compare("dense_total", "Dense total MACs", before, after)
    for key, version, costs in (
        ("break_even_v15_1", "v15.1", old),
        ("break_even", "v15.2", new),
    ):
        rows.add(key, f"Break-even K*, {version}", *(c.break_even for c in costs), unit="queries")
    factors = (n.break_even / o.break_even for o, n in zip(old, new, strict=True))
    rows.add("break_even_factor", "Break-even K*, factor", *factors, unit="times")
    return rows.table("v15.2 against v15.1", BOTH)


def _memory(config: ModelConfig, grid: Grid) -> Table:
    """The two figures of section 10.6 that follow from a formula; the others are estimates."""
    batch_size = TrainConfig().batch_size
    maps = 2 * local_macs.MAPS  # K and V of s8, L2 and L1
    kv_bytes = batch_size * maps * grid.l1 * config.dim * BFLOAT16_BYTES
    count = parameters.model(config.model_copy(update={"local_path": "cross_attention"}))
    assert count is not None
    rows = Rows("10.6", "bytes")
    rows.add("kv_maps", f"K and V maps, bfloat16, batch of {batch_size}", kv_bytes)
    rows.add("optimiser", "AdamW's moments, float32", 2 * FLOAT32_BYTES * count)
    return rows.table("Training memory that follows from a formula", BOTH[:1])
