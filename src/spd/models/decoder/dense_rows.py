"""A few rows of the dense grid at a time: what they read, and their second computation.

What a whole map needs at once is then its projected maps, each on its own cells. Keys and values
at the grid's size, attention and feed-forward layers exist for some rows only, forward and
backward.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from spd.geometry import Size, resized_rows
from spd.models.decoder.attention_stage import CrossAttentionStage
from spd.models.decoder.dense_attention import Source, window_attention

ROWS = 12  # at a time: as many as a tile of either stage takes, at dilations 2 and 1


@dataclasses.dataclass(frozen=True, slots=True)
class DenseStage:
    """A stage and all that the cells of the dense grid read in it."""

    stage: CrossAttentionStage
    sources: list[tuple[Float[Tensor, "b d h w"], Float[Tensor, "b d h w"]]]
    """Keys and values of each map, on the map's own cells."""
    place_keys: Float[Tensor, "n heads e"]
    place_values: Float[Tensor, "n heads e"]
    dilation: int
    """Cells of the grid from one place of a window to the next."""

    def read(
        self, query: Float[Tensor, "b y x d"], top: int, size: Size
    ) -> Float[Tensor, "b y x d"]:
        """`stage.read` at the rows of the grid from `top` on, of a grid of that size."""
        window = math.isqrt(len(self.place_keys))
        reach = window // 2 * self.dilation
        rows = range(top - reach, top + query.shape[1] + reach)
        sources = [
            Source(
                self._padded(resized_rows(keys, size, rows), reach),
                self._padded(resized_rows(values, size, rows), reach),
                self.place_keys,
                self.place_values,
            )
            for keys, values in self.sources
        ]
        values = window_attention(self.stage.scaled_heads(query), sources, self.dilation)
        return self.stage.finish(query, values.flatten(3))

    def _padded(
        self, rows: Float[Tensor, "b d y x"], reach: int
    ) -> Float[Tensor, "b y x2 heads e"]:
        """The rows with their ends repeated, so that every place of every window is there."""
        padded = F.pad(rows, (reach, reach, 0, 0), mode="replicate").permute(0, 2, 3, 1)
        return padded.unflatten(3, (self.stage.heads, -1))


def by_rows(
    answer: Callable[[Tensor, int], Float[Tensor, "b y x"]], start: Float[Tensor, "b y x d"]
) -> Float[Tensor, "b y x"]:
    """`answer(rows, top)` of some rows after the other.

    Where gradients are asked for, the backward pass computes each `answer` again in place of
    keeping what it needs of it.
    """
    recompute = torch.is_grad_enabled() and not torch.compiler.is_compiling()
    answers = []
    for top in range(0, start.shape[1], ROWS):
        rows = start[:, top : top + ROWS]
        if recompute:
            again = checkpoint(answer, rows, top, use_reentrant=False, preserve_rng_state=False)
            answers.append(cast(Tensor, again))
        else:
            answers.append(answer(rows, top))
    return torch.cat(answers, dim=1)
