"""Point clouds: each point where its pixel's metres put it, in both forms, and none that flies."""

import numpy as np
import pytest
import torch

from helpers.readers import read_glb, read_ply
from spd.data.sources import open_samples
from spd.errors import DataError, InputError
from spd.evaluate import score
from spd.outputs import (
    PointCloud,
    cloud_of,
    read_png_depth,
    write_glb,
    write_npy,
    write_ply,
    write_png,
)
from spd.outputs.cloud import is_surface
from spd.pixels import Intrinsics
from spd.scenes import rays_at

SIZE = (5, 7)
CAMERA = Intrinsics(10.0, 10.0, 3.0, 2.0)
PHOTO = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
PHOTO[0, :3] = [[0, 0, 0], [255, 255, 255], [1, 128, 10]]
DEPTH_M = (2 + 0.01 * np.arange(35).reshape(SIZE)).astype(np.float32)


def by_hand(v: int, u: int, depth_m=DEPTH_M) -> list[float]:
    z = float(depth_m[v, u])
    return [(u - 3) / 10 * z, (v - 2) / 10 * z, z]


def test_ply_holds_metres_and_the_photos_colours(tmp_path):
    write_ply(cloud_of(DEPTH_M, PHOTO, CAMERA), tmp_path / "cloud.ply")
    xyz, rgb, header = read_ply(tmp_path / "cloud.ply")
    expected = [by_hand(v, u) for v in range(5) for u in range(7)]
    assert xyz == pytest.approx(np.array(expected), abs=1e-6)
    assert xyz[:, 2].tolist() == DEPTH_M.ravel().tolist()  # not one bit lost
    assert (rgb == PHOTO.reshape(-1, 3)).all()
    assert "comment metres from the camera; x right, y down, z forward" in header


def test_glb_holds_the_same_with_y_up_and_linear_colours(tmp_path):
    write_glb(cloud_of(DEPTH_M, PHOTO, CAMERA), tmp_path / "cloud.glb")
    xyz, colours, about = read_glb(tmp_path / "cloud.glb")
    expected = np.array([by_hand(v, u) for v in range(5) for u in range(7)])
    assert xyz == pytest.approx(expected * (1, -1, -1), abs=1e-6)
    assert (-xyz[:, 2]).tolist() == DEPTH_M.ravel().tolist()
    assert about["extensionsUsed"] == ["KHR_materials_unlit"]
    assert (colours[:, 3] == 1).all()
    # As a viewer shows linear light: sRGB's curve brings the photo back, bit by bit.
    linear = colours[:, :3]
    shown = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert (np.rint(shown * 255).astype(np.uint8) == PHOTO.reshape(-1, 3)).all()


def test_a_lens_bends_the_cloud():
    lens = (0.2, 0.0, 0.001, 0.0)
    cloud = cloud_of(DEPTH_M, PHOTO, CAMERA, lens)
    ray = rays_at(np.array([[6.0, 4.0]]), CAMERA, lens)[0]
    assert cloud.xyz_m[-1] == pytest.approx([*ray * DEPTH_M[4, 6], DEPTH_M[4, 6]])
    assert abs(cloud.xyz_m[-1, 0] - by_hand(4, 6)[0]) > 0.01


def test_both_sides_of_a_jump_are_left_out_and_nothing_else():
    depth_m = np.full(SIZE, 2.0)
    depth_m[:, 4:] = 2.3
    kept = is_surface(depth_m, 1.1)
    assert kept[0].tolist() == [True, True, True, False, False, True, True]
    assert (kept == kept[0]).all()
    assert is_surface(depth_m.T, 1.1)[:, 0].tolist() == kept[0].tolist()
    assert is_surface(depth_m, 1.2).all()  # 2.3 is 1.15 times as far
    assert is_surface(depth_m, np.inf).all()
    single = np.full(SIZE, 2.0)
    single[2, 3] = 1.0
    assert (~is_surface(single, 1.5)).sum() == 5  # it and its four neighbours


def test_pixels_without_depth_give_no_point_and_no_edge():
    depth_m = DEPTH_M.copy()
    depth_m[1, 1], depth_m[2, 2], depth_m[3, 3] = np.nan, 0, np.inf
    cloud = cloud_of(depth_m, PHOTO, CAMERA)
    assert len(cloud.xyz_m) == len(cloud.rgb) == 32
    assert cloud.xyz_m[-1] == pytest.approx(by_hand(4, 6), abs=1e-6)


def test_bad_input_of_a_cloud_is_refused():
    with pytest.raises(InputError, match="no point of the cloud is left"):
        cloud_of(np.full(SIZE, np.nan), PHOTO, CAMERA)
    with pytest.raises(InputError, match="must have the same size"):
        cloud_of(DEPTH_M[:3], PHOTO, CAMERA)
    for ratio in (1.0, 0.5, np.nan):
        with pytest.raises(InputError, match="must be above 1"):
            cloud_of(DEPTH_M, PHOTO, CAMERA, edge_ratio=ratio)


def test_maps_clouds_and_paths_of_any_kind_are_taken_or_refused(tmp_path):
    depth_m, rgb, camera = np.full((4, 5), 2.0, np.float32), np.zeros((4, 5, 3), np.uint8), CAMERA
    expected = cloud_of(depth_m, rgb, camera).xyz_m
    learned = torch.tensor(depth_m).requires_grad_()
    for given in (depth_m.tolist(), learned, learned.bfloat16(), depth_m.astype(object)):
        assert (cloud_of(given, torch.tensor(rgb), camera).xyz_m == expected).all()
        write_npy(given, tmp_path / "a.npy")
        write_png(given, tmp_path / "a.png")
        assert (np.load(tmp_path / "a.npy") == depth_m).all()
        assert (read_png_depth(tmp_path / "a.png") == depth_m).all()
    for bad in ("abc", None, [["2"]], depth_m[None], depth_m[:0], depth_m > 1, depth_m + 1j):
        for ask in (
            lambda bad=bad: cloud_of(bad, rgb, camera),
            lambda bad=bad: write_npy(bad, tmp_path / "b"),
            lambda bad=bad: write_png(bad, tmp_path / "b"),
        ):
            with pytest.raises(InputError, match=r"a depth map must be \[H, W\].*, got"):
                ask()
    for ratio in ("2", None, [2], True):
        with pytest.raises(InputError, match="edge ratio must be a number above 1, got"):
            cloud_of(depth_m, rgb, camera, edge_ratio=ratio)
    for cloud in (None, "x", depth_m):
        for write in (write_ply, write_glb):
            with pytest.raises(InputError, match="expected a PointCloud"):
                write(cloud, tmp_path / "b")
    for xyz_m, colours in (([[1, 2, 3]], [[1, 2]]), ("x", "y"), ([[1, 2, 3]], [[0.5, 0, 0]])):
        with pytest.raises(InputError, match="a point cloud must be"):
            PointCloud(xyz_m, colours)
    for path in (None, 3, b"b.npy", ["b"]):
        with pytest.raises(InputError, match="the path of an output must be text, got"):
            write_npy(depth_m, path)
        with pytest.raises(InputError, match="must be the path of its file, got"):
            read_png_depth(path)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("given", [None, 3, b"x", [None], {"a"}])
def test_sources_and_folders_of_other_types_are_one_error(given):
    with pytest.raises(DataError, match="sources must be a list"):
        open_samples(given)
    with pytest.raises(DataError, match="a folder of predictions must be its path"):
        score(given)


def test_one_source_may_be_text():
    with pytest.raises(DataError, match="nowhere/at/all"):
        open_samples("nowhere/at/all")
