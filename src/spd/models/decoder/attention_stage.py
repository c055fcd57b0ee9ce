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
            + torch.einsum("bkhe,nhe->bkhn", q, self.by_place(self.k_proj, embedding))
            for cells, (window, embedding) in zip(keys, windows, strict=True)
        ]
        constant = torch.einsum("bkhe,he->bkh", q, self.k_proj.bias.unflatten(0, (self.heads, -1)))
        weights = (torch.cat(scores, dim=-1) + constant[..., None]).softmax(dim=-1).to(q.dtype)
        parts = weights.split([embedding.shape[0] for _, embedding in windows], dim=-1)
        read = torch.zeros_like(q)
        for part, cells, (window, embedding) in zip(parts, values, windows, strict=True):
            spread = window.spread(part).transpose(-1, -2)  # [B, K, m, H]
            read = read + (cells * spread[..., None]).sum(dim=2)
            read = read + torch.einsum(
                "bkhn,nhe->bkhe", part, self.by_place(self.v_proj, embedding)
            )
        return self.finish(query, read.flatten(-2) + self.v_proj.bias)

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
