"""MACs of the cross-attention local path, as specified and as implemented.

Both algorithms give the same depth. The specification projects keys and values of every token that
a query reads. The code moves these projections to the query or, for whole
maps, to the maps' own cells. A bilinear sample counts four multiply-adds
per channel, as in the specification.
"""

from spd.config import ModelConfig
from spd.cost.shared_macs import Grid
from spd.cost.table import Table

SOURCES = {"stage1": 2, "stage2": 1}
"""Number of maps that each stage reads: s8 and L2, then L1 (specification, 6.4)."""
MAPS = 3
TILE = 6  # cells per side of a tile in `spd.models.decoder.dense_attention`
BILINEAR = 4  # neighbours, so multiply-adds, of one bilinear sample


def stage_tokens(config: ModelConfig, stage: str) -> int:
    """Number of tokens that a stage reads: 50 and 25 with a 5x5 window."""
    return SOURCES[stage] * config.window**2


def ffn(config: ModelConfig) -> int:
    """MACs of the feed-forward network for one query: D to 4D and back."""
    return 2 * config.ffn_ratio * config.dim**2


def head(config: ModelConfig) -> int:
    """MACs of the depth MLP for one query: D to 128 to 1."""
    return config.dim * config.head_width + config.head_width


def sparse(config: ModelConfig) -> Table:
    """MACs of one query.

    Sections 8 and 10.2 project K and V of all 75 tokens. The code folds both projections into the
    query (`spd.models.decoder.attention_stage`), which costs D^2 for keys and for values, once per
    query. Every head then works on all D channels of a token: 2 H D per token instead of 2 D. The
    embeddings are projected once per call and cost 2 D per token.
    """
    area = config.dim**2
    table = Table("10.2", "One query (sparse)")
    for stage in SOURCES:
        tokens, products = stage_tokens(config, stage), embeddings(config, stage)
        for key, name, specified, implemented in (
            ("q_projection", "Q projection", area, area),
            ("fold_keys", "K projection folded into the query", None, area),
            ("kv_projection", "K and V projections of all tokens", tokens * 2 * area, None),
            ("attention", "attention scores and weighted sum", products, config.heads * products),
            ("embeddings", "products with the position embeddings", None, products),
            ("unfold_values", "V projection of the weighted sum", None, area),
            ("out_projection", "output projection", area, area),
            ("ffn", "FFN", ffn(config), ffn(config)),
        ):
            table.add(f"{stage}.{key}", f"Stage {stage[-1]}: {name}", specified, implemented)
    table.add("head", "Depth MLP", head(config))
    table.add("sampling", "Sampling the three windows", token_sampling(config))
    table.add_sums("total", "One query")
    return table


def token_sampling(config: ModelConfig) -> int:
    """MACs to sample three windows, each token as a weighted sum of four cells."""
    return MAPS * config.window**2 * BILINEAR * config.dim


def embeddings(config: ModelConfig, stage: str) -> int:
    """MACs of a query's products with one vector of each token, for scores and for values."""
    return 2 * stage_tokens(config, stage) * config.dim


def embeddings_once(config: ModelConfig) -> int:
    """MACs to project one vector of every place to keys and values.

    The code does it with the embeddings, once per call; the specification with the tokens of every
    query.
    """
    return sum(2 * stage_tokens(config, stage) * config.dim**2 for stage in SOURCES)


def window_blending(config: ModelConfig) -> int:
    """MACs to blend one map's window from the (n + 1)^2 cells it touches, axis by axis.

    Rows first (n x (n + 1) blends), then columns (n x n), one multiply-add per channel each. The
    start of the query is the centre token of the stride-8 window and costs nothing more.
    """
    side = config.window
    return (side * (side + 1) + side * side) * config.dim


