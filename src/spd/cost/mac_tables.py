"""Tables of multiply-adds: section 10 of the specification, and v15.1."""

from collections.abc import Iterable

from spd.config import ModelConfig
from spd.cost import local_macs, shared_macs, v15_1_macs
from spd.cost.grids import SPECIFICATION_SIZE, Grid, Size
from spd.cost.parameters import Terms
from spd.cost.table import Rows, Table
from spd.cost.totals import BOTH, comparison_tables

SHARED = {
    "encoder.patch_embedding": "Encoder: patch embedding",
    "encoder.qkv_projections": "Encoder: Q, K, V projections",
    "encoder.attention": "Encoder: scores and weighted sums",
    "encoder.out_projections": "Encoder: output projections",
    "encoder.mlp": "Encoder: MLPs",
    "encoder": "Encoder",
    "neck.projections": "Neck: Conv1x1 of the four levels",
    "neck.l1_resize": "Neck: ConvTranspose 4x4, L1",
    "neck.l2_resize": "Neck: ConvTranspose 2x2, L2",
    "neck.l4_resize": "Neck: Conv3x3 stride 2, L4",
    "neck": "Neck",
    "global.refinenet4": "Global: RCU and Conv1x1 of L4",
    "global.refinenet3": "Global: two RCUs and Conv1x1 of L3",
    "global": "Global path",
    "total": "Shared, once per image",
}
QUERY_STAGE = {
    "q_projection": "Q projection",
    "fold_keys": "K projection folded into the query",
    "kv_projection": "K and V projection of the keys",
    "attention": "scores and weighted sum",
    "embeddings": "products with the embeddings",
    "unfold_values": "V projection of the weighted sum",
    "out_projection": "output projection",
    "ffn": "FFN",
}
DENSE = {
    "upsample": "Upsampling to L1's grid",
    "stage1.kv_maps": "Stage 1: K and V of the maps",
    "stage1.position_keys": "Stage 1: K and V of the position embeddings",
    "stage2.kv_maps": "Stage 2: K and V of the maps",
    "stage2.position_keys": "Stage 2: K and V of the position embeddings",
    "stage1.each": "Stage 1: one position",
    "stage1.positions": "Stage 1: all positions",
    "stage2.each": "Stage 2: one position",
    "stage2.positions": "Stage 2: all positions",
    "head.each": "Depth MLP: one position",
    "head.positions": "Depth MLP: all positions",
    "resize": "Resize of the depth to H x W",
}
V15_1 = {
    "refinenet2.units": "refinenet2, two RCUs",
    "refinenet2.upsample": "refinenet2, doubling",
    "refinenet2.out": "refinenet2, Conv1x1",
    "refinenet1.units": "refinenet1, two RCUs",
    "refinenet1.upsample": "refinenet1, doubling",
    "refinenet1.out": "refinenet1, Conv1x1",
    "head.conv1": "head, first Conv3x3",
    "head.upsample": "head, doubling",
    "head.conv2": "head, second Conv3x3",
    "head.conv3": "head, Conv1x1",
    "resize": "resize of the depth to H x W",
}


def mac_tables(config: ModelConfig, size: Size = SPECIFICATION_SIZE) -> list[Table]:
    """Every table of multiply-adds, for this configuration and image size.

    Args:
        config: the model.
        size: (height, width) of the image in pixels.

    Raises:
        InputError: if the encoder cannot take that size; it names the nearest valid sizes.
    """
    grid = Grid(size)
    return [
        _shared(config, grid),
        _query(config),
        _dense(config, grid),
        *comparison_tables(config, grid),
        _v15_1(config, grid),
    ]


def _shared(config: ModelConfig, grid: Grid) -> Table:
    counts: Terms = {"total": shared_macs.shared(config, grid)}
    for part, function in (
        ("encoder", shared_macs.encoder),
        ("neck", shared_macs.neck),
        ("global", shared_macs.global_path),
    ):
        terms = function(config, grid)
        counts |= {f"{part}.{key}": count for key, count in terms.items()}
        counts[part] = sum(terms.values())
    rows = Rows("10.1", "MACs")
    for key, name in SHARED.items():
        rows.add(key, name, counts[key], counts[key])
    return rows.table("Shared cost", BOTH)


def _query(config: ModelConfig) -> Table:
    specified = local_macs.sparse_as_specified(config)
    implemented = local_macs.sparse_as_implemented(config)
    names = {
        f"{stage}.{key}": f"Stage {stage[-1]}: {name}"
        for stage in local_macs.SOURCES
        for key, name in QUERY_STAGE.items()
    }
    names |= {"head": "Depth MLP", "sampling": "Sampling of the three windows"}
    rows = Rows("10.2", "MACs")
    for key, name in names.items():
        rows.add(key, name, specified.get(key), implemented.get(key))
    rows.add("total", "One query", sum(specified.values()), sum(implemented.values()))
    return rows.table("One query (sparse)", BOTH)


def _dense(config: ModelConfig, grid: Grid) -> Table:
    specified = local_macs.dense_as_specified(config, grid)
    implemented = local_macs.dense_as_implemented(config, grid)
    sums = sum(specified.values()), sum(implemented.values())
    head = local_macs.head(config)
    specified["head.each"] = implemented["head.each"] = head
    for stage in local_macs.SOURCES:
        each = local_macs.position(config, stage)
        specified[f"{stage}.each"] = each
        implemented[f"{stage}.each"] = each + local_macs.embeddings(config, stage)
    rows = Rows("10.3", "MACs")
    for key, name in DENSE.items():
        rows.add(key, name, specified.get(key), implemented.get(key))
    rows.add("total", "Dense local path", *sums)
    share = 100 * local_macs.kv_share(config)
    rows.add("kv_share", "Share of K and V in one query", share, None, unit="percent")
    return rows.table("All stride-4 positions (dense)", BOTH)


def _v15_1(config: ModelConfig, grid: Grid) -> Table:
    dense = v15_1_macs.dense(config, grid)
    queries = (v15_1_macs.sparse(config), v15_1_macs.sparse_as_implemented(config))
    rows = Rows("v15.1", "MACs")
    _add_terms(rows, "sparse", "One query", queries)
    _add_terms(rows, "dense", "Dense", (dense, dense))
    total = shared_macs.shared(config, grid) + sum(dense.values())
    rows.add("dense_total", "Dense, total", total, total)
    break_evens = (sum(dense.values()) / sum(query.values()) for query in queries)
    rows.add("break_even", "Break-even K*", *break_evens, unit="queries")
    return rows.table("Local path of the convolutional baseline", BOTH)


def _add_terms(rows: Rows, key: str, label: str, both: Iterable[Terms]) -> None:
    first, second = both
    for term in first:
        rows.add(f"{key}.{term}", f"{label}: {V15_1[term]}", first[term], second[term])
    rows.add(key, f"{label}: sum", sum(first.values()), sum(second.values()))
