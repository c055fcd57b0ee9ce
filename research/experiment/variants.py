"""Build the local paths that are compared, with the random weights of a seed."""

import torch
from jaxtyping import Float
from torch import Tensor

from research.experiment.names import Variant
from spd.config import ModelConfig
from spd.models.decoder.dense_rows import DenseStage
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.decoder.local_path import LocalPath, head_depth_m
from spd.models.decoder.local_paths import build_local_path
from spd.models.feature_maps import FeatureMaps


class OneStagePath(CrossAttentionPath):
    """v15.2 without its second stage: the query attends to s8 and L2 and is decoded."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        del self.stage2

    def query(self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k"]:
        """Depth in metres at each point."""
        start, coarse, _ = self._windows(maps, points)
        s8, l2, _ = self.scale_embedding[:, None] + self.position_embedding
        query = self.stage1.read(start, coarse, self.stage1.fold(torch.cat([s8, l2])))
        return head_depth_m(self.head, query).unflatten(0, points.shape[:2])

    def _dense_stages(self, maps: FeatureMaps) -> list[DenseStage]:
        sources = [(maps.stride_8_map, self.S8), (maps.l2, self.L2)]
        return [self._dense_stage(self.stage1, sources, dilation=2)]


def build_head(variant: Variant, config: ModelConfig, seed: int) -> LocalPath:
    """The variant's local path with the random weights of a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if variant.one_stage:
            return OneStagePath(config)
        return build_local_path(config.model_copy(update={"local_path": variant.local_path}))
