"""Sizes of everything the model computes on, from the image's size alone (no torch here)."""

import dataclasses

from spd.config import PATCH
from spd.errors import InputError

Size = tuple[int, int]  # (height, width) in pixels

SPECIFICATION_SIZE: Size = (350, 476)
"""The input that the specification's section 10 counts for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """Cells of every map for one image of `size` (specification, 3.1 and 4.2).

    With h x w patches: L1 is 4h x 4w, L2 and the stride-8 map 2h x 2w, L3 h x w, and L4 half of
    that, rounded up.

    Raises:
        InputError: if a side is not a multiple of 14 of at least 28; the message is that of
            `spd.geometry.check_image_size`, which this module cannot import without torch.
    """

    size: Size

    def __post_init__(self) -> None:
        for name, pixels in zip(("height", "width"), self.size, strict=True):
            if pixels % PATCH or pixels < 2 * PATCH:
                below = max(pixels // PATCH * PATCH, 2 * PATCH)
                raise InputError(
                    f"image {name} {pixels} is not a multiple of {PATCH} of at least {2 * PATCH}; "
                    f"resize to {below} or pad to {below + PATCH}"
                )

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
