"""One stage of the local path: a query reads tokens, then a feed-forward network."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.geometry import CellWindows


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
        parts = self._by_source(self.attention(query, windows), windows)
        mixed = [part @ features for part, (features, _) in zip(parts, windows, strict=True)]
        values = torch.einsum(
            "bkhd,hed->bkhe", torch.stack(mixed).sum(dim=0), self.split(self.v_proj)
        )
        return self._finish_read(query, values, parts, windows)

    def attention(
        self, query: Float[Tensor, "b k d"], windows: Sequence[tuple[Tensor, Tensor]]
    ) -> Float[Tensor, "b k heads n"]:
        """How much each query reads of each of its tokens, head by head; sums to one over them."""
        q = self.heads_of(query)  # [B, K, H, e]
        folded = torch.einsum("bkhe,hed->bkhd", q, self.split(self.k_proj))
        scores = [folded @ features.transpose(-1, -2) for features, _ in windows]
        return self._weights(q, scores, windows)

    def read_projected(
        self,
        query: Float[Tensor, "b k d"],
        windows: Sequence[tuple[CellWindows, Float[Tensor, "n d"]]],
    ) -> Float[Tensor, "b k d"]:
        """The same as `read`, from cells whose keys and values are projected already.

        Each head then works on its own channels alone. Tokens are blends of cells, so scores are
        taken on the cells and blended, and weights are spread to the cells: one number a head in
        place of a feature. What embeddings add depends on the place in the window, not on the
        cell, and stays with the query.

        Args:
            query: one per point.
            windows: per source map, the cells `[B, K, m, 2 D]` around each point, keys then
                values, and the embedding that makes keys of the tokens between them.
        """
        q = self.heads_of(query)  # [B, K, H, e]
        keys, values = zip(*(self._keys_and_values(window) for window, _ in windows), strict=True)
        scores = [
            window.blend((cells * q[:, :, None]).sum(dim=-1).transpose(-1, -2))
            for cells, (window, _) in zip(keys, windows, strict=True)
        ]
        parts = self._by_source(self._weights(q, scores, windows), windows)
        read = torch.zeros_like(q)
        for part, cells, (window, _) in zip(parts, values, windows, strict=True):
            spread = window.spread(part).transpose(-1, -2)  # [B, K, m, H]
            read = read + (cells * spread[..., None]).sum(dim=2)
        return self._finish_read(query, read, parts, windows)

    def _weights(
        self,
        q: Float[Tensor, "b k heads e"],
        scores: Sequence[Tensor],
        windows: Sequence[tuple[object, Tensor]],
    ) -> Float[Tensor, "b k heads n"]:
        """Softmax over all sources' tokens, of their features' scores and what places add."""
        placed = [
            of_features + torch.einsum("bkhe,nhe->bkhn", q, self.by_place(self.k_proj, embedding))
            for of_features, (_, embedding) in zip(scores, windows, strict=True)
        ]
        # The same for every token, so softmax drops it; it keeps the bias's (zero) gradient.
        constant = torch.einsum("bkhe,he->bkh", q, self.k_proj.bias.unflatten(0, (self.heads, -1)))
        return (torch.cat(placed, dim=-1) + constant[..., None]).softmax(dim=-1).to(q.dtype)

    def _by_source(
        self, weights: Float[Tensor, "b k heads n"], windows: Sequence[tuple[object, Tensor]]
    ) -> tuple[Tensor, ...]:
        return weights.split([embedding.shape[0] for _, embedding in windows], dim=-1)

    def _finish_read(
        self,
        query: Float[Tensor, "b k d"],
        values: Float[Tensor, "b k heads e"],
        parts: Sequence[Tensor],
        windows: Sequence[tuple[object, Tensor]],
    ) -> Float[Tensor, "b k d"]:
        """Add what places and the bias add to the values that were read, then finish."""
        for part, (_, embedding) in zip(parts, windows, strict=True):
            places = self.by_place(self.v_proj, embedding)
            values = values + torch.einsum("bkhn,nhe->bkhe", part, places)
        return self.finish(query, values.flatten(-2) + self.v_proj.bias)

    def project(self, feature_map: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d2 h w"]:
        """Keys, then values, of every cell of a map, without biases and embeddings."""
        weight = torch.cat([self.k_proj.weight, self.v_proj.weight])[:, :, None, None]
        return F.conv2d(feature_map.to(weight.dtype), weight)

    def _keys_and_values(self, window: CellWindows) -> tuple[Tensor, Tensor]:
        """Keys and values `[B, K, m, H, e]` of projected cells."""
        keys, values = window.cells.unflatten(-1, (2, self.heads, -1)).unbind(dim=-3)
        return keys, values

    def finish(
        self, query: Float[Tensor, "*b d"], values: Float[Tensor, "*b d"]
    ) -> Float[Tensor, "*b d"]:
        """Add what was read, then the feed-forward network."""
        query = query + self.out_proj(values)
        return query + self.ffn(self.norm_ffn(query))
