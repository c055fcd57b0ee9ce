"""What `encode` returns: everything a question needs, and nothing else."""

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from spd.errors import InputError
from spd.geometry import Size


@dataclasses.dataclass(frozen=True, slots=True)
class FeatureMaps:
    """The three maps a query reads, and the image size its points are measured in.

    An immutable value: keep as many as there are images open, move them between devices, ask
    them in any order. With h = H/14 and w = W/14 patches the maps are, in the specification's
    names, of "stride" 8, 8 and 4; the true strides are H/rows (7, 7 and 3.5 pixels).
    """

    stride_8_map: Float[Tensor, "b d h8 w8"]
    """Output of the global path; a query starts from it (specification, section 5)."""
    l2: Float[Tensor, "b d h8 w8"]
    """Second level of the neck."""
    l1: Float[Tensor, "b d h4 w4"]
    """First and finest level of the neck."""
    image_size: Size
    """(height, width) in pixels of the image that was encoded."""
    projected: "ProjectedMaps | None" = None
    """What `SPD.project` added: keys and values of every cell."""

    def __post_init__(self) -> None:
        for name in ("stride_8_map", "l2", "l1"):
            feature_map = getattr(self, name)
            if feature_map.ndim != 4 or feature_map.shape[:2] != self.l1.shape[:2]:
                raise InputError(
                    f"{name} must be [B, D, rows, columns] with the batch and channels of l1 "
                    f"{tuple(self.l1.shape[:2])}, got {tuple(feature_map.shape)}"
                )

    @property
    def batch_size(self) -> int:
        """Number of images."""
        return self.l1.shape[0]

    @property
    def nbytes(self) -> int:
        """Memory held by all maps, in bytes."""
        own = sum(feature_map.nbytes for feature_map in (self.stride_8_map, self.l2, self.l1))
        return own + (0 if self.projected is None else self.projected.nbytes)

    def to(self, target: torch.device | torch.dtype | str) -> "FeatureMaps":
        """The same maps on another device or in another dtype."""
        return dataclasses.replace(
            self,
            stride_8_map=self.stride_8_map.to(target),
            l2=self.l2.to(target),
            l1=self.l1.to(target),
            projected=None
            if self.projected is None
            else self.projected.map(lambda m: m.to(target)),
        )

    def cells_together(self) -> "FeatureMaps":
        """The same maps with a cell's channels side by side: a query gathers whole cells."""
        s8, l2, l1 = (
            one.contiguous(memory_format=torch.channels_last)
            for one in (self.stride_8_map, self.l2, self.l1)
        )
        return dataclasses.replace(self, stride_8_map=s8, l2=l2, l1=l1)

    def detach(self) -> "FeatureMaps":
        """The same values, cut from the graph that computed them."""
        return dataclasses.replace(
            self,
            stride_8_map=self.stride_8_map.detach(),
            l2=self.l2.detach(),
            l1=self.l1.detach(),
            projected=None if self.projected is None else self.projected.map(Tensor.detach),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectedMaps:
    """Keys and values of every cell of the three maps, for the weights that made them.

    Projection commutes with bilinear sampling, so what is projected here once is not projected by
    every query (`docs/cost.md`).
    """

    stride_8_map: Float[Tensor, "b d2 h8 w8"]
    """Keys, then values, of the first stage."""
    l2: Float[Tensor, "b d2 h8 w8"]
    """The same."""
    l1: Float[Tensor, "b d2 h4 w4"]
    """Keys, then values, of the second stage."""
    weights: tuple[tuple[int, int], ...]
    """Which state of which weights made them."""

    def map(self, function: Callable[[Tensor], Tensor]) -> "ProjectedMaps":
        """The same with a function applied to each map."""
        return dataclasses.replace(
            self,
            stride_8_map=function(self.stride_8_map),
            l2=function(self.l2),
            l1=function(self.l1),
        )

    @property
    def nbytes(self) -> int:
        """Memory held by the three maps, in bytes."""
        return sum(feature_map.nbytes for feature_map in (self.stride_8_map, self.l2, self.l1))
