"""Sampling and resizing of feature maps, and checks of points; torch only.

The coordinate rule `x = (u + 0.5) * w / W - 0.5` is `pixel_to_cell` in `spd.pixels`: a pixel `u` of
an image with W columns lies at index coordinate `x` of a map with w columns. Strides follow from
shapes. Sampling is bilinear with border padding, resizing has `align_corners=False` (specification,
6.3 and 6.4; `docs/conventions.md`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spd.errors import PointError
from spd.pixels import Size, inside_image, outside_error, pixel_to_cell, rescale


def cell_centres(cells: Size, image_size: Size, *, like: Tensor) -> Float[Tensor, "hw 2"]:
    """Centres `(u, v)` of a map's cells, row by row, in pixels of the image."""
    axes = [
        rescale(torch.arange(n, dtype=like.dtype, device=like.device), pixels / n)
        for n, pixels in zip(cells, image_size, strict=True)
    ]
    v, u = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([u, v], dim=-1).reshape(-1, 2)


def first_bad_point(points: Tensor, image_size: Size) -> int | None:
    """Index of the first of `[K, 2]` points that is not finite or lies outside the image."""
    if len(points) == 0:
        return None
    # Only the extremes of both axes: checking every point takes a tenth of the time of a query at
    # one point. NaN is an extreme too, and is never inside. `torch.aminmax` would wake all threads,
    # which then spin on the cores that the compiled query is about to use.
    extremes = torch.stack([points.amin(dim=0), points.amax(dim=0)])
    (u0, v0), (u1, v1) = extremes.tolist()
    if inside_image(u0, v0, image_size) and inside_image(u1, v1, image_size):
        return None
    return int((~points_inside(points, image_size)).nonzero()[0, 0])


def points_inside(points: Float[Tensor, "... 2"], image_size: Size) -> Bool[Tensor, "..."]:
    """Whether points lie in `-0.5 <= u <= W - 0.5`, `-0.5 <= v <= H - 0.5`; NaN does not."""
    return inside_image(points[..., 0], points[..., 1], image_size)


def check_points(points: Tensor, image_size: Size) -> None:
    """Refuse points that are not `[..., K, 2]`, not finite, or outside the image.

    Raises:
        PointError: naming the first bad point and the valid range.
    """
    if points.ndim < 2 or points.shape[-1] != 2 or not points.is_floating_point():
        raise PointError(
            f"points must be a floating-point tensor [..., K, 2] of (u, v), got {points.dtype} "
            f"{tuple(points.shape)}"
        )
    flat = points.detach().reshape(-1, 2)
    index = first_bad_point(flat, image_size)
    if index is not None:
        u, v = flat[index].tolist()
        raise outside_error(index, u, v, image_size)


def sample_windows(
    feature_maps: Sequence[Float[Tensor, "b c h w"]],
    points: Float[Tensor, "b k 2"],
    image_size: Size,
    window: int,
) -> "list[Float[Tensor, 'q n c']]":
    """Features of the `window` x `window` tokens around each point, row-major (specification, 6.4).

    The tokens have the map's own spacing and the middle one is exactly at the point. Token (i, j)
    is the bilinear blend of cells (i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1): `grid_sample`
    with `align_corners=False` and border padding gives the same.

        f[i, j] = sum over a, b in {0, 1} of down[a] * right[b] * cell[i + a, j + b]

    The sum is one operation on the map. Gathering the (window + 1)^2 cells and blending neighbours
    takes fewer multiply-adds (2.2 per channel instead of 4) and three times as long, because it
    writes every intermediate result to memory.

    Args:
        feature_maps: maps of one size.
        points: `(u, v)` in pixels of the image.
        image_size: (height, width) of the image.
        window: tokens along a side.

    Returns:
        Per map, the tokens of the B K points.
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
    """Rows of `_by_cell` that a window touches; shares of left and right, upper and lower cells.

    Beyond a border the cells are the border's, as in `gather_cells`.
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
    """`pixel_to_cell` of both axes, in one operation if cells are square, as in all maps of SPD."""
    if cells[0] * image_size[1] == cells[1] * image_size[0]:
        return pixel_to_cell(points, image_size[1], cells[1])
    axes = zip(points.unbind(dim=1), image_size[::-1], cells[::-1], strict=True)
    return torch.stack([pixel_to_cell(*axis) for axis in axes], dim=1)


def _by_cell(feature_map: Float[Tensor, "b c h w"]) -> Float[Tensor, "q c"]:
    """One row of channels per cell; a view if channels lie together in memory."""
    return feature_map.permute(0, 2, 3, 1).reshape(-1, feature_map.shape[1])


def sample(
    feature_map: Float[Tensor, "b c h w"], points: Float[Tensor, "b k 2"], image_size: Size
) -> Float[Tensor, "b k c"]:
    """Features of a map at points, sampled bilinearly with border padding."""
    (tokens,) = sample_windows([feature_map], points, image_size, 1)
    return tokens[:, 0].unflatten(0, points.shape[:2])


def gather_cells(
    feature_map: Float[Tensor, "b c h w"],
    image: Int[Tensor, " q"],
    rows: Int[Tensor, "q r"],
    columns: Int[Tensor, "q s"],
) -> Float[Tensor, "q r s c"]:
    """The cells at the crossings of each query's rows and columns of its image.

    An index beyond a border gives the border's cell. Blending neighbours then has border padding,
    because beyond the border both are the same cell.
    """
    C, h, w = feature_map.shape[1:]
    rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    cells = image[:, None, None] * (h * w) + rows[:, :, None] * w + columns[:, None, :]
    return _by_cell(feature_map).index_select(0, cells.reshape(-1)).view(*cells.shape, C)


def resize_bilinear(
    feature_map: Float[Tensor, "b c h w"], size: Size
) -> Float[Tensor, "b c h2 w2"]:
    """Resize bilinearly to an explicit size with `align_corners=False`."""
    return F.interpolate(feature_map, size=size, mode="bilinear", align_corners=False)


def resized_rows(
    feature_map: Float[Tensor, "b c h w"], size: Size, rows: range
) -> Float[Tensor, "b c n w2"]:
    """Compute some rows of `resize_bilinear(feature_map, size)` only.

    Rows beyond a border repeat the border, as replicate padding does.
    """
    cells = feature_map.shape[2]
    row = torch.arange(rows.start, rows.stop, device=feature_map.device).clamp(0, size[0] - 1)
    if cells == size[0]:
        lines = feature_map.index_select(2, row)
    else:
        at = pixel_to_cell(row, size[0], cells).clamp(min=0)
        above = at.long()
        below = (above + 1).clamp(max=cells - 1)
        share = (at - above).to(feature_map.dtype)[:, None]
        lines = feature_map.index_select(2, above) * (1 - share)
        lines = lines + feature_map.index_select(2, below) * share
    return resize_bilinear(lines, (len(rows), size[1]))


def resize_bicubic(depth: Float[Tensor, "b c h w"], size: Size) -> Float[Tensor, "b c h2 w2"]:
    """Resize bicubically, as published depth models enlarge their maps."""
    return F.interpolate(depth, size=size, mode="bicubic", align_corners=False)
