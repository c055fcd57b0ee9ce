"""One stage of the local path: a query reads tokens, then a feed-forward network."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.geometry import CellWindows


@dataclasses.dataclass(frozen=True, slots=True)
class FoldedStage:
    """What a stage's weights are to queries that read tokens as they are."""

    keys: Float[Tensor, "heads e c"]
    """Scaled, and of each head: its rows of `k_proj`, then the N embeddings projected by it. The
    bias in them is the same for every token, so softmax drops it."""
    values: Float[Tensor, "heads c e"]
    """The same of `v_proj`; its bias is read once because the weights sum to one."""


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
        self.head_width = dim // config.heads
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

    def layers(self) -> tuple[nn.Module, ...]:
        """Every layer with weights."""
        projections = (self.q_proj, self.k_proj, self.v_proj, self.out_proj)
        return (*projections, self.norm_q, self.norm_ffn, self.ffn[0], self.ffn[2])

    def heads_of(self, query: Float[Tensor, "*b d"]) -> Float[Tensor, "*b heads e"]:
        """Normalised and projected queries, split into heads and scaled."""
        projected = self.q_proj(self.norm_q(query)).unflatten(-1, (self.heads, -1))
        return projected / math.sqrt(self.head_width)

    def by_place(
        self, projection: nn.Linear, embedding: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n heads e"]:
        """What the embedding of each place adds to a projected token, without the bias."""
        return (embedding @ projection.weight.T).unflatten(-1, (self.heads, -1))

    def fold(self, embeddings: Float[Tensor, "n d"]) -> FoldedStage:
        """The projections as `read` takes them, for windows whose tokens have these embeddings."""
        scale = math.sqrt(self.head_width)
        with torch.autocast(embeddings.device.type, enabled=False):
            keys, values = (
                torch.cat([projection.weight, projection(embeddings).T], dim=1)
                for projection in (self.k_proj, self.v_proj)
            )
            by_head = (self.heads, self.head_width)
            return FoldedStage(
                keys.unflatten(0, by_head) / scale,
                values.unflatten(0, by_head).transpose(1, 2).contiguous(),
            )

    def read(
        self,
        query: Float[Tensor, "q d"],
        windows: Sequence[Float[Tensor, "q n d"]],
        folded: FoldedStage,
    ) -> Float[Tensor, "q d"]:
        """Attend from each query to its own tokens, without projecting any token.

        The projections leave the tokens for the query: `q . (W t + b) = (W' q) . t + q . b`, and
        `sum a (W t + b) = W (sum a t) + b` because the weights `a` sum to one. What an embedding
        adds to a token's key or value is the same for every query, so `fold` projects it once.

        Args:
            query: one per point.
            windows: per source map, the features around each point.
            folded: what `fold` made of the embeddings of all sources' tokens.
        """
        weights = self.attention(query, windows, folded)
        parts = weights.split([features.shape[1] for features in windows], dim=-1)
        mixed = [part @ features for part, features in zip(parts, windows, strict=True)]
        read = torch.cat([functools.reduce(torch.add, mixed), weights], dim=-1)  # [Q, H, D + N]
        return self._finish(query, read, folded.values)

    def attention(
        self,
        query: Float[Tensor, "q d"],
        windows: Sequence[Float[Tensor, "q n d"]],
        folded: FoldedStage,
    ) -> Float[Tensor, "q heads m"]:
        """How much each query reads of each of its tokens, head by head; sums to one over them."""
        asked = _per_head(self._heads(query), folded.keys)  # [Q, H, D + N]
        of_features, of_places = asked.tensor_split([query.shape[-1]], dim=-1)
        # Heads before tokens: products of four columns would take three times as long.
        scores = [of_features @ features.transpose(1, 2) for features in windows]
        return _softmax(scores, of_places)

    def read_projected(
        self,
        query: Float[Tensor, "q d"],
        windows: Sequence[CellWindows],
        folded: FoldedStage,
    ) -> Float[Tensor, "q d"]:
        """The same as `read`, from cells whose keys and values are projected already.

        Each head then works on its own channels alone. Tokens are blends of cells, so scores are
        taken on the cells and blended, and weights are spread to the cells: one number a head in
        place of a feature. What embeddings add depends on the place in the window, not on the
        cell, and stays with the query.

        Args:
            query: one per point.
            windows: per source map, the cells `[Q, m, 2 D]` around each point, keys then values.
            folded: what `fold` made of the embeddings of all sources' tokens.
        """
        D = query.shape[-1]
        q = self._heads(query)  # [Q, H, e]
        scaled = q / math.sqrt(self.head_width)
        cells = [window.cells.unflatten(-1, (2, self.heads, -1)).unbind(2) for window in windows]
        scores = [
            window.blend((keys * scaled[:, None]).sum(dim=-1)).transpose(1, 2)
            for (keys, _), window in zip(cells, windows, strict=True)
        ]
        weights = _softmax(scores, _per_head(q, folded.keys[..., D:]))
        read = torch.bmm(weights.transpose(0, 1), folded.values[:, D:])
        for part, (_, values), window in zip(
            weights.split([of_source.shape[-1] for of_source in scores], dim=-1),
            cells,
            windows,
            strict=True,
        ):
            spread = window.spread(part.transpose(1, 2))[..., None]
            read = read + (values * spread).sum(dim=1).transpose(0, 1)
        return self.finish(query, read.transpose(0, 1).flatten(1))

    def _heads(self, query: Float[Tensor, "q d"]) -> Float[Tensor, "q heads e"]:
        """As `heads_of`, not scaled."""
        return self.q_proj(self.norm_q(query)).view(-1, self.heads, self.head_width)

    def _finish(
        self,
        query: Float[Tensor, "q d"],
        read: Float[Tensor, "q heads c"],
        values: Float[Tensor, "heads c e"],
    ) -> Float[Tensor, "q d"]:
        return self.finish(
            query, torch.bmm(read.transpose(0, 1), values).transpose(0, 1).flatten(1)
        )

    def project(self, feature_map: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d2 h w"]:
        """Keys, then values, of every cell of a map, without biases and embeddings."""
        weight = torch.cat([self.k_proj.weight, self.v_proj.weight])[:, :, None, None]
        return F.conv2d(feature_map.to(weight.dtype), weight)

    def finish(
        self, query: Float[Tensor, "*b d"], values: Float[Tensor, "*b d"]
    ) -> Float[Tensor, "*b d"]:
        """Add what was read, then the feed-forward network."""
        query = query + self.out_proj(values)
        return query + self.ffn(self.norm_ffn(query))


def _softmax(
    of_features: Sequence[Float[Tensor, "q heads n"]], of_places: Float[Tensor, "q heads m"]
) -> Float[Tensor, "q heads m"]:
    """Over all sources' tokens, of their features' scores and what their places add."""
    scores = of_features[0] if len(of_features) == 1 else torch.cat(list(of_features), dim=-1)
    return (scores + of_places).softmax(dim=-1).to(scores.dtype)


def _per_head(
    query: Float[Tensor, "q heads e"], keys: Float[Tensor, "heads e c"]
) -> Float[Tensor, "q heads c"]:
    """Each head's query times each of its keys."""
    return torch.bmm(query.transpose(0, 1), keys).transpose(0, 1)
