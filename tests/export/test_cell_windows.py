"""Cells around points: their blends are the windows that the model samples."""

import pytest
import torch

from spd.export.query_graph import Cells
from spd.geometry import sample_windows

SIZE = (70, 42)  # 5 x 3 patches
POINTS = torch.tensor([[-0.5, -0.5], [41.5, 69.5], [20.25, 33.0], [7.0, 0.0], [3.1, 44.4]])


@pytest.mark.parametrize("window", [1, 3, 5])
@pytest.mark.parametrize("cells_per_patch", [2, 4])
def test_blended_cells_are_the_sampled_windows(window, cells_per_patch):
    rows, columns = (side // 14 * cells_per_patch for side in SIZE)
    feature_map = torch.randn(2, 3, rows, columns, dtype=torch.float64)
    points = POINTS.double().expand(2, -1, -1)
    windows = Cells(window, cells_per_patch)(feature_map.permute(0, 2, 3, 1), points)
    (sampled,) = sample_windows([feature_map], points, SIZE, window)
    blended = windows.blend(windows.cells).flatten(0, 1)
    assert torch.allclose(blended, sampled, atol=1e-12, rtol=0)
    assert torch.equal(windows.centre(), windows.blend(windows.cells)[..., window**2 // 2, :])


def test_spreading_is_the_transpose_of_blending():
    feature_map = torch.randn(2, 10, 6, 3, dtype=torch.float64)
    points = POINTS.double().expand(2, -1, -1)
    windows = Cells(5, 2)(feature_map, points)
    by_cell = torch.randn(2, 5, 36, 4, dtype=torch.float64)
    by_token = torch.randn(2, 5, 25, 4, dtype=torch.float64)
    blended = (windows.blend(by_cell) * by_token).sum(dim=-2)
    spread = (by_cell * windows.spread(by_token)).sum(dim=-2)
    assert torch.allclose(blended, spread, atol=1e-12, rtol=0)


def test_a_value_is_spread_by_the_blends_own_shares():
    feature_map = torch.zeros(1, 4, 4, 1)
    # 14 pixels are two cells: u = 3 + 7 / 4 lies a quarter right of cell 0, v = 6.5 half way down.
    windows = Cells(1, 2)(feature_map, torch.tensor([[[4.75, 6.5]]]))
    assert windows.spread(torch.ones(1, 1, 1, 1)).flatten().tolist() == [
        pytest.approx(share) for share in (0.375, 0.125, 0.375, 0.125)
    ]
