"""`LocalPath`: what every local path offers, and the depth head they share."""

import abc
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.models.feature_maps import FeatureMaps


class LocalPath(nn.Module, abc.ABC):
    """Depth from feature maps, at points or on the path's own grid; both are one function.

    To add a local path, subclass this and follow `CONTRIBUTING.md`, "Add a local path", which lists
    the places that name it and the tests. `query` must read no value back from the device.
    """

    @abc.abstractmethod
    def query(self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k"]:
        """Depth in metres at points `(u, v)` that are known to lie inside the image."""

    @abc.abstractmethod
    def dense(self, maps: FeatureMaps) -> Float[Tensor, "b 1 hl wl"]:
        """Depth in metres at the cell centres of the path's own grid, without calling `query`."""

    def no_kernel(self, maps: FeatureMaps) -> str | None:
        """Why `query_compiled` cannot answer for these maps; None if it can."""
        return f"{type(self).__name__} has no compiled kernel"

    def query_compiled(
        self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
    ) -> Float[Tensor, "b k"]:
        """Depth as `query` returns it, from a compiled kernel; needs `no_kernel` to be None."""
        raise NotImplementedError(self.no_kernel(maps))


def depth_head(dim: int, width: int, initial_depth_m: float) -> nn.Sequential:
    """Linear, ReLU, Linear; after the softplus it starts at about `initial_depth_m` (6.7)."""
    last = nn.Linear(width, 1)
    start_at_depth(last, initial_depth_m)
    return nn.Sequential(nn.Linear(dim, width), nn.ReLU(), last)


def start_at_depth(last: nn.Linear, initial_depth_m: float) -> None:
    """Set the bias under a softplus so that the first answers are about `initial_depth_m`."""
    nn.init.constant_(last.bias, math.log(math.expm1(initial_depth_m)))


def head_depth_m(head: nn.Sequential, features: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
    """Metres: `softplus(head(features))`, outside autocast (specification, 6.7).

    bfloat16 keeps 8 bits, so the output of a bfloat16 layer would step by 1.6 cm at 2 to 4 m.
    """
    with torch.autocast(features.device.type, enabled=False):
        return F.softplus(head(features.to(next(head.parameters()).dtype))).squeeze(-1)
