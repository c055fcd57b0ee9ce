"""MACs of v15.1's convolutional local path, the baseline of the specification.

The specification gives only the sums, 5,846 M dense and 8.48 M per query. They follow if every
bilinear doubling counts four multiply-adds per value, sampling the patches counts nothing, and each
1x1 convolution runs after its doubling (sparse: after the crop).
"""

from spd.config import ModelConfig
from spd.cost.grids import Grid
from spd.cost.local_macs import BILINEAR
from spd.cost.parameters import Terms

PATCHES = {"refinenet2": 9, "refinenet1": 7}
"""Side in cells of the patches that each refinenet starts from."""
HEAD_PATCH = 5
CROPS = {"refinenet2": 7, "refinenet1": 5}
"""Side of the recentred crop after each refinenet's doubling."""
HEAD_CROP = 3
EXACT = {"refinenet2": (11, 9), "refinenet1": (9, 5)}
"""Sides of the patches of `ConvPath.query`, before and after the doubling: all cells that the
answer depends on, so that it equals the dense map. The patches above are too small for that."""


def sparse(config: ModelConfig) -> Terms:
    """MACs of one query: valid convolutions on patches around it.

    9 to 5 (two valid 3x3), doubled to 10, cropped to 7; 7 to 3, doubled to 6, cropped to 5; the
    head 5 to 3, doubled to 6, cropped to 3, and one valid 3x3 down to a single cell.
    """
    area, half = config.dim**2, config.dim // 2
    terms: Terms = {}
    for name, side in PATCHES.items():
        convolved = (side - 2) ** 2 + (side - 4) ** 2  # outputs of the RCU's two convolutions
        doubled = (2 * (side - 4)) ** 2
        terms[f"{name}.units"] = 2 * convolved * 3**2 * area
        terms[f"{name}.upsample"] = doubled * BILINEAR * config.dim
        terms[f"{name}.out"] = CROPS[name] ** 2 * area
    convolved = HEAD_PATCH - 2
    terms["head.conv1"] = convolved**2 * 3**2 * config.dim * half
    terms["head.upsample"] = (2 * convolved) ** 2 * BILINEAR * half
    terms["head.conv2"] = (HEAD_CROP - 2) ** 2 * 3**2 * half**2
    terms["head.conv3"] = half
    return terms


def sparse_as_implemented(config: ModelConfig) -> Terms:
    """MACs of one query on patches that make it equal to the dense map.

    11 to 7 (two valid 3x3), doubled to 9; 9 to 5, doubled to 5; 5 to 3, doubled to 3, one cell.
    Only cells that a later step reads are doubled.
    """
    area, half = config.dim**2, config.dim // 2
    terms: Terms = {}
    for name, (side, doubled) in EXACT.items():
        convolved = (side - 2) ** 2 + (side - 4) ** 2
        terms[f"{name}.units"] = 2 * convolved * 3**2 * area
        terms[f"{name}.upsample"] = doubled**2 * BILINEAR * config.dim
        terms[f"{name}.out"] = doubled**2 * area
    head = {name: count for name, count in sparse(config).items() if name.startswith("head.")}
    return terms | head | {"head.upsample": HEAD_CROP**2 * BILINEAR * half}


def dense(config: ModelConfig, grid: Grid) -> Terms:
    """MACs of padded convolutions on whole maps: stride 8 to 4 to 2, the head to 1, then H x W."""
    area, half = config.dim**2, config.dim // 2
    stride_8, stride_4, stride_2, stride_1 = grid.l2, grid.l1, 4 * grid.l1, 16 * grid.l1
    unit = 2 * 3**2 * area
    terms: Terms = {}
    for name, cells, doubled in (
        ("refinenet2", stride_8, stride_4),
        ("refinenet1", stride_4, stride_2),
    ):
        terms[f"{name}.units"] = 2 * cells * unit
        terms[f"{name}.upsample"] = doubled * BILINEAR * config.dim
        terms[f"{name}.out"] = doubled * area
    terms["head.conv1"] = stride_2 * 3**2 * config.dim * half
    terms["head.upsample"] = stride_1 * BILINEAR * half
    terms["head.conv2"] = stride_1 * 3**2 * half**2
    terms["head.conv3"] = stride_1 * half
    terms["resize"] = BILINEAR * grid.pixels
    return terms
