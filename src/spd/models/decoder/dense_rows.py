"""The dense grid in steps of a few rows, which bounds its memory, forward and backward.

Only the projected maps exist as a whole, each on its own cells. Keys and values at the size of the
grid, attention and feed-forward layers exist for some rows at a time.
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

from spd.geometry import resized_rows
from spd.models.decoder.attention_stage import CrossAttentionStage
from spd.models.decoder.dense_attention import Source, window_attention
from spd.pixels import Size

ROWS = 12  # per step; whole tiles in both stages, at dilations 2 and 1


@dataclasses.dataclass(frozen=True, slots=True)
class DenseStage:
    """A stage with the keys and values that the cells of the dense grid read."""

    stage: CrossAttentionStage
    sources: list[tuple[Float[Tensor, "b d h w"], Float[Tensor, "b d h w"]]]
    """Keys and values of each map, on the map's own cells."""
    place_keys: Float[Tensor, "n heads e"]
    """The share of each place in the window in a key."""
    place_values: Float[Tensor, "n heads e"]
    """The share of each place in the window in a value."""
    dilation: int
    """Cells of the grid from one place of a window to the next."""

    def read(
        self, query: Float[Tensor, "b y x d"], top: int, size: Size
    ) -> Float[Tensor, "b y x d"]:
        """Run the stage for the rows from `top` on of a grid of `size`."""
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
        """Repeat the first and last column, so that every window is complete."""
        padded = F.pad(rows, (reach, reach, 0, 0), mode="replicate").permute(0, 2, 3, 1)
        return padded.unflatten(3, (self.stage.heads, -1))


def by_rows(
    answer: Callable[[Tensor, int], Float[Tensor, "b y x"]], start: Float[Tensor, "b y x d"]
) -> Float[Tensor, "b y x"]:
    """Call `answer(rows, top)` for some rows at a time and join the results.

    With gradients enabled, the backward pass recomputes each call instead of keeping its
    activations.
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
