"""MACs of v15.1's convolutional local path, the baseline of the specification.

The specification gives only the sums, 5,846 M dense and 8.48 M per query. They follow if every
bilinear doubling counts four multiply-adds per value, sampling the patches counts nothing, and each
1x1 convolution runs after its doubling (sparse: after the crop).
"""

from spd.config import ModelConfig
from spd.cost.local_macs import BILINEAR
from spd.cost.shared_macs import Grid
from spd.cost.table import Table

Cells = dict[str, tuple[int, int, int]]
"""Cells that the steps of `refinenet2`, `refinenet1` and `head` compute.

Of a refinenet: the two convolutions of an RCU together, the doubling, the 1x1 convolution. Of the
head: the first 3x3 convolution, the doubling, and each of the last two convolutions.
"""
SPECIFIED: Cells = {
    "refinenet2": (7**2 + 5**2, 10**2, 7**2),
    "refinenet1": (5**2 + 3**2, 6**2, 5**2),
    "head": (3**2, 6**2, 1),
}
"""Valid convolutions on patches around a query: 9 cells a side to 5 (two valid 3x3), doubled to 10,
cropped to 7; 7 to 3, doubled to 6, cropped to 5; the head 5 to 3, doubled to 6, cropped to 3, and
one valid 3x3 down to a single cell."""
IMPLEMENTED: Cells = {
    "refinenet2": (9**2 + 7**2, 9**2, 9**2),
    "refinenet1": (7**2 + 5**2, 5**2, 5**2),
    "head": (3**2, 3**2, 1),
}
"""Patches of `ConvPath.query`: all cells that the answer depends on, so that it equals the dense
map, for which the specified patches are too small. 11 cells a side to 7 (two valid 3x3), doubled to
9; 9 to 5, doubled to 5; 5 to 3, doubled to 3, one cell. Only cells that a later step reads are
doubled."""


def sparse(config: ModelConfig) -> Table:
    """MACs of one query, as specified and on patches that make it equal to the dense map."""
    return _steps("sparse", "One query", config, SPECIFIED, IMPLEMENTED)


def dense(config: ModelConfig, grid: Grid) -> Table:
    """MACs of padded convolutions on whole maps: stride 8 to 4 to 2, the head to 1, then H x W."""
    stride_8, stride_4, stride_2, stride_1 = grid.l2, grid.l1, 4 * grid.l1, 16 * grid.l1
    cells = {
        "refinenet2": (2 * stride_8, stride_4, stride_4),
        "refinenet1": (2 * stride_4, stride_2, stride_2),
        "head": (stride_2, stride_1, stride_1),
    }
    table = _steps("dense", "Dense", config, cells)
    table.add("dense.resize", "Dense: resizing the depth to H x W", BILINEAR * grid.pixels)
    return table


def _steps(key: str, title: str, config: ModelConfig, *columns: Cells) -> Table:
    """A row for every step: the MACs of one of its cells times the cells of each column."""
    table = Table("v15.1", title)
    dim, half = config.dim, config.dim // 2
    refinenet = (
        ("units", "two RCUs", 2 * 3**2 * dim**2, 0),
        ("upsample", "2x upsampling", BILINEAR * dim, 1),
        ("out", "Conv1x1", dim**2, 2),
    )
    head = (
        ("conv1", "first Conv3x3", 3**2 * dim * half, 0),
        ("upsample", "2x upsampling", BILINEAR * half, 1),
        ("conv2", "second Conv3x3", 3**2 * half**2, 2),
        ("conv3", "Conv1x1", half, 2),
    )
    for part, steps in {"refinenet2": refinenet, "refinenet1": refinenet, "head": head}.items():
        for step, name, macs, place in steps:
            counts = (macs * cells[part][place] for cells in columns)
            table.add(f"{key}.{part}.{step}", f"{title}: {part}, {name}", *counts)
    return table


def v15_1_table(config: ModelConfig, grid: Grid, shared: int) -> Table:
    """MACs of the baseline, one query and dense; `shared` is the count before the local path."""
    table = Table("v15.1", "Local path of the convolutional baseline")
    parts = {"sparse": sparse(config), "dense": dense(config, grid)}
    for key, part in parts.items():
        table.rows += part.rows
        table.add(key, f"{part.title}: sum", *part.sums)
    query, whole = (part.sums for part in parts.values())
    table.add("dense_total", "Dense map: total", *(shared + macs for macs in whole))
    break_evens = (macs / each for macs, each in zip(whole, query, strict=True))
    table.add("break_even", "Break-even K*", *break_evens, unit="queries")
    return table
