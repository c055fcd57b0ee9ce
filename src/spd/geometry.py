"""The only home of coordinates: pixels, cells, windows, and with `spd.pixels` cameras.

Conventions (`docs/conventions.md`): a point is `(u, v)` = (column, row) in pixels of the image it
was asked on, integers are pixel centres, so an image of width W spans -0.5 .. W - 0.5. Sizes are
(height, width). A map's stride is derived from shapes: cell `x` of a map with `w` columns lies at
`x = (u + 0.5) * w / W - 0.5`. Sampling is bilinear with border padding.
"""

import dataclasses
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spd.errors import PointError
from spd.pixels import MAX_SIDE_PX as MAX_SIDE_PX
from spd.pixels import Intrinsics as Intrinsics
from spd.pixels import Size as Size
from spd.pixels import allowed_scale as allowed_scale
from spd.pixels import check_image_size as check_image_size
from spd.pixels import check_outside as check_outside
from spd.pixels import focal_from_fov as focal_from_fov
from spd.pixels import inside_image, outside_error


def pixel_to_cell(pixel: Tensor, pixels: int, cells: int) -> Tensor:
    """Index coordinate in a map of `cells` along a side of `pixels`; centres go to centres."""
    return (pixel + 0.5) * (cells / pixels) - 0.5


def cell_centres(cells: Size, image_size: Size, *, like: Tensor) -> Float[Tensor, "hw 2"]:
    """The points `(u, v)` of a map's cell centres, row by row, in pixels of the image."""
    axes = [
        (torch.arange(n, dtype=like.dtype, device=like.device) + 0.5) * (pixels / n) - 0.5
        for n, pixels in zip(cells, image_size, strict=True)
    ]
    v, u = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([u, v], dim=-1).reshape(-1, 2)


def first_bad_point(points: Tensor, image_size: Size) -> int | None:
    """Index of the first of `[K, 2]` points that is not finite or lies outside the image."""
    if len(points) == 0:
        return None
    # The extremes of both axes: a whole check of each point takes a tenth of the time of a query
    # at one point. NaN is an extreme too, and lies nowhere. `torch.aminmax` wakes every thread
    # for it, which then spin on the cores that the compiled query is about to use.
    extremes = torch.stack([points.amin(dim=0), points.amax(dim=0)])
    (u0, v0), (u1, v1) = extremes.tolist()
    if inside_image(u0, v0, image_size) and inside_image(u1, v1, image_size):
        return None
    return int((~points_inside(points, image_size)).nonzero()[0, 0])


def points_inside(points: Float[Tensor, "... 2"], image_size: Size) -> Bool[Tensor, "..."]:
    """Which points lie in `-0.5 <= u <= W - 0.5`, `-0.5 <= v <= H - 0.5`; NaN does not."""
    return inside_image(points[..., 0], points[..., 1], image_size)


def check_points(points: Tensor, image_size: Size) -> None:
    """Refuse points that are not `[..., K, 2]`, not finite, or outside the image.

    Raises:
        PointError: naming the first bad point and the valid range.
    """
    if points.ndim < 2 or points.shape[-1] != 2 or not points.is_floating_point():
        raise PointError(
            f"points must be floating [..., K, 2] of (u, v), got {points.dtype} "
            f"{tuple(points.shape)}"
        )
    flat = points.detach().reshape(-1, 2)
    index = first_bad_point(flat, image_size)
    if index is not None:
        u, v = flat[index].tolist()
        raise outside_error(index, u, v, image_size)


