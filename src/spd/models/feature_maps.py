"""`FeatureMaps`: the value that `encode` returns and that every query reads."""

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from spd.errors import InputError
from spd.pixels import Size


@dataclasses.dataclass(frozen=True, slots=True)
class FeatureMaps:
    """The three maps that a query reads, and the image size its points are measured in.

    An immutable value: keep as many as there are images open, move them between devices, query
    them in any order. With h = H/14 and w = W/14 patches the maps are, in the specification's
    names, of "stride" 8, 8 and 4; the true strides are H/rows (7, 7 and 3.5 pixels).

    Raises:
        InputError: if the maps differ in batch or channels.
    """

    stride_8_map: Float[Tensor, "b d h8 w8"]
    """Output of the global path; a query starts from it (specification, section 5)."""
    l2: Float[Tensor, "b d h8 w8"]
    """Second level of the neck."""
    l1: Float[Tensor, "b d h4 w4"]
    """First and finest level of the neck."""
    image_size: Size
    """(height, width) in pixels of the encoded image."""

    def __post_init__(self) -> None:
        for name, feature_map in zip(("stride_8_map", "l2", "l1"), self.maps, strict=True):
            if feature_map.ndim != 4 or feature_map.shape[:2] != self.l1.shape[:2]:
                raise InputError(
                    f"{name} must be [B, D, rows, columns] with the batch and channels of l1 "
                    f"{tuple(self.l1.shape[:2])}, got {tuple(feature_map.shape)}"
                )

    @property
    def maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """The stride-8 map, L2 and L1."""
        return self.stride_8_map, self.l2, self.l1

    @property
    def batch_size(self) -> int:
        """Number of images."""
        return self.l1.shape[0]

    @property
    def nbytes(self) -> int:
        """Memory of the three maps in bytes."""
        return sum(feature_map.nbytes for feature_map in self.maps)

    def to(self, target: torch.device | torch.dtype | str) -> "FeatureMaps":
        """Copy the maps to another device or dtype."""
        return self._each(lambda feature_map: feature_map.to(target))

    def of_image(self, number: int) -> "FeatureMaps":
        """The maps of one image; copies, because a view would keep those of all in memory."""
        if self.batch_size == 1:
            return self
        return self._each(lambda feature_map: feature_map[number : number + 1].clone())

    def cells_together(self) -> "FeatureMaps":
        """Store each cell's channels side by side in memory, because a query reads whole cells."""
        return self._each(lambda one: one.contiguous(memory_format=torch.channels_last))

    def detach(self) -> "FeatureMaps":
        """Cut the maps from the graph that computed them."""
        return self._each(Tensor.detach)

    def _each(self, function: Callable[[Tensor], Tensor]) -> "FeatureMaps":
        s8, l2, l1 = (function(feature_map) for feature_map in self.maps)
        return FeatureMaps(s8, l2, l1, self.image_size)
