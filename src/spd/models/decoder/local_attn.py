"""v15.2 local path: two cross-attention stages per queried pixel (specification, section 6).

`query` and `dense` are two schedules of one function with one set of weights; section 6.8 of
`docs/architecture.md` proves it, and `tests/models/test_equivalence.py` checks it.
"""

from collections.abc import Iterable, Iterator
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.geometry import resize_bilinear, sample_windows
from spd.models.decoder import compiled_query
from spd.models.decoder.attention_stage import CrossAttentionStage, FoldedStage
from spd.models.decoder.dense_rows import DenseStage, by_rows
from spd.models.decoder.local_path import LocalPath, depth_head, head_depth_m
from spd.models.feature_maps import FeatureMaps
from spd.models.kernel.build import shape_of

WeightsState = tuple[tuple[int, int], ...]  # per weight: its address and its version counter


class CrossAttentionPath(LocalPath):
    """Depth at a pixel: start from the stride-8 map, read s8 and L2, read L1, decode.

        q0    = stride_8_map(u, v)                                  bilinear            (6.3)
        k     = f[s, i, j] + scale_embedding[s] + position_embedding[i, j]              (6.4)
        q1    = stage1(q0, 5x5 tokens of s8, 5x5 tokens of L2)                          (6.5)
        q2    = stage2(q1, 5x5 tokens of L1)                                            (6.6)
        depth = softplus(Linear(ReLU(Linear(q2))))                                      (6.7)

    The tokens f of a window have the spacing of their map, and the middle one is at the point.
    """

    S8, L2, L1 = range(3)  # rows of `scale_embedding`

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.window = config.window
        self.shape = shape_of(config)
        self.scale_embedding = nn.Parameter(torch.empty(3, config.dim))
        self.position_embedding = nn.Parameter(torch.empty(config.window**2, config.dim))
        nn.init.normal_(self.scale_embedding, std=0.02)
        nn.init.normal_(self.position_embedding, std=0.02)
        self.stage1 = CrossAttentionStage(config)
        self.stage2 = CrossAttentionStage(config)
        self.head = depth_head(config.dim, config.head_width, config.initial_depth_m)
        self._kept: tuple[WeightsState, FoldedStage, FoldedStage] | None = None
        self._kept_packed: tuple[WeightsState, Tensor] | None = None

    def query(self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k"]:
        """Depth in metres at each point `(u, v)` of the image (specification, section 8)."""
        q0, coarse, fine = self._windows(maps, points)
        first, second = self._folded()
        q1 = self.stage1.read(q0, coarse, first)
        q2 = self.stage2.read(q1, fine, second)
        return head_depth_m(self.head, q2).unflatten(0, points.shape[:2])

    def attention(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> tuple[Float[Tensor, "b k heads n1"], Float[Tensor, "b k heads n2"]]:
        """Attention weights of both stages of `query`: over s8's then L2's window, and L1's."""
        q0, coarse, fine = self._windows(maps, points)
        folded = self._folded()
        first = self.stage1.attention(q0, coarse, folded[0])
        second = self.stage2.attention(self.stage1.read(q0, coarse, folded[0]), fine, folded[1])
        return first.unflatten(0, points.shape[:2]), second.unflatten(0, points.shape[:2])

    def _windows(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """q0 `[B K, D]`, and per stage the features of each source's window, `[B K, n, D]`."""
        coarse, fine = (
            [
                self._wide(tokens)
                for tokens in sample_windows(sources, points, maps.image_size, self.window)
            ]
            for sources in ([maps.stride_8_map, maps.l2], [maps.l1])
        )
        q0 = coarse[0][:, coarse[0].shape[1] // 2]  # the window's middle token is the point itself
        return q0, coarse, fine

    def _wide(self, features: Tensor) -> Tensor:
        """Cast to the weights' dtype: maps may be kept narrower, the query's own sum may not."""
        return features.to(self.scale_embedding.dtype)

    def _folded(self) -> tuple[FoldedStage, FoldedStage]:
        """Both stages' folded weights; without gradients they are kept until a weight changes."""
        if torch.is_grad_enabled() or self.scale_embedding.is_inference():
            return self._fold()  # inference tensors have no version counter
        weights = [self.scale_embedding, self.position_embedding]
        for stage in (self.stage1, self.stage2):
            weights += [*stage.k_proj.parameters(), *stage.v_proj.parameters()]
        state = _state_of(weights)
        kept = self._kept  # one read and one write: threads may query at once
        if kept is None or kept[0] != state:
            self._kept = kept = (state, *self._fold())
        return kept[1], kept[2]

    def _fold(self) -> tuple[FoldedStage, FoldedStage]:
        s8, l2, l1 = self.scale_embedding[:, None] + self.position_embedding
        return self.stage1.fold(torch.cat([s8, l2])), self.stage2.fold(l1)

    # --- all cells of L1 at once ---

    def dense(self, maps: FeatureMaps) -> Float[Tensor, "b 1 h4 w4"]:
        """Depth in metres at every cell centre of L1, keys projected once per map (7.1).

        s8 and L2 are upsampled to L1's grid, where their own cells lie two apart: dilation 2.
        Border padding of the sampled window is replicate padding here.
        """
        size = (maps.l1.shape[-2], maps.l1.shape[-1])
        start = self._wide(resize_bilinear(maps.stride_8_map, size).permute(0, 2, 3, 1))
        stages = self._dense_stages(maps)

        def answer(query: Tensor, top: int) -> Tensor:
            for stage in stages:
                query = stage.read(query, top, size)
            return head_depth_m(self.head, query)

        return by_rows(answer, start)[:, None]

    def _dense_stages(self, maps: FeatureMaps) -> list[DenseStage]:
        coarse = [(maps.stride_8_map, self.S8), (maps.l2, self.L2)]
        return [
            self._dense_stage(self.stage1, coarse, dilation=2),
            self._dense_stage(self.stage2, [(maps.l1, self.L1)], dilation=1),
        ]

    def _dense_stage(
        self, stage: CrossAttentionStage, sources: list[tuple[Tensor, int]], dilation: int
    ) -> DenseStage:
        """A stage for the dense grid; each source is (map, row of `scale_embedding`)."""
        keys = stage.by_place(stage.k_proj, self.position_embedding)
        values = stage.by_place(stage.v_proj, self.position_embedding)
        projected = [
            (
                self._project(stage.k_proj, feature_map, row),
                self._project(stage.v_proj, feature_map, row),
            )
            for feature_map, row in sources
        ]
        return DenseStage(stage, projected, keys, values, dilation)

    def _project(
        self, projection: nn.Linear, feature_map: Tensor, row: int
    ) -> Float[Tensor, "b d h w"]:
        """Keys or values of a whole map, on its own cells.

        Bilinear weights sum to one, so projecting and resizing commute, and a map has four times
        fewer cells before it is resized.
        """
        embedded = feature_map + self.scale_embedding[row][:, None, None]
        return F.conv2d(embedded, projection.weight[:, :, None, None], projection.bias)

    # --- the compiled kernel ---

    def no_kernel(self, maps: FeatureMaps) -> str | None:
        """Why the compiled kernel cannot answer for these maps; None if it can."""
        if type(self) is not CrossAttentionPath:  # a subclass may compute another function
            return super().no_kernel(maps)
        return compiled_query.reason_against(self, maps)

    def query_compiled(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> Float[Tensor, "b k"]:
        """Depth as `query` returns it, from the compiled kernel; needs `no_kernel` to be None."""
        return compiled_query.answer(self, self._packed(), maps, points)

    def packed(self) -> Float[Tensor, " n"]:
        """All weights in the kernel's order; exports store them for use without torch."""
        with torch.no_grad():
            return compiled_query.pack(self, self._fold())

    def _packed(self) -> Float[Tensor, " n"]:
        """`packed`, kept until a weight changes."""
        if self.scale_embedding.is_inference():
            return self.packed()
        state = _state_of(self._every_weight())
        kept = self._kept_packed
        if kept is None or kept[0] != state:
            self._kept_packed = kept = (state, self.packed())
        return kept[1]

    def _every_weight(self) -> Iterator[Tensor]:
        """All parameters; `parameters()` itself takes longer than a query of one point."""
        yield self.scale_embedding
        yield self.position_embedding
        layers = [*self.stage1.layers(), *self.stage2.layers(), self.head[0], self.head[2]]
        for layer in layers:
            yield from cast(Iterable[Tensor], layer._parameters.values())


def _state_of(weights: Iterable[Tensor]) -> WeightsState:
    return tuple(
        (weight.data_ptr(), -1 if weight.is_inference() else weight._version) for weight in weights
    )
