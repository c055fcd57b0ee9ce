"""MACs of the cross-attention local path, as the specification counts it and as the code runs it.

Both algorithms give the same depth. The specification projects keys and values of every token a
query reads; the code moves those projections from the tokens to the query (:func:`sparse_as_
implemented`) or, for whole maps, to the maps' own cells (:func:`dense_as_implemented`). A bilinear
sample is four multiply-adds a channel, as in the specification.
"""

from spd.config import ModelConfig
from spd.cost.grids import Grid
from spd.cost.parameters import Terms

SOURCES = {"stage1": 2, "stage2": 1}
"""Maps that each stage reads: s8 and L2, then L1 (specification, 6.4)."""
MAPS = 3
TILE = 6  # cells a side of a tile of `spd.models.decoder.dense_attention`
BILINEAR = 4  # neighbours, so multiply-adds, of one bilinear sample


def stage_tokens(config: ModelConfig, stage: str) -> int:
    """Key tokens of a stage: 50 and 25 with a 5x5 window."""
    return SOURCES[stage] * config.window**2


def ffn(config: ModelConfig) -> int:
    """Two linear layers, D to 4D and back, for one query."""
    return 2 * config.ffn_ratio * config.dim**2


def head(config: ModelConfig) -> int:
    """The depth MLP, D to 128 to 1, for one query."""
    return config.dim * config.head_width + config.head_width


def sparse_as_specified(config: ModelConfig) -> Terms:
    """One query by sections 8 and 10.2: K and V of all 75 tokens, for this query alone."""
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
    """Every token of one query's three windows as a weighted sum of four cells."""
    return MAPS * config.window**2 * BILINEAR * config.dim


def kv_share(config: ModelConfig) -> float:
    """Fraction of the specified query that goes into K and V of its tokens (10.3)."""
    terms = sparse_as_specified(config)
    return sum(terms[f"{stage}.kv_projection"] for stage in SOURCES) / sum(terms.values())


def sparse_as_implemented(config: ModelConfig) -> Terms:
    """One query with the projections folded into it; no token is projected.

    `q . (W_k t + b_k) = (W_k^T q) . t + q . b_k`, and `sum a (W_v t + b_v) = W_v (sum a t) + b_v`
    because the weights `a` of a head sum to one. Folding costs D^2 each way, once per query, and
    every head then works on all D channels of a token: 2 H D per token in place of 2 D. What the
    embeddings add is the same for every query; projected once per call, it costs 2 D per token
    and no second copy of every window in memory.
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
    """Scores and weighted sums of a stage's tokens where each head works on all D channels."""
    return 2 * stage_tokens(config, stage) * config.heads * config.dim


def embeddings(config: ModelConfig, stage: str) -> int:
    """What a stage's projected embeddings add to scores and values, each head on its own part."""
    return 2 * stage_tokens(config, stage) * config.dim


def embeddings_once(config: ModelConfig) -> int:
    """Projecting the embeddings of every place to keys and values, once per call of any K."""
    return sum(2 * stage_tokens(config, stage) * config.dim**2 for stage in SOURCES)


def window_blending(config: ModelConfig) -> int:
    """One map's window from the (n + 1)^2 cells it touches, blended along each axis.

    Rows first (n x (n + 1) blends), then columns (n x n), one multiply-add a channel each. The
    query's own start is the centre token of the stride-8 window and costs nothing more.
    """
    side = config.window
    return (side * (side + 1) + side * side) * config.dim


def dense_as_specified(config: ModelConfig, grid: Grid) -> Terms:
    """All stride-4 positions by sections 7.1 and 10.3: K and V once per cell of L1's grid."""
    area = config.dim**2
    terms: Terms = {"upsample": 2 * grid.l1 * BILINEAR * config.dim}  # s8 and L2
    for stage, sources in SOURCES.items():
        terms[f"{stage}.kv_maps"] = sources * 2 * area * grid.l1
        terms[f"{stage}.positions"] = grid.l1 * position(config, stage)
    terms["head.positions"] = grid.l1 * head(config)
    terms["resize"] = BILINEAR * grid.pixels
    return terms


def dense_as_implemented(config: ModelConfig, grid: Grid) -> Terms:
    """All stride-4 positions as the code runs them.

    K and V are projected on each map's own cells and upsampled afterwards, which is the same
    because bilinear weights sum to one: a quarter of the products for s8 and L2, two maps more
    each to upsample. The start is s8 upsampled. Position embeddings enter as products with the
    query and with the attention weights, not as 25 shifted copies of the maps. Scores and sums
    are products of whole tiles with all cells that one of their positions reads; tiles are
    counted as if they fitted the grid.
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
    """One position of one stage with K and V given: Q, attention, output projection, FFN."""
    attention = 2 * stage_tokens(config, stage) * config.dim
    return 2 * config.dim**2 + attention + ffn(config)


def arrangements(config: ModelConfig, grid: Grid) -> dict[str, tuple[int, int]]:
    """Ways to arrange the same query, as (MACs per query, MACs once per image or call).

    `folded` adds the embeddings to the tokens, which costs no product. `blended` gathers the
    (n + 1)^2 cells of a window and blends their features, in place of four cells for each token:
    fewer products, but every step goes through memory. `projected` keeps K and V of every cell of
    s8, L2 and L1, projected once. The terms of the scale and position embeddings depend on the
    place in the window, so they stay with the query. Of the window it reads the (n + 1)^2 cells,
    takes their scores and blends scores, one a head, rather than features; `projected_features`
    blends the features of K and V instead.
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
