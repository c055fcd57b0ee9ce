"""MACs of the cross-attention local path, as specified and as implemented.

Both algorithms give the same depth. The specification projects keys and values of every token that
a query reads. The code moves these projections to the query (`sparse_as_implemented`) or, for whole
maps, to the maps' own cells (`dense_as_implemented`). A bilinear sample counts four multiply-adds
per channel, as in the specification.
"""

from spd.config import ModelConfig
from spd.cost.grids import Grid
from spd.cost.parameters import Terms

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


def sparse_as_specified(config: ModelConfig) -> Terms:
    """MACs of one query by sections 8 and 10.2, which project K and V of all 75 tokens."""
    area = config.dim**2
    terms: Terms = {}
    for stage in SOURCES:
        tokens = stage_tokens(config, stage)
        terms[f"{stage}.q_projection"] = area
        terms[f"{stage}.kv_projection"] = tokens * 2 * area
        terms[f"{stage}.attention"] = 2 * tokens * config.dim
        terms[f"{stage}.out_projection"] = area
        terms[f"{stage}.ffn"] = ffn(config)
    terms["head"] = head(config)
    terms["sampling"] = token_sampling(config)
    return terms


def token_sampling(config: ModelConfig) -> int:
    """MACs to sample three windows, each token as a weighted sum of four cells."""
    return MAPS * config.window**2 * BILINEAR * config.dim


def kv_share(config: ModelConfig) -> float:
    """Share of K and V projections in the specified query (10.3)."""
    terms = sparse_as_specified(config)
    return sum(terms[f"{stage}.kv_projection"] for stage in SOURCES) / sum(terms.values())


def sparse_as_implemented(config: ModelConfig) -> Terms:
    """MACs of one query in the folded form (`spd.models.decoder.attention_stage`).

    Folding costs D^2 for keys and for values, once per query. Every head then works on all D
    channels of a token: 2 H D per token instead of 2 D. The embeddings are projected once per call
    and cost 2 D per token.
    """
    area = config.dim**2
    terms: Terms = {}
    for stage in SOURCES:
        terms[f"{stage}.q_projection"] = area
        terms[f"{stage}.fold_keys"] = area
        terms[f"{stage}.attention"] = folded_attention(config, stage)
        terms[f"{stage}.embeddings"] = embeddings(config, stage)
        terms[f"{stage}.unfold_values"] = area
        terms[f"{stage}.out_projection"] = area
        terms[f"{stage}.ffn"] = ffn(config)
    terms["head"] = head(config)
    terms["sampling"] = token_sampling(config)
    return terms


def folded_attention(config: ModelConfig, stage: str) -> int:
    """MACs of a stage's scores and weighted sums if each head works on all D channels."""
    return 2 * stage_tokens(config, stage) * config.heads * config.dim


def embeddings(config: ModelConfig, stage: str) -> int:
    """MACs of a stage's products with projected embeddings, for scores and for values."""
    return 2 * stage_tokens(config, stage) * config.dim


def embeddings_once(config: ModelConfig) -> int:
    """MACs to project the embeddings of all places to keys and values, once per call."""
    return sum(2 * stage_tokens(config, stage) * config.dim**2 for stage in SOURCES)


def window_blending(config: ModelConfig) -> int:
    """MACs to blend one map's window from the (n + 1)^2 cells it touches, axis by axis.

    Rows first (n x (n + 1) blends), then columns (n x n), one multiply-add per channel each. The
    start of the query is the centre token of the stride-8 window and costs nothing more.
    """
    side = config.window
    return (side * (side + 1) + side * side) * config.dim


def dense_as_specified(config: ModelConfig, grid: Grid) -> Terms:
    """MACs of all stride-4 positions by 7.1 and 10.3, with K and V once per cell of L1's grid."""
    area = config.dim**2
    terms: Terms = {"upsample": 2 * grid.l1 * BILINEAR * config.dim}  # s8 and L2
    for stage, sources in SOURCES.items():
        terms[f"{stage}.kv_maps"] = sources * 2 * area * grid.l1
        terms[f"{stage}.positions"] = grid.l1 * position(config, stage)
    terms["head.positions"] = grid.l1 * head(config)
    terms["resize"] = BILINEAR * grid.pixels
    return terms


def dense_as_implemented(config: ModelConfig, grid: Grid) -> Terms:
    """MACs of all stride-4 positions as the code computes them.

    K and V are projected on each map's own cells and upsampled afterwards. That takes a quarter of
    the products for s8 and L2 and upsamples two more maps each. The start is s8 upsampled. Position
    embeddings enter as products with the query and with the attention weights. Scores and sums are
    products of whole tiles with all cells that one of their positions reads; tiles are counted as
    if they fitted the grid.
    """
    area, window = config.dim**2, config.window**2
    own_cells = {"stage1": grid.l2, "stage2": grid.l1}
    terms: Terms = {"upsample": (1 + 2 * SOURCES["stage1"]) * grid.l1 * BILINEAR * config.dim}
    for stage, sources in SOURCES.items():
        terms[f"{stage}.kv_maps"] = sources * 2 * area * own_cells[stage]
        terms[f"{stage}.position_keys"] = 2 * area * window
        each = position(config, stage) + embeddings(config, stage)
        each += sources * 2 * ((TILE + config.window - 1) ** 2 - window) * config.dim
        terms[f"{stage}.positions"] = grid.l1 * each
    terms["head.positions"] = grid.l1 * head(config)
    terms["resize"] = BILINEAR * grid.pixels
    return terms


def position(config: ModelConfig, stage: str) -> int:
    """MACs of one position of a stage, K and V given: Q, attention, output projection, FFN."""
    attention = 2 * stage_tokens(config, stage) * config.dim
    return 2 * config.dim**2 + attention + ffn(config)


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
    implemented = sum(sparse_as_implemented(config).values())
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
        "literal": (sum(sparse_as_specified(config).values()), 0),
        "implemented": (implemented, embeddings_once(config)),
        "folded": (folded, 0),
        "blended": (blended, embeddings_once(config)),
        "projected": (layers + start + on_tokens + on_cells + blended_scores, once),
        "projected_features": (layers + start + on_tokens + 2 * token_samples, once),
    }
