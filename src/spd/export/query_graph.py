"""The v15.2 query as a graph of few large operations, with weights folded together.

It computes the function of `CrossAttentionPath.query` from the same state dict:

- `q . (W_k t) = (W_k^T q) . t`, so tokens are not projected. `W_q` and `W_k^T` become one matrix
  per head, and so do `W_v` and `W_o`.
- Bilinear interpolation is linear, so scores are computed on the 6x6 cells that a 5x5 window
  touches and then blended, instead of blending D channels. Attention weights are spread back onto
  the cells in the same way.
- The embeddings of map and position add a term that depends on the query alone: one more matrix.

No branch depends on a size, so one graph serves every K, batch and image size.
"""

import dataclasses
import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spd.config import PATCH, ModelConfig
from spd.pixels import rescale

COARSE_CELLS, FINE_CELLS = 2, 4  # cells of s8 and L2, and of L1, along a side of a patch


@dataclasses.dataclass(frozen=True, slots=True)
class CellWindows:
    """The cells that the window around each point touches, and where the point lies between them.

    The n x n tokens of a window have the map's own spacing and one fractional offset, so together
    they touch only (n + 1)^2 cells. Token (i, j), row-major, is the bilinear blend of cells (i, j),
    (i, j + 1), (i + 1, j), (i + 1, j + 1), as in `spd.geometry.sample_windows`. A linear function
    of the tokens can therefore be computed on the cells and blended afterwards, with one number per
    cell instead of a feature.
    """

    cells: Float[Tensor, "*q m c"]
    """(n + 1)^2 cells of each point, row-major."""
    fx: Float[Tensor, "*q 1 1 1"]
    """Weight of the right neighbour in every blend."""
    fy: Float[Tensor, "*q 1 1 1"]
    """Weight of the lower neighbour."""

    def centre(self) -> Float[Tensor, "*q c"]:
        """The middle token, which is the feature at the point itself."""
        cells = _square(self.cells)
        first = cells.shape[-2] // 2 - 1
        return self._blend(cells.narrow(-3, first, 2).narrow(-2, first, 2))[..., 0, 0, :]

    def blend(self, by_cell: Float[Tensor, "*q m c"]) -> Float[Tensor, "*q n c"]:
        """Values at the tokens, from values at the cells."""
        return self._blend(_square(by_cell)).flatten(-3, -2)

    def _blend(self, grid: Float[Tensor, "*q r s c"]) -> Tensor:
        """Blend neighbouring rows, then neighbouring columns."""
        for axis, share in ((-3, self.fy), (-2, self.fx)):
            tokens = grid.shape[axis] - 1
            first, second = grid.narrow(axis, 0, tokens), grid.narrow(axis, 1, tokens)
            grid = torch.lerp(first, second, share.to(grid.dtype))
        return grid

    def spread(self, by_token: Float[Tensor, "*q n c"]) -> Float[Tensor, "*q m c"]:
        """Divide each token's value among its four cells: the transpose of `blend`."""
        values = _square(by_token)
        right = values * self.fx
        values = F.pad(right, (0, 0, 1, 0)) + F.pad(values - right, (0, 0, 0, 1))
        below = values * self.fy
        values = F.pad(below, (0, 0, 0, 0, 1, 0)) + F.pad(values - below, (0, 0, 0, 0, 0, 1))
        return values.flatten(-3, -2)


