"""Coordinates, windows and cameras on values worked out by hand."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.paths import ROOT
from spd.errors import InputError, PointError
from spd.geometry import (
    cell_centres,
    check_points,
    points_inside,
    resize_bilinear,
    resized_rows,
    sample,
    sample_windows,
)
from spd.pixels import (
    Intrinsics,
    check_image_size,
    focal_from_fov,
    lattice,
    pixel_to_cell,
    rescale,
    side_centres,
)


def test_convention_integers_are_pixel_centres():
    # A map as large as the image: cell i is pixel i.
    pixel = torch.arange(7, dtype=torch.float64)
    assert torch.equal(pixel_to_cell(pixel, 7, 7), pixel)


def test_convention_borders_go_to_borders():
    # 476 columns onto 136 cells of 3.5 px: the left border -0.5 is the cells' left border -0.5.
    edges = torch.tensor([-0.5, 475.5, 1.25], dtype=torch.float64)
    expected = torch.tensor([-0.5, 135.5, 0.0], dtype=torch.float64)
    assert torch.allclose(pixel_to_cell(edges, 476, 136), expected, atol=1e-12)


def test_convention_first_coordinate_is_the_column():
    feature_map = torch.zeros(1, 1, 5, 7)
    feature_map[0, 0, 2, 6] = 1.0  # row 2, column 6
    read = sample(feature_map, torch.tensor([[[6.0, 2.0], [2.0, 6.0 - 2.0]]]), (5, 7))
    assert read.flatten().tolist() == [1.0, 0.0]


def test_convention_strides_come_from_shapes():
    centres = cell_centres((4, 4), (14, 14), like=torch.zeros(1, dtype=torch.float64))
    assert centres[:5, 0].tolist() == [1.25, 4.75, 8.25, 11.75, 1.25]  # 3.5 px apart, u first
    assert centres[::4, 1].tolist() == [1.25, 4.75, 8.25, 11.75]


def test_convention_the_coordinate_rule_is_one_function_for_numbers_arrays_and_tensors():
    assert rescale(2.0, 0.5) == 0.75
    assert rescale(np.array([-0.5, 2.0]), 0.5).tolist() == [-0.5, 0.75]
    assert rescale(torch.tensor([-0.5, 2.0]), 0.5).tolist() == [-0.5, 0.75]


def is_coordinate_rule(node: ast.AST) -> bool:
    """Whether an expression is `(... + 0.5) * scale - 0.5`, or the same with a division."""

    def shifted(part: ast.AST, sign: type[ast.operator]) -> bool:
        return (
            isinstance(part, ast.BinOp)
            and isinstance(part.op, sign)
            and isinstance(part.right, ast.Constant)
            and part.right.value == 0.5
        )

    if not shifted(node, ast.Sub):
        return False
    factor = node.left
    while isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Mult | ast.Div):
        if shifted(factor.left, ast.Add) or shifted(factor.right, ast.Add):
            return True
        factor = factor.left
    return False


def rules_in(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = f"{path.parent.name}/{path.name}"
    return [f"{name}:{n.lineno}" for n in ast.walk(tree) if is_coordinate_rule(n)]


def test_convention_the_coordinate_rule_is_written_once():
    package = ROOT / "src" / "spd"
    # rooms/layout.py places chairs along a table, in shares of its side.
    files = [path for path in package.rglob("*.py") if path.name != "layout.py"]
    found = [place for path in files for place in rules_in(path)]
    assert len(found) == 1, f"use spd.pixels.rescale: {found}"
    assert found[0].startswith("pixels/__init__.py")


@pytest.mark.parametrize(
    "text",
    ["(u + 0.5) * (w / W) - 0.5", "(u + 0.5) * w / W - 0.5", "(u + 0.5) / 2 - 0.5",
     "scale * (u + 0.5) - 0.5", "(a - b + 0.5) * s - 0.5 - left"],
)  # fmt: skip
def test_another_copy_of_the_rule_would_be_found(text):
    assert any(is_coordinate_rule(node) for node in ast.walk(ast.parse(text)))


def test_centres_along_a_side_and_the_lattice_row_by_row():
    u, v = side_centres(2, 4), side_centres(3, 3)
    assert (u.tolist(), v.tolist()) == ([0.5, 2.5], [0.0, 1.0, 2.0])
    assert lattice(u, v)[:3].tolist() == [[0.5, 0.0], [2.5, 0.0], [0.5, 1.0]]


@pytest.mark.parametrize("window", [1, 3, 5])
def test_window_equals_grid_sample_with_border_padding(window):
    feature_map = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    size = (35, 21)
    corners = torch.tensor([[-0.5, -0.5], [20.5, 34.5], [20.5, -0.5], [-0.5, 34.5]])
    points = torch.cat([corners, torch.rand(40, 2) * torch.tensor([21.0, 35.0]) - 0.5])
    points = points.double().expand(2, -1, -1)
    (sampled,) = sample_windows([feature_map], points, size, window)
    sampled = sampled.unflatten(0, (2, 44))
    x = pixel_to_cell(points[..., 0], 21, 7)
    y = pixel_to_cell(points[..., 1], 35, 5)
    reach = window // 2
    for n in range(window * window):
        dy, dx = divmod(n, window)
        grid = torch.stack(
            [(x + dx - reach + 0.5) * 2 / 7 - 1, (y + dy - reach + 0.5) * 2 / 5 - 1], dim=-1
        )
        expected = F.grid_sample(
            feature_map, grid[:, None], mode="bilinear", padding_mode="border", align_corners=False
        )[:, :, 0].transpose(1, 2)
        assert torch.allclose(sampled[:, :, n], expected, atol=1e-12, rtol=0)


def test_windows_have_the_gradients_of_maps_and_points():
    feature_map = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    points = (torch.rand(2, 4, 2, dtype=torch.float64) * 20).requires_grad_()

    def both(feature_map: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(sample_windows([feature_map, feature_map**2], points, (35, 21), 3))

    assert torch.autograd.gradcheck(both, (feature_map, points))


def test_a_window_of_one_reads_the_point_itself():
    feature_map = torch.arange(6.0).reshape(1, 1, 2, 3)
    (tokens,) = sample_windows([feature_map], torch.tensor([[[0.25, 0.5]]]), (2, 3), 1)
    # cells (0, 0), (0, 1), (1, 0), (1, 1) hold 0, 1, 3, 4; a quarter to the right, half way down
    assert tokens.flatten().tolist() == [1.75]


def test_resize_keeps_a_linear_ramp_inside():
    ramp = torch.arange(4, dtype=torch.float64).expand(1, 1, 3, 4)
    doubled = resize_bilinear(ramp, (6, 8))[0, 0, 2]
    expected = [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]
    assert doubled.tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("size", "named"),
    [
        ((351, 476), ("height", "got 351", "350", "364")),
        ((350, 20), ("width", "got 20", "28", "42")),
    ],
)
def test_wrong_sizes_name_the_two_nearest(size, named):
    with pytest.raises(InputError) as caught:
        check_image_size(size)
    assert all(word in str(caught.value) for word in named)


def test_right_sizes_pass():
    check_image_size((28, 28))
    check_image_size((350, 476))


def test_points_are_valid_up_to_the_outer_borders():
    points = torch.tensor([[-0.5, -0.5], [9.5, 4.5], [-0.51, 0.0], [0.0, 4.51], [math.nan, 0.0]])
    assert points_inside(points, (5, 10)).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("bad", "named"),
    [((math.nan, 1.0), "nan"), ((math.inf, 1.0), "inf"), ((10.0, 1.0), "(10, 1)")],
)
def test_the_first_bad_point_is_named(bad, named):
    points = torch.tensor([[1.0, 1.0], bad, [99.0, 99.0]])
    with pytest.raises(PointError, match="point 1 ") as caught:
        check_points(points, (5, 10))
    assert named in str(caught.value)


@pytest.mark.parametrize("points", [torch.zeros(3), torch.zeros(3, 3), torch.zeros(3, 2).int()])
def test_points_of_another_shape_or_type_are_refused(points):
    with pytest.raises(PointError, match="points must be"):
        check_points(points, (5, 10))


def test_intrinsics_follow_resize_crop_and_flip():
    camera = Intrinsics(519.0, 518.0, 325.5, 253.5)
    half = camera.resized(0.5, 0.5)
    assert half == Intrinsics(259.5, 259.0, 162.5, 126.5)
    assert half.cropped(10, 20) == Intrinsics(259.5, 259.0, 152.5, 106.5)
    assert half.flipped(320).cx == 319 - 162.5
    assert half.flipped(320).flipped(320) == half


def test_centred_intrinsics_and_focal_length():
    camera = Intrinsics.centred(100.0, (48, 64))
    assert (camera.cx, camera.cy) == (31.5, 23.5)
    assert Intrinsics(4.0, 9.0, 0, 0).focal_px == pytest.approx(6.0)


@pytest.mark.parametrize("values", [(0, 1, 0, 0), (1, -1, 0, 0), (math.nan, 1, 0, 0)])
def test_impossible_cameras_are_refused(values):
    with pytest.raises(InputError, match="intrinsics"):
        Intrinsics(*values)


def test_range_is_depth_times_the_ray_length():
    camera = Intrinsics(2.0, 4.0, 10.0, 20.0)
    # 3/2 to the right and 4/4 down of the axis for every metre of depth: sqrt(2.25 + 1 + 1).
    length = camera.ray_lengths(torch.tensor([[13.0, 24.0], [10.0, 20.0]], dtype=torch.float64))
    assert length.tolist() == pytest.approx([math.sqrt(4.25), 1.0])


def test_nyu_field_of_view_gives_back_nyu_focal_length():
    assert focal_from_fov(63.3, (480, 640)) == pytest.approx(518.86, rel=1e-3)
    assert focal_from_fov(90.0, (640, 480)) == pytest.approx(320.0)


@pytest.mark.parametrize("height", [3, 6, 7, 11])
def test_resized_rows_equal_those_of_the_whole_resized_map(height):
    feature_map = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    whole = resize_bilinear(feature_map, (height, 10))
    padded = torch.nn.functional.pad(whole, (0, 0, 4, 4), mode="replicate")
    for rows in (range(-4, height + 4), range(-2, 3), range(height - 1, height + 3)):
        expected = padded[:, :, rows.start + 4 : rows.stop + 4]
        # Positions are computed in single precision where heights do not divide.
        torch.testing.assert_close(
            resized_rows(feature_map, (height, 10), rows), expected, rtol=1e-6, atol=1e-6
        )
