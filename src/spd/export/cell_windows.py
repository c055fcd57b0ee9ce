"""The cells around points, and the bilinear blend between them; for the exported query graph."""

import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


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


def _square(values: Float[Tensor, "*q m c"]) -> Float[Tensor, "*q r s c"]:
    """Unflatten the row-major cells or tokens of a window into rows and columns."""
    *points, places, width = values.shape
    side = math.isqrt(places)
    return values.reshape(*points, side, side, width)