class Cells(nn.Module):
    """Gather the cells around each point from one map with channels last.

    The scale from pixels to cells is a constant, because sizes are symbols in the exported graph.
    """

    steps: Tensor

    def __init__(self, window: int, cells_per_patch: int) -> None:
        super().__init__()
        self.ratio = cells_per_patch / PATCH
        self.register_buffer("steps", torch.arange(window + 1) - window // 2, persistent=False)

    def forward(
        self, feature_map: Float[Tensor, "b h w d"], points: Float[Tensor, "b k 2"]
    ) -> CellWindows:
        """Gather the cells that the window around each point touches."""
        B, h, w, D = feature_map.shape
        xy = rescale(points, self.ratio)
        corner = xy.floor()
        columns = (corner[..., :1].long() + self.steps).clamp(0, w - 1)  # [B, K, 6]
        rows = (corner[..., 1:].long() + self.steps).clamp(0, h - 1)
        image = torch.arange(B, device=points.device)[:, None, None] * h
        index: Int[Tensor, "b k m"] = (
            ((image + rows) * w)[..., :, None] + columns[..., None, :]
        ).flatten(2)
        by_cell = feature_map.reshape(B * h * w, D)
        fx, fy = (xy - corner)[..., None, None, None].unbind(dim=-4)
        return CellWindows(F.embedding(index, by_cell), fx, fy)


class Stage(nn.Module):
    """One cross-attention stage with its projections folded together.

    Args:
        weights: weights of the stage, named as in a checkpoint.
        embeddings: embeddings of the window's tokens, `[n, D]`, one per source map.
        heads: number of attention heads.
    """

    def __init__(self, weights: Mapping[str, Tensor], embeddings: list[Tensor], heads: int) -> None:
        super().__init__()
        w = {name: tensor.double() for name, tensor in weights.items()}
        tokens = torch.cat([embedding.double() for embedding in embeddings])  # [S * 25, D]
        D = tokens.shape[1]
        self.heads = heads
        by_head = [slice(n * D // heads, (n + 1) * D // heads) for n in range(heads)]
        scale = (D // heads) ** -0.5
        query, bias, out = w["q_proj.weight"], w["q_proj.bias"], w["out_proj.weight"]
        # Per head, [D, D]: the folded key projection, and the folded value and output projection.
        keys = [scale * query[h].T @ w["k_proj.weight"][h] for h in by_head]
        key_bias = [scale * bias[h] @ w["k_proj.weight"][h] for h in by_head]
        values = [(out[:, h] @ w["v_proj.weight"][h]).T for h in by_head]
        self.norm_q = _norm(w, "norm_q")
        self.norm_ffn = _norm(w, "norm_ffn")
        self.folded = _linear(torch.cat(keys, dim=1).T, torch.cat(key_bias))
        self.placed = _linear(
            torch.stack([tokens @ key.T for key in keys], dim=1).flatten(0, 1),
            torch.stack([tokens @ key for key in key_bias], dim=1).flatten(),
        )
        self.read = _linear(torch.cat(values).T, out @ w["v_proj.bias"] + w["out_proj.bias"])
        self.read_places = _linear(
            torch.stack([tokens @ value for value in values], dim=1).flatten(0, 1).T
        )
        self.widen = _linear(w["ffn.0.weight"], w["ffn.0.bias"])
        self.narrow = _linear(w["ffn.2.weight"], w["ffn.2.bias"])

    def forward(
        self, query: Float[Tensor, "b k d"], windows: list[CellWindows]
    ) -> Float[Tensor, "b k d"]:
        """Attend to the sources' cells, then apply the feed-forward network."""
        normed = self.norm_q(query)
        folded = self.folded(normed).unflatten(-1, (self.heads, -1)).transpose(-1, -2)
        scores = [window.blend(window.cells @ folded) for window in windows]  # [B, K, 25, H]
        placed = self.placed(normed).unflatten(-1, (-1, self.heads))
        weights = (torch.cat(scores, dim=-2) + placed).softmax(dim=-2)  # [B, K, S * 25, H]
        parts = weights.split([of_source.shape[-2] for of_source in scores], dim=-2)
        mixed = [
            window.spread(part).transpose(-1, -2) @ window.cells
            for part, window in zip(parts, windows, strict=True)
        ]
        read = mixed[0] if len(mixed) == 1 else mixed[0] + mixed[1]
        query = query + self.read(read.flatten(-2)) + self.read_places(weights.flatten(-2))
        return query + self.narrow(F.gelu(self.widen(self.norm_ffn(query))))


class QueryGraph(nn.Module):
    """Depth in metres from maps with channels last and points in pixels of the encoded image.

    Args:
        config: model configuration; the local path must be `cross_attention`.
        weights: weights of the local path, named as in a checkpoint without `local_path.`.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        scales, places = weights["scale_embedding"], weights["position_embedding"]
        s8, l2, l1 = (scale + places for scale in scales)
        self.coarse = Cells(config.window, COARSE_CELLS)
        self.fine = Cells(config.window, FINE_CELLS)
        self.stage1 = Stage(_of(weights, "stage1."), [s8, l2], config.heads)
        self.stage2 = Stage(_of(weights, "stage2."), [l1], config.heads)
        head = {name: tensor.double() for name, tensor in _of(weights, "head.").items()}
        self.head = nn.Sequential(
            _linear(head["0.weight"], head["0.bias"]),
            nn.ReLU(),
            _linear(head["2.weight"], head["2.bias"]),
        )

    def forward(
        self,
        stride_8_map: Float[Tensor, "b h8 w8 d"],
        l2: Float[Tensor, "b h8 w8 d"],
        l1: Float[Tensor, "b h4 w4 d"],
        points: Float[Tensor, "b k 2"],
    ) -> Float[Tensor, "b k"]:
        """Depth in metres `[B, K]`; NaN at points that are not finite or outside the image."""
        inside = self._inside(l1, points)
        asked = torch.where(inside[..., None], points, 0.0)
        s8_cells = self.coarse(stride_8_map, asked)
        query = self.stage1(s8_cells.centre(), [s8_cells, self.coarse(l2, asked)])
        query = self.stage2(query, [self.fine(l1, asked)])
        depth_m = F.softplus(self.head(query)).squeeze(-1)
        return torch.where(inside, depth_m, torch.nan)

    def _inside(self, l1: Tensor, points: Float[Tensor, "b k 2"]) -> Bool[Tensor, "b k"]:
        """Whether points lie inside the image, whose size follows from that of the maps."""
        height, width = (cells * PATCH / FINE_CELLS - 0.5 for cells in l1.shape[1:3])
        u, v = points[..., 0], points[..., 1]
        return (u >= -0.5) & (u <= width) & (v >= -0.5) & (v <= height)


def _square(values: Float[Tensor, "*q m c"]) -> Float[Tensor, "*q r s c"]:
    """Unflatten the row-major cells or tokens of a window into rows and columns."""
    *points, places, width = values.shape
    side = math.isqrt(places)
    return values.reshape(*points, side, side, width)


def _of(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Select the tensors under a prefix, and drop the prefix."""
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """Make a linear layer from float64 values, rounded once to float32."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.float().contiguous())
    if bias is not None:
        layer.bias = nn.Parameter(bias.float())
    return layer


def _norm(weights: Mapping[str, Tensor], name: str) -> nn.LayerNorm:
    weight = weights[f"{name}.weight"]
    layer = nn.LayerNorm(weight.shape[0])
    layer.weight = nn.Parameter(weight.float())
    layer.bias = nn.Parameter(weights[f"{name}.bias"].float())
    return layer
