"""The only home of coordinates: pixels, cells, windows, cameras.

Conventions (`docs/conventions.md`): a point is `(u, v)` = (column, row) in pixels of the image it
was asked on, integers are pixel centres, so an image of width W spans -0.5 .. W - 0.5. Sizes are
(height, width). A map's stride is derived from shapes: cell `x` of a map with `w` columns lies at
`x = (u + 0.5) * w / W - 0.5`. Sampling is bilinear with border padding.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spd.config import PATCH
from spd.errors import InputError, PointError

Size = tuple[int, int]  # (height, width)
MAX_SIDE_PX = 1400  # of what the model sees; attention grows with the fourth power of it


def check_image_size(size: Size) -> None:
    """Refuse image sizes the encoder cannot cut into at least 2x2 whole patches.

    Raises:
        InputError: naming, for each bad side, the two nearest valid sizes.
    """
    for name, pixels in zip(("height", "width"), size, strict=True):
        if pixels % PATCH or pixels < 2 * PATCH:
            below = max(pixels // PATCH * PATCH, 2 * PATCH)
            raise InputError(
                f"image {name} {pixels} is not a multiple of {PATCH} of at least {2 * PATCH}; "
                f"resize to {below} or pad to {below + PATCH}"
            )


def allowed_scale(size: Size, wanted: float) -> float:
    """The scale nearest to `wanted` that an image of `size` may be given to the model at.

    Its shorter side gets at least two patches, its longer at most `MAX_SIDE_PX`.
    """
    smallest = (PATCH + 1) / min(size)
    return min(max(wanted, smallest), MAX_SIDE_PX / max(size))


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
    bad = ~points_inside(points, image_size)
    return int(bad.nonzero()[0, 0]) if bool(bad.any()) else None


def points_inside(points: Float[Tensor, "... 2"], image_size: Size) -> Bool[Tensor, "..."]:
    """Which points lie in `-0.5 <= u <= W - 0.5`, `-0.5 <= v <= H - 0.5`; NaN does not."""
    height, width = image_size
    u, v = points[..., 0], points[..., 1]
    return (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)


def check_outside(outside: str) -> None:
    """Refuse another word for what to do with points outside the image than the two there are."""
    if outside not in ("raise", "nan"):
        raise InputError(f"outside must be 'raise' or 'nan', got {outside!r}")


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
        height, width = image_size
        raise PointError(
            f"point {index} is ({u:g}, {v:g}), outside the image of {width} columns and "
            f"{height} rows: u must be in [-0.5, {width - 0.5}] and v in [-0.5, {height - 0.5}]"
        )


def sample_window(
    feature_map: Float[Tensor, "b c h w"],
    points: Float[Tensor, "b k 2"],
    image_size: Size,
    window: int,
) -> Float[Tensor, "b k n c"]:
    """Read the `window` x `window` lattice of cells around each point, bilinearly.

    The lattice has the map's own spacing and is centred exactly at the point; its tokens are
    row-major (dy outer). Equal to `grid_sample` with `align_corners=False` and border padding at
    every token, but a lattice at one fractional offset touches only (window + 1)^2 cells, so those
    are gathered once and blended along each axis (specification, section 6.4).
    """
    B, C, h, w = feature_map.shape
    K = points.shape[1]
    x = pixel_to_cell(points[..., 0], image_size[1], w)
    y = pixel_to_cell(points[..., 1], image_size[0], h)
    x0, y0 = x.floor(), y.floor()
    steps = torch.arange(window + 1, device=points.device) - window // 2
    columns = x0.long()[..., None] + steps  # [B, K, window + 1]
    rows = y0.long()[..., None] + steps
    image = torch.arange(B, device=points.device).repeat_interleave(K)
    patch = gather_cells(feature_map, image, rows.flatten(0, 1), columns.flatten(0, 1))
    patch = patch.view(B, K, window + 1, window + 1, C)
    fx = (x - x0).to(patch.dtype)[..., None, None, None]
    fy = (y - y0).to(patch.dtype)[..., None, None, None]
    patch = torch.lerp(patch[:, :, :-1], patch[:, :, 1:], fy)
    patch = torch.lerp(patch[:, :, :, :-1], patch[:, :, :, 1:], fx)
    return patch.reshape(B, K, window * window, C)


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
    B, C, h, w = feature_map.shape
    rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    cells = image[:, None, None] * (h * w) + rows[:, :, None] * w + columns[:, None, :]
    by_cell = feature_map.permute(0, 2, 3, 1).reshape(B * h * w, C)
    return by_cell.index_select(0, cells.reshape(-1)).view(*cells.shape, C)


def resize_bilinear(
    feature_map: Float[Tensor, "b c h w"], size: Size
) -> Float[Tensor, "b c h2 w2"]:
    """Bilinear resize under the one rule: explicit size, `align_corners=False`."""
    return F.interpolate(feature_map, size=size, mode="bilinear", align_corners=False)


def resize_bicubic(depth: Float[Tensor, "b c h w"], size: Size) -> Float[Tensor, "b c h2 w2"]:
    """The same, bicubic: how published depth models mean their maps to be enlarged."""
    return F.interpolate(depth, size=size, mode="bicubic", align_corners=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera in pixels, integers at pixel centres: `u = fx * X / Z + cx`."""

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(math.isfinite(value) for value in values) or self.fx <= 0 or self.fy <= 0:
            raise InputError(f"intrinsics must be finite with positive focal lengths, got {values}")

    @classmethod
    def centred(cls, focal_px: float, size: Size) -> "Intrinsics":
        """Square pixels and the principal point in the middle of an image of `size`."""
        return cls(focal_px, focal_px, (size[1] - 1) / 2, (size[0] - 1) / 2)

    @property
    def focal_px(self) -> float:
        """One focal length for the uniform scale rule: the geometric mean of fx and fy."""
        return math.sqrt(self.fx * self.fy)

    def resized(self, scale_x: float, scale_y: float) -> "Intrinsics":
        """After resizing the image by these factors (outer borders stay borders)."""
        return Intrinsics(
            self.fx * scale_x,
            self.fy * scale_y,
            (self.cx + 0.5) * scale_x - 0.5,
            (self.cy + 0.5) * scale_y - 0.5,
        )

    def cropped(self, left: float, top: float) -> "Intrinsics":
        """After cutting `left` columns and `top` rows away (negative: padding)."""
        return dataclasses.replace(self, cx=self.cx - left, cy=self.cy - top)

    def flipped(self, width: int) -> "Intrinsics":
        """After mirroring an image of `width` columns left to right."""
        return dataclasses.replace(self, cx=width - 1 - self.cx)

    def ray_lengths(self, points: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
        """Length of the ray at each point whose camera z is 1: range = z times this."""
        x = (points[..., 0] - self.cx) / self.fx
        y = (points[..., 1] - self.cy) / self.fy
        return torch.sqrt(x * x + y * y + 1)


def focal_from_fov(fov_deg: float, size: Size) -> float:
    """Focal length in pixels that gives `fov_deg` along the longer side of `size`."""
    return max(size) / 2 / math.tan(math.radians(fov_deg) / 2)
