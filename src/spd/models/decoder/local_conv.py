"""v15.1 local path: two convolutional refinenets and a convolutional head, at stride 8, 4, 2, 1.

`dense` convolves whole maps. `query` convolves one patch per point, cut at whole cells, with all
cells that the answer depends on, so that both are one function. A mask on the patch replaces the
zero padding of whole maps, and every doubling reads the same cells as the doubling of the map.
"""

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.geometry import gather_cells, resize_bilinear
from spd.models.decoder.global_dpt import ResidualConvUnit
from spd.models.decoder.local_path import LocalPath, head_depth_m, start_at_depth
from spd.models.feature_maps import FeatureMaps
from spd.pixels import Size, pixel_to_cell, rescale


class RefineNet(nn.Module):
    """`Conv1x1(up2(RCU(coarse) + RCU(skip)))`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.rcu_coarse = ResidualConvUnit(dim)
        self.rcu_skip = ResidualConvUnit(dim)
        self.out = nn.Conv2d(dim, dim, kernel_size=1)

    def forward(
        self, coarse: Float[Tensor, "b d h w"], skip: Float[Tensor, "b d h w"]
    ) -> Float[Tensor, "b d h2 w2"]:
        """Fuse two maps of one size; the output is twice as large."""
        return self.out(double(self.rcu_coarse(coarse) + self.rcu_skip(skip)))


@dataclasses.dataclass(frozen=True, slots=True)
class Patches:
    """A square of cells around each query, with its position in the map."""

    values: Float[Tensor, "q c s s"]
    """Features; cells outside the map are masked before they are read."""
    rows: Int[Tensor, "q s"]
    """Row of each cell in the map; outside the map it is negative or too large."""
    columns: Int[Tensor, "q s"]
    """Column of each cell in the map."""
    size: Size
    """(rows, columns) of the map."""

    @property
    def inside(self) -> Bool[Tensor, "q 1 s s"]:
        """Whether each cell lies in the map."""
        rows = (self.rows >= 0) & (self.rows < self.size[0])
        columns = (self.columns >= 0) & (self.columns < self.size[1])
        return (rows[:, :, None] & columns[:, None, :])[:, None]

    def masked(self) -> "Patches":
        """Set cells outside the map to zero, as the padding of a convolution does."""
        return dataclasses.replace(self, values=self.values * self.inside)

    def trimmed(self, values: Tensor, margin: int) -> "Patches":
        """Replace the values, for the cells that remain without `margin` on every side."""
        keep = slice(margin, self.rows.shape[1] - margin)
        return Patches(values, self.rows[:, keep], self.columns[:, keep], self.size)


class ConvPath(LocalPath):
    """Depth on a grid of 16h x 16w cells for h x w patches; 331,489 parameters at D = 64.

    The answer to a query is the value of the grid cell that contains the point.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, half = config.dim, config.dim // 2
        self.refine2 = RefineNet(dim)
        self.refine1 = RefineNet(dim)
        self.reduce = nn.Conv2d(dim, half, kernel_size=3, padding=1)
        self.smooth = nn.Conv2d(half, half, kernel_size=3, padding=1)
        last = nn.Linear(half, 1)
        start_at_depth(last, config.initial_depth_m)
        self.head = nn.Sequential(nn.ReLU(), last)

    def dense(self, maps: FeatureMaps) -> Float[Tensor, "b 1 hl wl"]:
        """Depth in metres on the whole grid."""
        refined = self.refine2(maps.stride_8_map, maps.l2)
        refined = self.refine1(refined, maps.l1)
        features = self.smooth(double(self.reduce(refined)))
        return head_depth_m(self.head, features.permute(0, 2, 3, 1))[:, None]

    def query(self, maps: FeatureMaps, points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k"]:
        """Depth in metres of the grid cell that contains each point `(u, v)`."""
        B, K, _ = points.shape
        grid: Size = (4 * maps.l1.shape[-2], 4 * maps.l1.shape[-1])
        # The cell's index; points on the outer border belong to the outermost cells.
        row = (pixel_to_cell(points[..., 1], maps.image_size[0], grid[0]) + 0.5).floor().long()
        column = (pixel_to_cell(points[..., 0], maps.image_size[1], grid[1]) + 0.5).floor().long()
        row, column = row.clamp(0, grid[0] - 1).flatten(), column.clamp(0, grid[1] - 1).flatten()
        # Each 3x3 reaches one cell and each RCU two; a doubling halves the reach.
        s8, l2 = (
            self._cut(feature_map, row // 8, column // 8, reach=5)
            for feature_map in (maps.stride_8_map, maps.l2)
        )
        l1 = self._cut(maps.l1, row // 4, column // 4, reach=4)
        refined = refine(self.refine2, s8, l2, row // 4, column // 4, reach=4)
        refined = refine(self.refine1, refined, l1, row // 2, column // 2, reach=2)
        reduced = refined.trimmed(valid(self.reduce, refined.masked().values), margin=1)
        fine = double_patches(reduced, row, column, reach=1)
        features = valid(self.smooth, fine.masked().values)[:, :, 0, 0]
        return head_depth_m(self.head, features).view(B, K)

    def _cut(self, feature_map: Tensor, row: Tensor, column: Tensor, reach: int) -> Patches:
        """The cells up to `reach` away from one cell of each query, in the weights' dtype."""
        B, _, h, w = feature_map.shape
        steps = torch.arange(-reach, reach + 1, device=row.device)
        rows, columns = row[:, None] + steps, column[:, None] + steps
        image = torch.arange(B, device=row.device).repeat_interleave(len(row) // B)
        values = gather_cells(feature_map, image, rows, columns)  # [Q, s, s, C]
        values = values.permute(0, 3, 1, 2).to(self.reduce.weight.dtype)
        return Patches(values, rows, columns, (h, w))


def double(feature_map: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h2 w2"]:
    """Double rows and columns, bilinearly."""
    return resize_bilinear(feature_map, (2 * feature_map.shape[-2], 2 * feature_map.shape[-1]))


def valid(conv: nn.Conv2d, values: Float[Tensor, "q c s s"]) -> Float[Tensor, "q c2 s2 s2"]:
    """Convolve without padding; cells outside the map are already masked."""
    return torch.nn.functional.conv2d(values, conv.weight, conv.bias)


def residual(unit: ResidualConvUnit, patches: Patches) -> Float[Tensor, "q c s2 s2"]:
    """Apply an RCU without padding; the result is two cells smaller on every side."""
    outside_is_zero = patches.masked()
    first = valid(unit.conv1, unit.activation(outside_is_zero.values))
    hidden = patches.trimmed(first, margin=1).masked()
    second = valid(unit.conv2, unit.activation(hidden.values))
    return patches.values[:, :, 2:-2, 2:-2] + second


def refine(
    net: RefineNet, coarse: Patches, skip: Patches, row: Tensor, column: Tensor, reach: int
) -> Patches:
    """Apply a refinenet to patches; the result has the cells up to `reach` from (row, column)."""
    total = residual(net.rcu_coarse, coarse) + residual(net.rcu_skip, skip)
    doubled = double_patches(coarse.trimmed(total, margin=2), row, column, reach)
    return dataclasses.replace(doubled, values=net.out(doubled.values))


def double_patches(patches: Patches, row: Tensor, column: Tensor, reach: int) -> Patches:
    """Values of the bilinearly doubled map at the cells around (row, column)."""
    steps = torch.arange(-reach, reach + 1, device=row.device)
    rows, columns = row[:, None] + steps, column[:, None] + steps
    values = _double_axis(patches.values, patches.rows, rows, patches.size[0], dim=2)
    values = _double_axis(values, patches.columns, columns, patches.size[1], dim=3)
    return Patches(values, rows, columns, (2 * patches.size[0], 2 * patches.size[1]))


def _double_axis(values: Tensor, cells: Tensor, wanted: Tensor, count: int, dim: int) -> Tensor:
    """Double one axis: cell j of the doubled map lies at `rescale(j, 0.5)`, borders repeated."""
    at = rescale(wanted, 0.5).clamp(0, count - 1)
    below = at.floor()
    fraction = (at - below).to(values.dtype)
    shape = (-1, 1, wanted.shape[1], 1) if dim == 2 else (-1, 1, 1, wanted.shape[1])

    def read(cell: Tensor) -> Tensor:
        # Cells outside the map may lie outside the patch too; they are masked later.
        place = (cell.clamp(0, count - 1).long() - cells[:, :1]).clamp(0, cells.shape[1] - 1)
        return values.take_along_dim(place.view(shape), dim=dim)

    return torch.lerp(read(below), read(below + 1), fraction.view(shape))
