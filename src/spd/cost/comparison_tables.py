"""Dense against sparse, v15.2 against v15.1, and memory (specification, 10.4 to 10.6)."""

import dataclasses

from spd.config import ModelConfig
from spd.cost import local_macs, parameters, shared_macs, v15_1_macs
from spd.cost.grids import Grid
from spd.cost.parameter_tables import percent_change
from spd.cost.rows import Section
from spd.cost.table import Row, Table, Unit
from spd.recipes import TrainConfig

COLUMNS = ("as specified", "as implemented")
QUERIES = (64, 128, 256, 512, 1024, 2329)
"""Values of K in the table of section 10.4."""
BFLOAT16_BYTES, FLOAT32_BYTES = 2, 4


@dataclasses.dataclass(frozen=True, slots=True)
class LocalCost:
    """What one local path costs: MACs of a query, and of the dense map."""

    query: int
    dense: int

    @property
    def break_even(self) -> float:
        """K*, the number of queries that costs as much as the dense map (specification, 10.4)."""
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
    """v15.1 as specified and as implemented; dense, they are the same."""
    dense = sum(v15_1_macs.dense(config, grid).values())
    queries = (v15_1_macs.sparse(config), v15_1_macs.sparse_as_implemented(config))
    specified, implemented = (LocalCost(sum(query.values()), dense) for query in queries)
    return specified, implemented


def comparison_tables(config: ModelConfig, grid: Grid, reference: bool) -> list[Table]:
    """Other arrangements of a query, 10.4, 10.5 and, where its figures have a formula, 10.6."""
    return [
        _arrangements(config, grid, Section("10.2", reference)),
        _by_queries(config, grid, Section("10.4", reference)),
        _against_v15_1(config, grid, Section("10.5", reference)),
        _memory(config, grid, Section("10.6", reference)),
    ]


def _arrangements(config: ModelConfig, grid: Grid, section: Section) -> Table:
    names = {
        "literal": "As specified: K and V of every token it reads",
        "implemented": "As implemented: K and V folded into the query",
        "folded": "Folded, embeddings added to the tokens",
        "blended": "The same, from 6x6 cells, features blended",
        "projected": "K and V projected once, scores blended",
        "projected_features": "K and V projected once, features blended",
    }
    costs = local_macs.arrangements(config, grid)
    rows = [
        section.row(f"arrangement.{key}", names[key], "MACs", each, once or None)
        for key, (each, once) in costs.items()
    ]
    each, once = costs["projected"]
    for key in ("literal", "implemented", "blended"):
        name = f"Projecting once pays from, against {key.replace('_', ' ')}"
        pays_from = once / (costs[key][0] - each)
        rows.append(section.row(f"arrangement.pays_{key}", name, "queries", None, pays_from))
    columns = ("per query", "once")
    return Table("The same query arranged in other ways", "10.2", columns, tuple(rows))


def _by_queries(config: ModelConfig, grid: Grid, section: Section) -> Table:
    shared = shared_macs.shared(config, grid)
    both = local_costs(config, grid)
    rows = [
        section.row("dense_total", "Dense, total", "MACs", *(shared + c.dense for c in both)),
    ]
    for k in QUERIES:
        totals = [shared + k * cost.query for cost in both]
        shares = [
            100 * total / (shared + cost.dense) for total, cost in zip(totals, both, strict=True)
        ]
        name = f"K = {k:,}"
        rows += [
            section.row(f"{k}.local", f"{name}: local", "MACs", *(k * cost.query for cost in both)),
            section.row(f"{k}.total", f"{name}: total", "MACs", *totals),
            section.row(f"{k}.share", f"{name}: of the dense total", "percent", *shares),
        ]
    break_even = (cost.break_even for cost in both)
    rows.append(section.row("break_even", "Break-even K*", "queries", *break_even))
    return Table("Total against the number of queries", "10.4", COLUMNS, tuple(rows))


def _against_v15_1(config: ModelConfig, grid: Grid, section: Section) -> Table:
    shared = shared_macs.shared(config, grid)
    both, old = local_costs(config, grid), v15_1_costs(config, grid)
    new_parameters = parameters.total(parameters.local_path(config))
    old_parameters = parameters.total(parameters.local_path_v15_1(config))
    totals = [shared + cost.dense for cost in both]
    queries = [cost.query for cost in both]
    rows = [
        *_compared(section, "local", "parameters", [old_parameters] * 2, [new_parameters] * 2),
        *_compared(section, "query", "MACs", [cost.query for cost in old], queries),
        _factor(section, "query", [o.query / query for o, query in zip(old, queries, strict=True)]),
        *_compared(section, "dense", "MACs", [c.dense for c in old], [c.dense for c in both]),
        *_compared(section, "dense_total", "MACs", [shared + c.dense for c in old], totals),
        section.row(
            "break_even_v15_1", "Break-even K*, v15.1", "queries", *(c.break_even for c in old)
        ),
        section.row("break_even", "Break-even K*, v15.2", "queries", *(c.break_even for c in both)),
        _factor(
            section,
            "break_even",
            [new.break_even / o.break_even for o, new in zip(old, both, strict=True)],
        ),
    ]
    return Table("v15.2 against v15.1", "10.5", COLUMNS, tuple(rows))


METRICS = {
    "local": "Local parameters",
    "query": "MACs of a query",
    "dense": "Dense local MACs",
    "dense_total": "Dense total MACs",
    "break_even": "Break-even K*",
}


def _compared(section: Section, key: str, unit: Unit, old: list[int], new: list[int]) -> list[Row]:
    """v15.1's two figures, v15.2's two, and the change in percent."""
    name = METRICS[key]
    changes = (percent_change(value, before) for before, value in zip(old, new, strict=True))
    return [
        section.row(f"{key}_v15_1", f"{name}, v15.1", unit, *old),
        section.row(key, f"{name}, v15.2", unit, *new),
        section.row(f"{key}_change", f"{name}, change", "percent", *changes),
    ]


def _factor(section: Section, key: str, factors: list[float]) -> Row:
    return section.row(f"{key}_factor", f"{METRICS[key]}, factor", "times", *factors)


def _memory(config: ModelConfig, grid: Grid, section: Section) -> Table:
    """The two figures of section 10.6 that follow from a formula; the others are estimates."""
    batch_size = TrainConfig().batch_size
    maps = 2 * local_macs.MAPS  # K and V of s8, L2 and L1
    kv_bytes = batch_size * maps * grid.l1 * config.dim * BFLOAT16_BYTES
    count = sum(
        parameters.total(terms)
        for terms in (
            parameters.encoder(config.encoder),
            parameters.neck(config),
            parameters.global_path(config),
            parameters.local_path(config),
        )
    )
    rows = (
        section.row("kv_maps", f"K and V maps, bfloat16, batch of {batch_size}", "bytes", kv_bytes),
        section.row("optimiser", "AdamW's moments, float32", "bytes", 2 * FLOAT32_BYTES * count),
    )
    return Table("Training memory that follows from a formula", "10.6", COLUMNS[:1], rows)
