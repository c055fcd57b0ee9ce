"""One attention stage of the local path (specification, 6.5 and 6.6), in its folded form (8)."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig


@dataclasses.dataclass(frozen=True, slots=True)
class FoldedStage:
    """The key and value projections of a stage, prepared for queries that read raw tokens."""

    keys: Float[Tensor, "heads e c"]
    """Scaled. Per head: its rows of `k_proj`, then the N embeddings projected by it. The bias in
    them is the same for every token, so softmax drops it."""
    values: Float[Tensor, "heads c e"]
    """Per head, the same of `v_proj`; its bias is read once because the weights sum to one."""


class CrossAttentionStage(nn.Module):
    """One query per point reads N tokens t, then a feed-forward network (specification, 6.5).

        z  = LayerNorm(q)
        q' = q + out_proj(concat over heads of softmax(q_proj(z) . k_proj(t) / sqrt(e)) v_proj(t))
        q  = q' + FFN(LayerNorm(q'))

    with H heads of e = D/H channels and FFN = Linear, GELU, Linear.
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

    def read(
        self,
        query: Float[Tensor, "q d"],
        windows: Sequence[Float[Tensor, "q n d"]],
        folded: FoldedStage,
    ) -> Float[Tensor, "q d"]:
        """Run the stage: attend from each query to its own tokens, projecting no token.

        The projections move from the tokens to the query (specification, 8):

            q . (W_k t + b_k)          = (W_k' q) . t + q . b_k       softmax drops the last term
            sum_i a_i (W_v t_i + b_v)  = W_v (sum_i a_i t_i) + b_v    because the a_i sum to one

        An embedding adds the same to a token's key or value for every query, so `fold` projects
        the embeddings once.

        Args:
            query: one per point.
            windows: per source map, the features around each point.
            folded: the result of `fold` for the embeddings of all sources' tokens.
        """
        weights = self.attention(query, windows, folded)
        parts = weights.split([features.shape[1] for features in windows], dim=-1)
        mixed = [part @ features for part, features in zip(parts, windows, strict=True)]
        read = torch.cat([functools.reduce(torch.add, mixed), weights], dim=-1)  # [Q, H, D + N]
        values = torch.bmm(read.transpose(0, 1), folded.values).transpose(0, 1)
        return self.finish(query, values.flatten(1))

    def attention(
        self,
        query: Float[Tensor, "q d"],
        windows: Sequence[Float[Tensor, "q n d"]],
        folded: FoldedStage,
    ) -> Float[Tensor, "q heads m"]:
        """Attention weights of each query over its tokens, per head; they sum to one."""
        heads = self.q_proj(self.norm_q(query)).view(-1, self.heads, self.head_width)
        asked = torch.bmm(heads.transpose(0, 1), folded.keys).transpose(0, 1)  # [Q, H, D + N]
        of_features, of_places = asked.tensor_split([query.shape[-1]], dim=-1)
        # Heads before tokens: products of four columns would take three times as long.
        scores = [of_features @ features.transpose(1, 2) for features in windows]
        joined = scores[0] if len(scores) == 1 else torch.cat(scores, dim=-1)
        return (joined + of_places).softmax(dim=-1).to(joined.dtype)

    def finish(
        self, query: Float[Tensor, "*b d"], values: Float[Tensor, "*b d"]
    ) -> Float[Tensor, "*b d"]:
        """Add the values that were read, then the feed-forward network."""
        query = query + self.out_proj(values)
        return query + self.ffn(self.norm_ffn(query))

    def fold(self, embeddings: Float[Tensor, "n d"]) -> FoldedStage:
        """Prepare the projections for `read`, for windows whose tokens have these embeddings."""
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

    def scaled_heads(self, query: Float[Tensor, "*b d"]) -> Float[Tensor, "*b heads e"]:
        """Queries of the dense form: normalised, projected, split into heads and scaled."""
        projected = self.q_proj(self.norm_q(query)).unflatten(-1, (self.heads, -1))
        return projected / math.sqrt(self.head_width)

    def by_place(
        self, projection: nn.Linear, embedding: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n heads e"]:
        """The share of each place's embedding in a projected token, without the bias."""
        return (embedding @ projection.weight.T).unflatten(-1, (self.heads, -1))