def dense(config: ModelConfig, grid: Grid) -> Table:
    """MACs of all stride-4 positions.

    Sections 7.1 and 10.3 project K and V once per cell of L1's grid. The code projects them on each
    map's own cells and upsamples them afterwards. That takes a quarter of the products for s8 and
    L2 and upsamples two more maps each. The start is s8 upsampled. Position embeddings enter as
    products with the query and with the attention weights. Scores and sums are products of whole
    tiles with all cells that one of their positions reads; tiles are counted as if they fitted the
    grid.
    """
    area, window = config.dim**2, config.window**2
    own_cells = {"stage1": grid.l2, "stage2": grid.l1}
    upsample = grid.l1 * BILINEAR * config.dim  # of one map
    table = Table("10.3", "All stride-4 positions (dense)")
    maps = (SOURCES["stage1"], 1 + 2 * SOURCES["stage1"])
    table.add("upsample", "Upsampling to L1's grid", *(n * upsample for n in maps))
    for stage, sources in SOURCES.items():
        name = f"Stage {stage[-1]}: K and V of the"
        kv_maps = (sources * 2 * area * cells for cells in (grid.l1, own_cells[stage]))
        table.add(f"{stage}.kv_maps", f"{name} maps", *kv_maps)
        table.add(f"{stage}.position_keys", f"{name} position embeddings", None, 2 * area * window)
    for stage, sources in SOURCES.items():
        specified = position(config, stage)
        implemented = specified + embeddings(config, stage)
        others = sources * 2 * ((TILE + config.window - 1) ** 2 - window) * config.dim
        all_positions = (grid.l1 * specified, grid.l1 * (implemented + others))
        name = f"Stage {stage[-1]}"
        table.add(f"{stage}.each", f"{name}: one position", specified, implemented, times=0)
        table.add(f"{stage}.positions", f"{name}: all positions", *all_positions)
    table.add("head.each", "Depth MLP: one position", head(config), times=0)
    table.add("head.positions", "Depth MLP: all positions", grid.l1 * head(config))
    table.add("resize", "Resizing the depth to H x W", BILINEAR * grid.pixels)
    table.add_sums("total", "Dense local path")
    share = 100 * (embeddings_once(config) / sparse(config).sums[0])
    table.add("kv_share", "Share of K and V in one query", share, None, unit="percent")
    return table


def position(config: ModelConfig, stage: str) -> int:
    """MACs of one position of a stage, K and V given: Q, attention, output projection, FFN."""
    return 2 * config.dim**2 + embeddings(config, stage) + ffn(config)


def arrangements(config: ModelConfig, grid: Grid) -> dict[str, tuple[int, int]]:
    """Arrangements of the same query, as (MACs per query, MACs once per image or call).

    - `literal`: as specified.
    - `implemented`: folded, embeddings projected once per call; `query` in torch.
    - `folded`: the embeddings are added to the tokens, which costs no product.
    - `blended`: tokens are blended from the (n + 1)^2 cells of a window; the compiled kernel.
    - `projected`: K and V of every cell of the maps are projected once. A query computes scores on
      (n + 1)^2 cells and blends the scores, one per head. Embeddings depend on the place in the
      window, so every query still adds their terms. Not implemented.
    - `projected_features`: blends the projected K and V instead of the scores. Not implemented.
    """
    literal, implemented = sparse(config).sums
    folded = implemented - sum(embeddings(config, stage) for stage in SOURCES)
    tokens, cells = MAPS * config.window**2, MAPS * (config.window + 1) ** 2
    token_samples = token_sampling(config)
    blended = implemented - token_samples + MAPS * window_blending(config)
    layers = len(SOURCES) * (2 * config.dim**2 + ffn(config)) + head(config)
    start = BILINEAR * config.dim
    on_tokens, on_cells = 2 * tokens * config.dim, 2 * cells * config.dim
    blended_scores = 2 * tokens * config.heads * BILINEAR
    once = 2 * config.dim**2 * (2 * grid.l2 + grid.l1)
    return {
        "literal": (literal, 0),
        "implemented": (implemented, embeddings_once(config)),
        "folded": (folded, 0),
        "blended": (blended, embeddings_once(config)),
        "projected": (layers + start + on_tokens + on_cells + blended_scores, once),
        "projected_features": (layers + start + on_tokens + 2 * token_samples, once),
    }
