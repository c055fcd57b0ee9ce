"""Cells of every map, from the size of the image alone."""

import dataclasses

from spd.config import PATCH
from spd.pixels import Size as Size
from spd.pixels import check_image_size

SPECIFICATION_SIZE: Size = (350, 476)
"""The input size of the specification's section 10."""


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """Cells of every map for one image of `size` (specification, 3.1 and 4.2).

    With h x w patches: L1 is 4h x 4w, L2 and the stride-8 map 2h x 2w, L3 h x w, and L4 half of
    that, rounded up.

    Raises:
        InputError: if a side is not a multiple of 14 of at least 28.
    """

    size: Size

    def __post_init__(self) -> None:
        check_image_size(self.size)

    @property
    def pixels(self) -> int:
        """Pixels of the image."""
        return self.size[0] * self.size[1]

    @property
    def patches(self) -> int:
        """Patches of the encoder, which are the cells of L3."""
        return (self.size[0] // PATCH) * (self.size[1] // PATCH)

    @property
    def tokens(self) -> int:
        """Tokens of the encoder: the patches and the class token."""
        return self.patches + 1

    @property
    def l1(self) -> int:
        """Cells of L1, the positions of dense training ("stride 4")."""
        return 16 * self.patches

    @property
    def l2(self) -> int:
        """Cells of L2 and of the stride-8 map."""
        return 4 * self.patches

    @property
    def l4(self) -> int:
        """Cells of L4, after a 3x3 convolution of stride 2 and padding 1."""
        rows, columns = (-(-side // (2 * PATCH)) for side in self.size)
        return rows * columns
