"""v15.2 local path: two cross-attention stages per queried pixel (specification, section 6).

`query` and `dense` are two schedules of one function with one set of weights; `docs/design.md`
says why they agree and `tests/models/test_equivalence.py` shows that they do.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.errors import InputError
from spd.geometry import CellWindows, resize_bilinear, sample, sample_windows
from spd.models.decoder import local_native
from spd.models.decoder.attention_stage import CrossAttentionStage, FoldedStage
from spd.models.decoder.dense_rows import DenseStage, by_rows
from spd.models.decoder.local_path import depth_head, head_depth_m
from spd.models.feature_maps import FeatureMaps, ProjectedMaps
from spd.models.kernel.build import shape_of

WeightsState = tuple[
    tuple[int, int], ...
]  # where weights lie, and how often they were changed there


class CrossAttentionPath(nn.Module):
    """Depth at a pixel: start from the stride-8 map, read s8 + L2, read L1, decode.

    Keys are `k = f + e_s + P_ij`: the map's feature, an embedding of the source map, and one of
    the cell's place in the window (specification, 6.4), shared by the three maps.
    """

    projects: ClassVar[bool] = True
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
        """Depth in metres at each point `(u, v)` of the image (specification, section 8).

        Maps that are projected are read as such; the depth is the same.
        """
        if maps.projected is None:
            query = self._read_folded(maps, points)
        else:
            query = self._read_projected(maps, maps.projected, points)
        return head_depth_m(self.head, query).unflatten(0, points.shape[:2])

    def query_native(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> Float[Tensor, "b k"]:
        """As `query`, by the compiled kernel, where `no_kernel` gives no reason against it."""
        return local_native.answer(self, self._packed(), maps, points)

    def no_kernel(self, maps: FeatureMaps) -> str | None:
        """Why the compiled kernel cannot answer questions about these maps; None where it can."""
        return local_native.unsuited(self, maps)

    def project(self, maps: FeatureMaps) -> FeatureMaps:
        """The same maps with keys and values of every cell beside them."""
        s8, l2, l1 = (
            stage.project(feature_map).contiguous(memory_format=torch.channels_last)
            for stage, feature_map in (
                (self.stage1, maps.stride_8_map),
                (self.stage1, maps.l2),
                (self.stage2, maps.l1),
            )
        )
        return dataclasses.replace(maps, projected=ProjectedMaps(s8, l2, l1, self._weights_state()))

    def attention(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> tuple[Float[Tensor, "b k heads n1"], Float[Tensor, "b k heads n2"]]:
        """What both stages of `query` attend to: s8's window then L2's, and L1's, row-major."""
        query, coarse, fine = self._windows(maps, points)
        folded = self._folded()
        first = self.stage1.attention(query, coarse, folded[0])
        second = self.stage2.attention(self.stage1.read(query, coarse, folded[0]), fine, folded[1])
        return first.unflatten(0, points.shape[:2]), second.unflatten(0, points.shape[:2])

    def dense(self, maps: FeatureMaps) -> Float[Tensor, "b 1 h4 w4"]:
        """Depth in metres at every cell centre of L1, keys projected once per map (section 7.1).

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

    def _windows(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The query's start, and the features each stage reads: `[B K, n, D]` of each source."""
        coarse, fine = (
            [
                self._wide(tokens)
                for tokens in sample_windows(sources, points, maps.image_size, self.window)
            ]
            for sources in self._by_stage(maps)
        )
        start = coarse[0][:, coarse[0].shape[1] // 2]  # the window's centre is the point itself
        return start, coarse, fine

    @staticmethod
    def _by_stage(maps: FeatureMaps | ProjectedMaps) -> tuple[list[Tensor], list[Tensor]]:
        """The maps that the first stage reads, then the second's."""
        return [maps.stride_8_map, maps.l2], [maps.l1]

    def _read_folded(self, maps: FeatureMaps, points: Tensor) -> Float[Tensor, "q d"]:
        query, coarse, fine = self._windows(maps, points)
        first, second = self._folded()
        return self.stage2.read(self.stage1.read(query, coarse, first), fine, second)

    def _read_projected(
        self, maps: FeatureMaps, projected: ProjectedMaps, points: Tensor
    ) -> Float[Tensor, "q d"]:
        if projected.weights != self._weights_state():
            raise InputError(
                "these maps were projected with other weights than the model has now; project "
                "them again with model.project(maps)"
            )
        coarse, fine = (
            CellWindows.gather(sources, points, maps.image_size, self.window)
            for sources in self._by_stage(projected)
        )
        query = self._wide(sample(maps.stride_8_map, points, maps.image_size)).flatten(0, 1)
        first, second = self._folded()
        query = self.stage1.read_projected(query, coarse, first)
        return self.stage2.read_projected(query, fine, second)

    def _folded(self) -> tuple[FoldedStage, FoldedStage]:
        """Both stages' folded weights; without gradients they are kept until the weights change."""
        if torch.is_grad_enabled() or self.scale_embedding.is_inference():
            return self._fold()  # inference tensors do not say how often they were changed
        state = self._weights_state()
        kept = self._kept  # one read and one write: threads may ask at once
        if kept is None or kept[0] != state:
            self._kept = kept = (state, *self._fold())
        return kept[1], kept[2]

    def packed(self) -> Float[Tensor, " n"]:
        """All weights as the kernel takes them, also for where there is no torch."""
        with torch.no_grad():
            return local_native.pack(self, self._fold())

    def _packed(self) -> Float[Tensor, " n"]:
        """The same, kept until a weight changes."""
        if self.scale_embedding.is_inference():
            return self.packed()
        state = _state_of(self._every_weight())
        kept = self._kept_packed
        if kept is None or kept[0] != state:
            self._kept_packed = kept = (state, self.packed())
        return kept[1]

    def _every_weight(self) -> Iterator[Tensor]:
        """As `parameters()`, which takes longer than a query of one point."""
        yield self.scale_embedding
        yield self.position_embedding
        layers = [*self.stage1.layers(), *self.stage2.layers(), self.head[0], self.head[2]]
        for layer in layers:
            yield from cast(Iterable[Tensor], layer._parameters.values())

    def _fold(self) -> tuple[FoldedStage, FoldedStage]:
        s8, l2, l1 = self.scale_embedding[:, None] + self.position_embedding
        return self.stage1.fold(torch.cat([s8, l2])), self.stage2.fold(l1)

    def _weights_state(self) -> WeightsState:
        """Of everything that `_fold` and `project` read."""
        weights = [self.scale_embedding, self.position_embedding]
        for stage in (self.stage1, self.stage2):
            weights += [*stage.k_proj.parameters(), *stage.v_proj.parameters()]
        return _state_of(weights)

    def _wide(self, features: Tensor) -> Tensor:
        """In the weights' dtype: maps may be kept narrower, the query's residual stream may not."""
        return features.to(self.scale_embedding.dtype)

    def _dense_stage(
        self, stage: CrossAttentionStage, sources: list[tuple[Tensor, int]], dilation: int
    ) -> DenseStage:
        """What the dense grid reads in a stage, of maps given as (map, embedding row)."""
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


def _state_of(weights: Iterable[Tensor]) -> WeightsState:
    return tuple(
        (weight.data_ptr(), -1 if weight.is_inference() else weight._version) for weight in weights
    )
