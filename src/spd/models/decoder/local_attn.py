"""v15.2 local path: two cross-attention stages per queried pixel (specification, section 6).

`query` and `dense` are two schedules of one function with one set of weights; `docs/design.md`
says why they agree and `tests/test_equivalence.py` shows that they do.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.geometry import resize_bilinear, sample_window
from spd.models.decoder.local_path import depth_head, head_depth_m
from spd.models.feature_maps import FeatureMaps


class CrossAttentionStage(nn.Module):
    """One query reads N tokens, then a feed-forward network (specification, 6.5 and 6.6).

        q' = q + out_proj(MHA(q_proj(LN(q)), k_proj(t), v_proj(t)))
        q  = q' + FFN(LN(q'))

    with H heads of D/H channels, scores scaled by 1/sqrt(D/H), FFN = Linear, GELU, Linear.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.norm_q = nn.LayerNorm(dim)
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.norm_ffn = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(
            nn.Linear(dim, config.ffn_ratio * dim),
            nn.GELU(),
            nn.Linear(config.ffn_ratio * dim, dim),
        )

    def heads_of(self, query: Float[Tensor, "*b d"]) -> Float[Tensor, "*b heads e"]:
        """Normalised and projected queries, split into heads and scaled."""
        projected = self.q_proj(self.norm_q(query)).unflatten(-1, (self.heads, -1))
        return projected / math.sqrt(projected.shape[-1])

    def split(self, projection: nn.Linear) -> Float[Tensor, "heads e d"]:
        """A projection's weight with its output rows grouped by head."""
        return projection.weight.unflatten(0, (self.heads, -1))

    def by_place(
        self, projection: nn.Linear, embedding: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n heads e"]:
        """What the embedding of each place adds to a projected token, without the bias."""
        return (embedding @ projection.weight.T).unflatten(-1, (self.heads, -1))

    def read(
        self, query: Float[Tensor, "b k d"], windows: Sequence[tuple[Tensor, Tensor]]
    ) -> Float[Tensor, "b k d"]:
        """Attend from each query to its own tokens, without projecting any token.

        The projections leave the tokens for the query: `q . (W t + b) = (W' q) . t + q . b`, and
        `sum a (W t + b) = W (sum a t) + b` because the weights `a` sum to one. What embeddings
        add to a key or value is the same for every query and projected once per call.

        Args:
            query: one per point.
            windows: per source map, the features `[B, K, n, D]` around each point, and the
                embedding `[n, D]` that makes keys of them.
        """
        weights = self.attention(query, windows)
        parts = weights.split([embedding.shape[0] for _, embedding in windows], dim=-1)
        read = [
            (part @ features, torch.einsum("bkhn,nhe->bkhe", part, self.by_place(self.v_proj, e)))
            for part, (features, e) in zip(parts, windows, strict=True)
        ]
        mixed = torch.stack([features for features, _ in read]).sum(dim=0)  # [B, K, H, D]
        placed = torch.stack([places for _, places in read]).sum(dim=0)  # [B, K, H, e]
        values = torch.einsum("bkhd,hed->bkhe", mixed, self.split(self.v_proj)) + placed
        return self.finish(query, values.flatten(-2) + self.v_proj.bias)

    def attention(
        self, query: Float[Tensor, "b k d"], windows: Sequence[tuple[Tensor, Tensor]]
    ) -> Float[Tensor, "b k heads n"]:
        """How much each query reads of each of its tokens, head by head; sums to one over them."""
        q = self.heads_of(query)  # [B, K, H, e]
        folded = torch.einsum("bkhe,hed->bkhd", q, self.split(self.k_proj))
        # The same for every token, so softmax drops it; it keeps the bias's (zero) gradient.
        constant = torch.einsum("bkhe,he->bkh", q, self.k_proj.bias.unflatten(0, (self.heads, -1)))
        scores = [
            folded @ features.transpose(-1, -2)
            + torch.einsum("bkhe,nhe->bkhn", q, self.by_place(self.k_proj, embedding))
            for features, embedding in windows
        ]
        return (torch.cat(scores, dim=-1) + constant[..., None]).softmax(dim=-1).to(q.dtype)

    def finish(
        self, query: Float[Tensor, "*b d"], values: Float[Tensor, "*b d"]
    ) -> Float[Tensor, "*b d"]:
        """Add what was read, then the feed-forward network."""
        query = query + self.out_proj(values)
        return query + self.ffn(self.norm_ffn(query))


class CrossAttentionPath(nn.Module):
    """Depth at a pixel: start from the stride-8 map, read s8 + L2, read L1, decode.

    Keys are `k = f + e_s + P_ij`: the map's feature, an embedding of the source map, and one of
    the cell's place in the window (specification, 6.4), shared by the three maps.
    """

    S8, L2, L1 = range(3)  # rows of `scale_embedding`

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.window = config.window
        self.scale_embedding = nn.Parameter(torch.empty(3, config.dim))
        self.position_embedding = nn.Parameter(torch.empty(config.window**2, config.dim))
        nn.init.normal_(self.scale_embedding, std=0.02)
        nn.init.normal_(self.position_embedding, std=0.02)
        self.stage1 = CrossAttentionStage(config)
        self.stage2 = CrossAttentionStage(config)
        self.head = depth_head(config.dim, config.head_width, config.initial_depth_m)

    def query(self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k"]:
        """Depth in metres at each point `(u, v)` of the image (specification, section 8)."""
        query, coarse, fine = self._windows(maps, points)
        query = self.stage2.read(self.stage1.read(query, coarse), fine)
        return head_depth_m(self.head, query)

    def attention(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> tuple[Float[Tensor, "b k heads n1"], Float[Tensor, "b k heads n2"]]:
        """What both stages of `query` attend to: s8's window then L2's, and L1's, row-major."""
        query, coarse, fine = self._windows(maps, points)
        first = self.stage1.attention(query, coarse)
        return first, self.stage2.attention(self.stage1.read(query, coarse), fine)

    def dense(self, maps: FeatureMaps) -> Float[Tensor, "b 1 h4 w4"]:
        """Depth in metres at every cell centre of L1, keys projected once per map (section 7.1).

        s8 and L2 are upsampled to L1's grid, where their own cells lie two apart: dilation 2.
        Border padding of the sampled window is replicate padding here.
        """
        size = (maps.l1.shape[-2], maps.l1.shape[-1])
        start = resize_bilinear(maps.stride_8_map, size).permute(0, 2, 3, 1)  # [B, Y, X, D]
        query = self._wide(start)
        query = self._read_dense(
            self.stage1, query, [(maps.stride_8_map, self.S8, 2), (maps.l2, self.L2, 2)]
        )
        query = self._read_dense(self.stage2, query, [(maps.l1, self.L1, 1)])
        return head_depth_m(self.head, query)[:, None]

    def _windows(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]], list[tuple[Tensor, Tensor]]]:
        """The query's start, and what each stage reads: windows and what makes keys of them."""
        s8, l2, l1 = (
            self._wide(sample_window(feature_map, points, maps.image_size, self.window))
            for feature_map in (maps.stride_8_map, maps.l2, maps.l1)
        )  # [B, K, 25, D] each
        start = s8[:, :, s8.shape[2] // 2]  # the window's centre is the point itself
        coarse = [(s8, self._key(self.S8)), (l2, self._key(self.L2))]
        return start, coarse, [(l1, self._key(self.L1))]

    def _wide(self, features: Tensor) -> Tensor:
        """In the weights' dtype: maps may be kept narrower, the query's residual stream may not."""
        return features.to(self.scale_embedding.dtype)

    def _key(self, source: int) -> Float[Tensor, "n d"]:
        """What makes keys of a map's window: its source's embedding and each cell's place."""
        return self.scale_embedding[source] + self.position_embedding

    def _read_dense(
        self,
        stage: CrossAttentionStage,
        query: Float[Tensor, "b y x d"],
        sources: list[tuple[Tensor, int, int]],
    ) -> Float[Tensor, "b y x d"]:
        """`stage.read` at every position, for sources given as (map, embedding row, dilation)."""
        size = (query.shape[1], query.shape[2])
        q = stage.heads_of(query).permute(0, 3, 4, 1, 2)  # [B, H, e, Y, X]
        scores = [
            self._window_scores(stage, q, feature_map, row, dilation)
            for feature_map, row, dilation in sources
        ]
        weights = torch.cat(scores, dim=2).softmax(dim=2).to(q.dtype)  # [B, H, 25 S, Y, X]
        values = torch.zeros_like(q)
        for part, (feature_map, row, dilation) in zip(
            weights.split(self.window**2, dim=2), sources, strict=True
        ):
            cells = self._project(stage, stage.v_proj, feature_map, row, size)
            for n, shifted in enumerate(self._shifts(cells, size, dilation)):
                values = values + part[:, :, n, None] * shifted
            places = stage.by_place(stage.v_proj, self.position_embedding)
            values = values + torch.einsum("bhnyx,nhe->bheyx", part, places)
        return stage.finish(query, values.flatten(1, 2).permute(0, 2, 3, 1))

    def _window_scores(
        self, stage: CrossAttentionStage, q: Tensor, feature_map: Tensor, row: int, dilation: int
    ) -> Float[Tensor, "b heads n y x"]:
        """Scores of one source, one shift at a time: unfolding 25 copies would be 25 times L1."""
        size = (q.shape[-2], q.shape[-1])
        cells = self._project(stage, stage.k_proj, feature_map, row, size)
        by_cell = [(q * shifted).sum(dim=2) for shifted in self._shifts(cells, size, dilation)]
        places = stage.by_place(stage.k_proj, self.position_embedding)
        return torch.stack(by_cell, dim=2) + torch.einsum("bheyx,nhe->bhnyx", q, places)

    def _project(
        self,
        stage: CrossAttentionStage,
        projection: nn.Linear,
        feature_map: Tensor,
        row: int,
        size: tuple[int, int],
    ) -> Float[Tensor, "b heads e y x"]:
        """Keys or values of a whole map at L1's size.

        Projected on the map's own cells first: bilinear weights sum to one, so projection and
        upsampling commute, and there are four times fewer cells before it.
        """
        embedded = feature_map + self.scale_embedding[row][:, None, None]
        projected = F.conv2d(embedded, projection.weight[:, :, None, None], projection.bias)
        return resize_bilinear(projected, size).unflatten(1, (stage.heads, -1))

    def _shifts(
        self, cells: Float[Tensor, "b heads e y x"], size: tuple[int, int], dilation: int
    ) -> list[Float[Tensor, "b heads e y x"]]:
        """Views of the map moved to each place of the window, row-major, borders replicated."""
        reach = self.window // 2 * dilation
        padded = F.pad(cells.flatten(1, 2), (reach,) * 4, mode="replicate")
        padded = padded.unflatten(1, cells.shape[1:3])
        rows, columns = size
        offsets = range(0, 2 * reach + 1, dilation)
        return [padded[..., y : y + rows, x : x + columns] for y in offsets for x in offsets]
