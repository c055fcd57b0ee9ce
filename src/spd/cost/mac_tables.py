"""The specification's MAC tables: sections 10.1 to 10.3, and v15.1's two sums term by term."""

from collections.abc import Sequence

from spd.config import ModelConfig
from spd.cost import local_macs, shared_macs, v15_1_macs
from spd.cost.comparison_tables import comparison_tables
from spd.cost.grids import SPECIFICATION_SIZE, Grid, Size
from spd.cost.parameters import Terms
from spd.cost.rows import Section, is_specification
from spd.cost.table import Row, Table

COLUMNS = ("as specified", "as implemented")


def mac_tables(config: ModelConfig, size: Size = SPECIFICATION_SIZE) -> list[Table]:
    """Every MAC table of section 10, for this configuration and image size.

    Args:
        config: the model.
        size: (height, width) of the image in pixels.

    Raises:
        InputError: if the encoder cannot take that size; the nearest valid sizes are named.
    """
    grid = Grid(size)
    reference = is_specification(config, size)
    return [
        _shared(config, grid, Section("10.1", reference)),
        _sparse(config, Section("10.2", reference)),
        _dense(config, grid, Section("10.3", reference)),
        *comparison_tables(config, grid, reference),
        _v15_1(config, grid, Section("v15.1", reference)),
    ]


def _shared(config: ModelConfig, grid: Grid, section: Section) -> Table:
    names = {
        "encoder": {
            "patch_embedding": "Encoder: patch embedding",
            "qkv_projections": "Encoder: Q, K, V projections",
            "attention": "Encoder: scores and weighted sums",
            "out_projections": "Encoder: output projections",
            "mlp": "Encoder: MLPs",
        },
        "neck": {
            "projections": "Neck: Conv1x1 of the four levels",
            "l1_resize": "Neck: ConvTranspose 4x4, L1",
            "l2_resize": "Neck: ConvTranspose 2x2, L2",
            "l4_resize": "Neck: Conv3x3 stride 2, L4",
        },
        "global": {
            "refinenet4": "Global: RCU and Conv1x1 of L4",
            "refinenet3": "Global: two RCUs and Conv1x1 of L3",
        },
    }
    parts = {
        "encoder": shared_macs.encoder(config, grid),
        "neck": shared_macs.neck(config, grid),
        "global": shared_macs.global_path(config, grid),
    }
    titles = {"encoder": "Encoder", "neck": "Neck", "global": "Global path"}
    rows: list[Row] = []
    for part, terms in parts.items():
        for key, count in terms.items():
            rows.append(section.row(f"{part}.{key}", names[part][key], "MACs", count, count))
        count = sum(terms.values())
        rows.append(section.row(part, titles[part], "MACs", count, count))
    count = shared_macs.shared(config, grid)
    rows.append(section.row("total", "Shared, once per image", "MACs", count, count))
    return Table("Shared cost", "10.1", COLUMNS, tuple(rows))


def _sparse(config: ModelConfig, section: Section) -> Table:
    specified = local_macs.sparse_as_specified(config)
    implemented = local_macs.sparse_as_implemented(config)
    stage_names = {
        "q_projection": "Q projection",
        "fold_keys": "K projection folded into the query",
        "kv_projection": "K and V projection of the keys",
        "attention": "scores and weighted sum",
        "embeddings": "products with the embeddings",
        "unfold_values": "V projection of the weighted sum",
        "out_projection": "output projection",
        "ffn": "FFN",
    }
    names = {
        f"{stage}.{key}": f"Stage {stage[-1]}: {name}"
        for stage in local_macs.SOURCES
        for key, name in stage_names.items()
    }
    names |= {"head": "Depth MLP", "sampling": "Sampling of the three windows"}
    rows = [
        section.row(key, name, "MACs", specified.get(key), implemented.get(key))
        for key, name in names.items()
    ]
    sums = (sum(specified.values()), sum(implemented.values()))
    rows.append(section.row("total", "One query", "MACs", *sums))
    rows.append(section.row("total_rounded", "One query, as the text rounds it", "MACs", *sums))
    return Table("One query (sparse)", "10.2", COLUMNS, tuple(rows))


def _dense(config: ModelConfig, grid: Grid, section: Section) -> Table:
    specified = local_macs.dense_as_specified(config, grid)
    implemented = local_macs.dense_as_implemented(config, grid)
    rows: list[Row] = []

    def add(key: str, name: str, *values: int | None) -> None:
        rows.append(section.row(key, name, "MACs", *values))

    def both(key: str) -> tuple[int | None, int | None]:
        return specified.get(key), implemented.get(key)

    add("upsample", "Upsampling to L1's grid", *both("upsample"))
    for stage in local_macs.SOURCES:
        label = f"Stage {stage[-1]}"
        add(f"{stage}.kv_maps", f"{label}: K and V of the maps", *both(f"{stage}.kv_maps"))
        key = f"{stage}.position_keys"
        add(key, f"{label}: K and V of the position embeddings", *both(key))
    for stage in local_macs.SOURCES:
        label = f"Stage {stage[-1]}"
        each = local_macs.position(config, stage)
        more = local_macs.position_terms(config, stage)
        add(f"{stage}.each", f"{label}: one position", each, each + more)
        key = f"{stage}.positions"
        add(key, f"{label}: all positions", *both(key))
    head = local_macs.head(config)
    add("head.each", "Depth MLP: one position", head, head)
    add("head.positions", "Depth MLP: all positions", *both("head.positions"))
    add("resize", "Resize of the depth to H x W", *both("resize"))
    sums = (sum(specified.values()), sum(implemented.values()))
    add("total", "Dense local path", *sums)
    add("total_rounded", "Dense local path, in G", *sums)
    share = 100 * local_macs.kv_share(config)
    rows.append(section.row("kv_share", "Share of K and V in one query", "percent", share, None))
    return Table("All stride-4 positions (dense)", "10.3", COLUMNS, tuple(rows))


def _v15_1(config: ModelConfig, grid: Grid, section: Section) -> Table:
    dense = v15_1_macs.dense(config, grid)
    queries = (v15_1_macs.sparse(config), v15_1_macs.sparse_as_implemented(config))
    total = shared_macs.shared(config, grid) + sum(dense.values())
    break_evens = (sum(dense.values()) / sum(query.values()) for query in queries)
    rows = (
        *_v15_1_terms(section, "sparse", "One query", queries),
        *_v15_1_terms(section, "dense", "Dense", (dense, dense)),
        section.row("dense_total", "Dense, total", "MACs", total, total),
        section.row("break_even", "Break-even K*", "queries", *break_evens),
    )
    return Table("Local path of the convolutional baseline", "v15.1", COLUMNS, rows)


def _v15_1_terms(section: Section, key: str, label: str, both: Sequence[Terms]) -> list[Row]:
    names = {
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
    rows = [
        section.row(
            f"{key}.{term}", f"{label}: {names[term]}", "MACs", *(terms[term] for terms in both)
        )
        for term in both[0]
    ]
    sums = (sum(terms.values()) for terms in both)
    rows.append(section.row(key, f"{label}: sum", "MACs", *sums))
    return rows