@dataclasses.dataclass(frozen=True, slots=True)
class CellWindows:
    """The cells around points, gathered once, and how far each point lies between them.

    A `n` x `n` lattice of tokens with the map's own spacing, centred exactly at a point, touches
    only (n + 1)^2 cells, whatever its fractional offset. Token (i, j), row-major, is the bilinear
    blend of cells (i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1): equal to `grid_sample` with
    `align_corners=False` and border padding at every token (specification, section 6.4). What is
    linear in a token may be computed on the cells and blended afterwards, or its transpose spread
    to them, at a number a cell in place of a feature.
    """

    cells: Float[Tensor, "*q m c"]
    """(n + 1)^2 cells of each point, row-major."""
    fx: Float[Tensor, "*q 1 1 1"]
    """Share of the right neighbour in every blend, shaped as a blend takes it."""
    fy: Float[Tensor, "*q 1 1 1"]
    """Share of the lower neighbour."""

    @classmethod
    def gather(
        cls,
        feature_maps: Sequence[Float[Tensor, "b c h w"]],
        points: Float[Tensor, "b k 2"],
        image_size: Size,
        window: int,
    ) -> "list[CellWindows]":
        """The cells that a `window` x `window` lattice around each point touches.

        Of every map, for the B K points one after the other; all maps have as many cells, so
        where they lie is worked out once.
        """
        index, right, down = _cells_around(feature_maps[0].shape, points, image_size, window)
        return [
            cls(
                _by_cell(feature_map)
                .index_select(0, index.flatten())
                .view(len(index), (window + 1) ** 2, feature_map.shape[1]),
                right[:, 1, None, None, None].to(feature_map.dtype),
                down[:, 1, None, None, None].to(feature_map.dtype),
            )
            for feature_map in feature_maps
        ]

    def centre(self) -> Float[Tensor, "*q c"]:
        """The feature at the point itself, the middle token's."""
        cells = _square(self.cells)
        first = cells.shape[-2] // 2 - 1
        return self._blend(cells.narrow(-3, first, 2).narrow(-2, first, 2))[..., 0, 0, :]

    def blend(self, by_cell: Float[Tensor, "*q m c"]) -> Float[Tensor, "*q n c"]:
        """What stands at the tokens, from what stands at the cells."""
        return self._blend(_square(by_cell)).flatten(-3, -2)

    def _blend(self, grid: Float[Tensor, "*q r s c"]) -> Tensor:
        """Neighbours along the axis of rows, then along that of columns."""
        for axis, share in ((-3, self.fy), (-2, self.fx)):
            tokens = grid.shape[axis] - 1
            first, second = grid.narrow(axis, 0, tokens), grid.narrow(axis, 1, tokens)
            grid = torch.lerp(first, second, share.to(grid.dtype))
        return grid

    def spread(self, by_token: Float[Tensor, "*q n c"]) -> Float[Tensor, "*q m c"]:
        """The transpose of `blend`: each token's number, divided among its four cells."""
        values = _square(by_token)
        right = values * self.fx
        values = F.pad(right, (0, 0, 1, 0)) + F.pad(values - right, (0, 0, 0, 1))
        below = values * self.fy
        values = F.pad(below, (0, 0, 0, 0, 1, 0)) + F.pad(values - below, (0, 0, 0, 0, 0, 1))
        return values.flatten(-3, -2)


def sample_windows(
    feature_maps: Sequence[Float[Tensor, "b c h w"]],
    points: Float[Tensor, "b k 2"],
    image_size: Size,
    window: int,
) -> "list[Float[Tensor, 'q n c']]":
    """The features of a `window` x `window` lattice around each point: `CellWindows`' tokens.

    Each is a weighted sum of four cells, straight from the map in one operation. That is more
    multiply-adds than to gather cells and blend neighbours (4 a channel in place of 2.2), and
    takes a third of the time: nothing in between is written to memory.
    """
    index, right, down = _cells_around(feature_maps[0].shape, points, image_size, window)
    cells = index.unfold(1, 2, 1).unfold(2, 2, 1).reshape(-1, 4)  # upper pair, lower pair
    shares = down[:, :, None] * right[:, None]  # in the same order
    shares = shares[:, None].expand(-1, window**2, 2, 2).reshape(-1, 4)
    return [
        F.embedding_bag(
            cells,
            _by_cell(feature_map),
            per_sample_weights=shares.to(feature_map.dtype),
            mode="sum",
        ).view(len(index), window**2, feature_map.shape[1])
        for feature_map in feature_maps
    ]


