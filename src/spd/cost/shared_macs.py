"""Cells of every map, and MACs of encoder, neck and global path, once per image (section 10.1).

A MAC is one multiply-add of a matrix product or a convolution. Biases, norms, softmax, activations,
the resize of the position embeddings and the two resizes of the global path are not counted.
"""

import dataclasses

from spd.config import PATCH, ModelConfig
from spd.cost.table import Table
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


def encoder(config: ModelConfig, grid: Grid) -> Table:
    """MACs of the vision transformer on all patches and the class token."""
    width, layers = config.encoder.hidden_size, config.encoder.layers
    hidden, tokens = config.encoder.mlp_ratio * width, layers * grid.tokens
    patch_embedding = grid.patches * 3 * PATCH**2 * width
    attention = tokens * 2 * grid.tokens * width
    table = Table("10.1", "Encoder")
    table.add("encoder.patch_embedding", "Encoder: patch embedding", patch_embedding)
    table.add("encoder.qkv_projections", "Encoder: Q, K, V projections", tokens * 3 * width**2)
    table.add("encoder.attention", "Encoder: attention scores and weighted sums", attention)
    table.add("encoder.out_projections", "Encoder: output projections", tokens * width**2)
    table.add("encoder.mlp", "Encoder: MLPs", tokens * 2 * hidden * width)
    return table


def neck(config: ModelConfig, grid: Grid) -> Table:
    """MACs of the neck: one kernel per input cell for L1 and L2, per output cell for L4."""
    area, inputs = config.dim**2, len(config.encoder.taps) * config.encoder.hidden_size
    table = Table("10.1", "Neck")
    projections = grid.patches * inputs * config.dim
    table.add("neck.projections", "Neck: Conv1x1 of the four levels", projections)
    table.add("neck.l1_resize", "Neck: ConvTranspose 4x4, L1", grid.patches * 4**2 * area)
    table.add("neck.l2_resize", "Neck: ConvTranspose 2x2, L2", grid.patches * 2**2 * area)
    table.add("neck.l4_resize", "Neck: Conv3x3 stride 2, L4", grid.l4 * 3**2 * area)
    return table


def global_path(config: ModelConfig, grid: Grid) -> Table:
    """MACs of one RCU on L4 and two on L3; each 1x1 convolution follows its upsampling."""
    area = config.dim**2
    unit = 2 * 3**2 * area
    refinenet4 = grid.l4 * unit + grid.patches * area
    refinenet3 = grid.patches * 2 * unit + grid.l2 * area
    table = Table("10.1", "Global path")
    table.add("global.refinenet4", "Global: RCU and Conv1x1 of L4", refinenet4)
    table.add("global.refinenet3", "Global: two RCUs and Conv1x1 of L3", refinenet3)
    return table


def shared(config: ModelConfig, grid: Grid) -> Table:
    """MACs of everything before the local path."""
    table = Table("10.1", "Shared cost")
    for key, count in {"encoder": encoder, "neck": neck, "global": global_path}.items():
        part = count(config, grid)
        table.rows += part.rows
        table.add(key, part.title, *part.sums, times=0)
    table.add_sums("total", "Shared, once per image")
    return table
