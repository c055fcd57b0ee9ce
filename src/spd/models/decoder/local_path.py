"""What every local path is: two methods over the same weights, and the depth head."""

import math
from typing import ClassVar, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.models.feature_maps import FeatureMaps


@runtime_checkable
class LocalPath(Protocol):
    """Depth from feature maps, at points or on the path's own grid; both the same function."""

    projects: ClassVar[bool]
    """Whether it has keys and values that `SPD.project` can prepare."""

    def query(self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k"]:
        """Depth in metres at points `(u, v)` that are known to lie inside the image."""
        ...

    def dense(self, maps: FeatureMaps) -> Float[Tensor, "b 1 hl wl"]:
        """Depth in metres at the centres of the path's own grid, without asking points."""
        ...


def depth_head(dim: int, width: int, initial_depth_m: float) -> nn.Sequential:
    """Linear, ReLU, Linear, whose softplus starts at about `initial_depth_m` (section 6.7)."""
    last = nn.Linear(width, 1)
    start_at_depth(last, initial_depth_m)
    return nn.Sequential(nn.Linear(dim, width), nn.ReLU(), last)


def start_at_depth(last: nn.Linear, initial_depth_m: float) -> None:
    """Set the bias under a softplus so that the first answers are about `initial_depth_m`."""
    nn.init.constant_(last.bias, math.log(math.expm1(initial_depth_m)))


def head_depth_m(head: nn.Sequential, features: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
    """Metres from the head, outside autocast.

    bfloat16 keeps 8 bits, so depth written by a bfloat16 layer would step by 1.6 cm at 2 to 4 m.
    """
    with torch.autocast(features.device.type, enabled=False):
        return F.softplus(head(features.to(next(head.parameters()).dtype))).squeeze(-1)
