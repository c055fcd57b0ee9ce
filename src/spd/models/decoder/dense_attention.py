"""Attention of every cell to the window around it, in bounded memory, forward and backward.

Unfolding 25 copies of six maps takes 25 times their memory. Instead, the grid is cut into tiles of
6 x 6 cells, which read 10 x 10 cells. The scores of a tile are one matrix product with these cells,
and the window of each cell is a strided view of the product, so nothing is gathered. Products
outside the windows are wasted but cheap. The backward pass recomputes the attention weights of a
strip of tiles instead of keeping them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

TILE = 6  # cells per side, the fastest of 4 to 12 on two cores; at least the window less one
STRIP_TILES = 40  # tiles of one head that are processed at once


class Source(NamedTuple):
    """Keys and values of one map, of which every cell reads a window."""

    keys: Float[Tensor, "b y2 x2 heads e"]
    """Keys, padded by half a window on every side."""
    values: Float[Tensor, "b y2 x2 heads e"]
    """Values, padded like the keys."""
    place_keys: Float[Tensor, "n heads e"]
    """The share of each place in the window in a key."""
    place_values: Float[Tensor, "n heads e"]
    """The share of each place in the window in a value."""


def window_attention(
    query: Float[Tensor, "b y x heads e"], sources: Sequence[Source], dilation: int
) -> Float[Tensor, "b y x heads e"]:
    """Attend to the windows of all sources together: `softmax(q . k) v`.

    Args:
        query: queries scaled by 1/sqrt(e), so that scores are plain products.
        sources: the maps; a window has as many places as `place_keys` has rows, row-major.
        dilation: cells from one place of a window to the next.
    """
    side = math.isqrt(len(sources[0].place_keys))
    rows, columns = (math.ceil(cells / (TILE * dilation)) * TILE for cells in query.shape[1:3])
    reach = side - 1
    with torch.autocast(query.device.type, enabled=False):
        lattice = _lattice(query, (rows, columns), dilation)
        maps = [
            # Under autocast, keys and values may have another dtype than the query.
            _lattice(cells.to(query.dtype), (rows + reach, columns + reach), dilation)
            for source in sources
            for cells in (source.keys, source.values)
        ]
        place_keys, place_values = (
            torch.cat([source[which] for source in sources]).to(query.dtype).transpose(0, 1)
            for which in (2, 3)
        )  # [H, S n, e]
        apply = _apply
        if torch.compiler.is_compiling():  # tracing would give hundreds of operations
            # Not a decorator, because that imports the compiler in every process.
            apply = torch.compiler.disable(_apply)
        attended = apply(lattice, place_keys, place_values, *maps)
        return _from_lattice(attended, query.shape[0], dilation)[
            :, : query.shape[1], : query.shape[2]
        ]


def _apply(*tensors: Tensor) -> Tensor:
    attended: Tensor = _WindowAttention.apply(*tensors)  # type: ignore[no-untyped-call]
    return attended


def _lattice(
    cells: Float[Tensor, "b y x heads e"], size: tuple[int, int], dilation: int
) -> Float[Tensor, "heads g h w e"]:
    """Split a map into grids of cells `dilation` apart, padded with zeros to `size`.

    All cells of a window lie in one such grid, side by side.
    """
    rows, columns = (dilation * count for count in size)
    filled = F.pad(cells, (0, 0, 0, 0, 0, columns - cells.shape[2], 0, rows - cells.shape[1]))
    by_phase = filled.unflatten(2, (-1, dilation)).unflatten(1, (-1, dilation))
    return by_phase.permute(5, 0, 2, 4, 1, 3, 6).flatten(1, 3)


def _from_lattice(
    lattice: Float[Tensor, "heads g h w e"], batch: int, dilation: int
) -> Float[Tensor, "b y x heads e"]:
    by_phase = lattice.unflatten(1, (batch, dilation, dilation))
    return by_phase.permute(1, 4, 2, 5, 3, 0, 6).flatten(3, 4).flatten(1, 2)


class _WindowAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, place_keys: Tensor, place_values: Tensor, *maps: Tensor
    ) -> Tensor:
        ctx.save_for_backward(query, place_keys, place_values, *maps)
        out = torch.empty_like(query)
        for strip in _strips(query, place_keys, maps):
            weights = strip.weights(place_keys)
            read = torch.bmm(weights, place_values).view_as(strip.query)
            for values, part in zip(strip.values, strip.by_source(weights), strict=True):
                read += strip.product(strip.spread(part), values)
            rows = strip.of(out, TILE)
            rows.copy_(strip.untiled(read, rows))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, ...]:
        saved = ctx.saved_tensors  # read once: checkpointing frees them after the first read
        query, place_keys, place_values, *maps = saved
        grads = [torch.zeros_like(tensor) for tensor in saved]
        grad_query, grad_place_keys, grad_place_values, *grad_maps = grads
        for strip in _strips(query, place_keys, maps):
            weights = strip.weights(place_keys)
            grad = strip.tiles(strip.of(grad_out, TILE), TILE)
            flat_grad, flat_query = grad.flatten(1, 2), strip.query.flatten(1, 2)
            # gradients with respect to weights, then, through softmax, to scores
            by_weight = torch.bmm(flat_grad, place_values.transpose(1, 2))
            for values, part in zip(strip.values, strip.by_source(by_weight), strict=True):
                part += strip.windows(strip.product(grad, values.transpose(2, 3)))
            by_weight -= (weights * by_weight).sum(dim=-1, keepdim=True)
            by_score = by_weight.mul_(weights)
            grad_place_keys.baddbmm_(by_score.transpose(1, 2), flat_query)
            grad_place_values.baddbmm_(weights.transpose(1, 2), flat_grad)
            into = torch.bmm(by_score, place_keys).view_as(strip.query)
            for n, (keys, score, weight) in enumerate(
                zip(strip.keys, strip.by_source(by_score), strip.by_source(weights), strict=True)
            ):
                spread = strip.spread(score)
                into += strip.product(spread, keys)
                strip.add(grad_maps[2 * n], strip.product(spread.transpose(2, 3), strip.query))
                spread = strip.spread(weight)
                strip.add(grad_maps[2 * n + 1], strip.product(spread.transpose(2, 3), grad))
            rows = strip.of(grad_query, TILE)
            rows.copy_(strip.untiled(into, rows))
        return tuple(grads)


class _Strip:
    """One row of tiles of some of the grids: their queries and all cells that they read."""

    def __init__(
        self, query: Tensor, maps: Sequence[Tensor], side: int, grids: slice, top: int
    ) -> None:
        self.grids, self.top, self.side = grids, top, side
        self.reach = TILE + side - 1
        self.query = self.tiles(self.of(query, TILE), TILE)  # [H, tiles, TILE^2, e]
        read = [self.tiles(self.of(cells, self.reach), self.reach) for cells in maps]
        self.keys, self.values = read[::2], read[1::2]  # [H, tiles, reach^2, e] of each source

    def of(self, lattice: Tensor, height: int) -> Float[Tensor, "heads g y x e"]:
        """The rows of this strip in a lattice, as a view."""
        return lattice[:, self.grids, self.top : self.top + height]

    def tiles(
        self, rows: Float[Tensor, "heads g y x e"], size: int
    ) -> Float[Tensor, "heads t n e"]:
        """Squares of `size` cells per side, `TILE` apart."""
        squares = rows.unfold(3, size, TILE)  # [H, m, size, columns / TILE, e, size]
        return squares.permute(0, 1, 3, 2, 5, 4).flatten(3, 4).flatten(1, 2)

    def untiled(
        self, tiles: Float[Tensor, "heads t n e"], like: Tensor
    ) -> Float[Tensor, "heads g y x e"]:
        """Join tiles of side `TILE` to the rows they were cut from."""
        squares = tiles.unflatten(2, (TILE, TILE)).unflatten(1, (like.shape[1], -1))
        return squares.transpose(2, 3).flatten(3, 4)

    def weights(self, place_keys: Float[Tensor, "heads n e"]) -> Float[Tensor, "heads q n"]:
        """Attention weights of each cell over the places of every source's window."""
        scores = torch.bmm(self.query.flatten(1, 2), place_keys.transpose(1, 2))
        for keys, part in zip(self.keys, self.by_source(scores), strict=True):
            part += self.windows(self.product(self.query, keys.transpose(2, 3)))
        return torch.softmax(scores, dim=-1)

    def by_source(self, scores: Float[Tensor, "heads q n"]) -> Iterator[Tensor]:
        """Views `[H tiles, TILE, TILE, side, side]` of the part of each source."""
        grid = (-1, TILE, TILE, len(self.keys), self.side, self.side)
        return iter(scores.view(grid).unbind(dim=3))

    def windows(self, scores: Float[Tensor, "heads t n m"]) -> Tensor:
        """View each cell's window in its tile's products with all cells that it reads."""
        row, cell = TILE * self.reach**2 + self.reach, self.reach**2 + 1
        return scores.as_strided(
            (scores.shape[0] * scores.shape[1], TILE, TILE, self.side, self.side),
            (TILE**2 * self.reach**2, row, cell, self.reach, 1),
        )

    def spread(self, part: Tensor) -> Float[Tensor, "heads t n m"]:
        """The transpose of `windows`: zero outside each cell's window."""
        spread = part.new_zeros(*self.query.shape[:3], self.reach**2)
        self.windows(spread).copy_(part)
        return spread

    @staticmethod
    def product(first: Tensor, second: Tensor) -> Tensor:
        """Multiply matrices tile by tile."""
        tiles = first.shape[:2]
        return torch.bmm(first.flatten(0, 1), second.flatten(0, 1)).unflatten(0, tiles)

    def add(self, lattice: Tensor, tiles: Float[Tensor, "heads t n e"]) -> None:
        """Add the values of overlapping squares, which tiles read, to a lattice."""
        rows = self.of(lattice, self.reach)
        squares = tiles.unflatten(2, (self.reach, self.reach)).unflatten(1, (rows.shape[1], -1))
        count = squares.shape[2]
        squares = squares.transpose(2, 3)  # [H, m, reach, count, reach, e]
        end, beyond = count * TILE, self.side - 1
        rows[..., :end, :].unflatten(3, (count, TILE)).add_(squares[..., :TILE, :])
        overlapped = rows[..., TILE:end, :].unflatten(3, (count - 1, TILE))
        overlapped[..., :beyond, :].add_(squares[..., :-1, TILE:, :])
        rows[..., end:, :].add_(squares[..., -1, TILE:, :])


def _strips(query: Tensor, place_keys: Tensor, maps: Sequence[Tensor]) -> Iterator[_Strip]:
    side = math.isqrt(place_keys.shape[1] // (len(maps) // 2))
    heads, grids, rows, columns, _ = query.shape
    together = max(1, STRIP_TILES * TILE // (heads * columns))
    for first in range(0, grids, together):
        for top in range(0, rows, TILE):
            yield _Strip(query, maps, side, slice(first, first + together), top)
