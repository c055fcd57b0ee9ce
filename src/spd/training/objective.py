"""The training objective as one module, for `DistributedDataParallel` and `torch.compile`."""

from typing import cast

import torch
from torch import Tensor, nn

from spd.geometry import resize_bilinear
from spd.losses import silog
from spd.models.decoder.local_path import LocalPath
from spd.models.decoder.local_paths import build_local_path
from spd.models.default_dtype import float32_by_default
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.recipes import SILOG_LAMBDA, TrainConfig

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Objective(nn.Module):
    """SILog of one batch under the configured objective.

    `dense` (specification, 7.1) compares the stride-4 map, resized to the image, with the depth of
    every pixel. `query` compares drawn readings through the sparse path, as in inference. `mix` is

        loss = dense_weight * dense + (1 - dense_weight) * query

    with one encoding of the image. Each `beside` local path adds its own `query` loss.
    """

    @float32_by_default()
    def __init__(self, model: SPD, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.beside = nn.ModuleList(
            build_local_path(model.config.model_copy(update={"local_path": name}))
            for name in config.beside
        )

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean loss over the batch's images, and the number of images without a reading."""
        dense = {"dense": 1.0, "query": 0.0, "mix": self.config.dense_weight}[self.config.objective]
        dtype = AUTOCAST.get(self.config.precision)
        images = batch["image"].to(self.model.dtype)
        few = slice(self.config.beside_points)
        with torch.autocast(images.device.type, dtype, enabled=dtype is not None):
            maps = self.model.encode(images)
            dense_m = self._dense(maps) if dense > 0 else None
            query_m = self._query(maps, batch["points"]) if dense < 1 else None
            beside_m = [
                cast(LocalPath, path).query(maps, batch["points"][:, few].to(self.model.dtype))
                for path in self.beside
            ]
        losses, empty = [], []
        if dense_m is not None:
            truth_m, valid = batch["depth_m"].flatten(1), batch["valid"].flatten(1)
            loss, none = self._silog(dense_m, truth_m, valid)
            losses.append(dense * loss)
            empty.append(none)
        if query_m is not None:
            loss, none = self._silog(query_m, batch["point_depth_m"], batch["point_valid"])
            losses.append((1 - dense) * loss)
            empty.append(none)
        for predicted_m in beside_m:
            truth_m, valid = batch["point_depth_m"][:, few], batch["point_valid"][:, few]
            losses.append(self._silog(predicted_m, truth_m, valid)[0])
        return torch.stack(losses).sum(), torch.stack(empty).amax()

    def _dense(self, maps: FeatureMaps) -> Tensor:
        return resize_bilinear(self.model.dense(maps), maps.image_size).flatten(1)

    def _query(self, maps: FeatureMaps, points: Tensor) -> Tensor:
        # Drawn points lie inside the image. With "nan" the check does not wait for the device; the
        # NaN of a point outside would reach the loss and stop the run.
        return self.model.query(maps, points.to(self.model.dtype), outside="nan")

    def _silog(self, predicted_m: Tensor, truth_m: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        return silog(predicted_m, truth_m, valid, SILOG_LAMBDA[self.config.silog])