def _cells_around(
    shape: torch.Size, points: Float[Tensor, "b k 2"], image_size: Size, window: int
) -> tuple[Int[Tensor, "q r s"], Float[Tensor, "q 2"], Float[Tensor, "q 2"]]:
    """Rows of `_by_cell` that a lattice around each point touches, and how they are blended.

    That is the shares of left and right neighbour, then of upper and lower.

    Beyond a border they are the border's, as in `gather_cells`.
    """
    B, _, h, w = shape
    xy = _cell_coordinates(points.reshape(-1, 2), image_size, (h, w))
    corner = xy.floor()
    second = xy - corner
    right, down = torch.stack([1 - second, second], dim=-1).unbind(dim=1)
    steps = torch.arange(-(window // 2), window - window // 2 + 1, device=points.device)
    columns, rows = (corner.long()[:, :, None] + steps).unbind(dim=1)  # [Q, window + 1]
    columns, rows = columns.clamp(0, w - 1), rows.clamp(0, h - 1)
    if B > 1:
        image = torch.arange(B, device=rows.device).repeat_interleave(points.shape[1])
        rows += image[:, None] * h
    return rows[:, :, None] * w + columns[:, None, :], right, down


def _cell_coordinates(
    points: Float[Tensor, "q 2"], image_size: Size, cells: Size
) -> Float[Tensor, "q 2"]:
    """`pixel_to_cell` of both axes: at once where a cell is square, as in every map of SPD's."""
    if cells[0] * image_size[1] == cells[1] * image_size[0]:
        return pixel_to_cell(points, image_size[1], cells[1])
    axes = zip(points.unbind(dim=1), image_size[::-1], cells[::-1], strict=True)
    return torch.stack([pixel_to_cell(*axis) for axis in axes], dim=1)


def _square(values: Float[Tensor, "*q m c"]) -> Float[Tensor, "*q r s c"]:
    """A window's cells or tokens, row by row, as rows and columns."""
    *points, places, width = values.shape
    side = math.isqrt(places)
    return values.reshape(*points, side, side, width)


def _by_cell(feature_map: Float[Tensor, "b c h w"]) -> Float[Tensor, "q c"]:
    """A row of channels for each cell; a view where channels lie together in memory."""
    return feature_map.permute(0, 2, 3, 1).reshape(-1, feature_map.shape[1])


def sample(
    feature_map: Float[Tensor, "b c h w"], points: Float[Tensor, "b k 2"], image_size: Size
) -> Float[Tensor, "b k c"]:
    """A map's features at points, bilinearly, borders repeated."""
    (tokens,) = sample_windows([feature_map], points, image_size, 1)
    return tokens[:, 0].unflatten(0, points.shape[:2])


def gather_cells(
    feature_map: Float[Tensor, "b c h w"],
    image: Int[Tensor, " q"],
    rows: Int[Tensor, "q r"],
    columns: Int[Tensor, "q s"],
) -> Float[Tensor, "q r s c"]:
    """The cells at the crossings of each query's rows and columns of its image.

    Indices beyond a border mean the border's cell, which is border padding for whoever blends
    neighbours: beyond the border both coincide.
    """
    C, h, w = feature_map.shape[1:]
    rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    cells = image[:, None, None] * (h * w) + rows[:, :, None] * w + columns[:, None, :]
    return _by_cell(feature_map).index_select(0, cells.reshape(-1)).view(*cells.shape, C)


def resize_bilinear(
    feature_map: Float[Tensor, "b c h w"], size: Size
) -> Float[Tensor, "b c h2 w2"]:
    """Bilinear resize under the one rule: explicit size, `align_corners=False`."""
    return F.interpolate(feature_map, size=size, mode="bilinear", align_corners=False)


def resized_rows(
    feature_map: Float[Tensor, "b c h w"], size: Size, rows: range
) -> Float[Tensor, "b c n w2"]:
    """Some rows of `resize_bilinear(feature_map, size)`, and no others computed.

    Rows outside of it are those of its border, as replicate padding has them.
    """
    cells = feature_map.shape[2]
    row = torch.arange(rows.start, rows.stop, device=feature_map.device).clamp(0, size[0] - 1)
    if cells == size[0]:
        lines = feature_map.index_select(2, row)
    else:
        at = ((row + 0.5) * (cells / size[0]) - 0.5).clamp(min=0)
        above = at.long()
        below = (above + 1).clamp(max=cells - 1)
        share = (at - above).to(feature_map.dtype)[:, None]
        lines = feature_map.index_select(2, above) * (1 - share)
        lines = lines + feature_map.index_select(2, below) * share
    return resize_bilinear(lines, (len(rows), size[1]))


def resize_bicubic(depth: Float[Tensor, "b c h w"], size: Size) -> Float[Tensor, "b c h2 w2"]:
    """The same, bicubic: how published depth models mean their maps to be enlarged."""
    return F.interpolate(depth, size=size, mode="bicubic", align_corners=False)
