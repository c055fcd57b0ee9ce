"""Exact depth between pixels: kept by folders, written by rooms, drawn by training."""

import json

import numpy as np
import pytest

from helpers.samples import slanted_sample
from spd.config import CameraConfig
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.make_rooms import make_rooms
from spd.data.sample import RGBDSample
from spd.data.transforms import draw_points, training_view
from spd.data.views import Placement
from spd.errors import DataError

POINTS = np.array([[-0.5, 47.5, 1.25], [10.25, 3.75, 2.5], [63.5, -0.5, 9.0]], np.float32)
CAMERA = CameraConfig(focal_px=40.0, crop_height_px=28, crop_width_px=42)


def pointed_sample(points=POINTS, name="frame-0") -> RGBDSample:
    plain = slanted_sample(name)
    return RGBDSample(
        plain.image, plain.depth_m, plain.valid, plain.intrinsics, name, exact_points=points
    )


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pointed"
    sample = pointed_sample()
    write_frame(sample, path)
    entry = frame_entry(
        "frame-0", (48, 64), sample.intrinsics, "train", points="frame-0.points.npy"
    )
    write_index([entry], path)
    return path


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (POINTS.astype(np.float64), r"float32 \[n, 3\].*got float64 \(3, 3\)"),
        (POINTS[:, :2], r"got float32 \(3, 2\)"),
        (POINTS + np.float32([0, 0.25, 0]), r"exact point 0 is \(-0.5, 47.75\) at 1.25 m"),
        (POINTS * np.float32([1, 1, 0]), "at 0 m; expected a point inside the 48x64 image"),
        (POINTS + np.float32([0, 0, np.nan]), "exact point 0 .* at nan m"),
        (np.float32([[1, 2, 3], [np.inf, 2, 3]]), r"exact point 1 is \(inf, 2\)"),
    ],
)
def test_wrong_points_are_refused(folder, points, message):
    with pytest.raises(DataError, match=f"frame-0: .*{message}"):
        pointed_sample(points)
    np.save(folder / "frame-0.points.npy", points)
    with pytest.raises(DataError, match=rf"frame-0\.points\.npy: .*{message}"):
        RGBDFolder(folder)[0]


def test_a_folder_stores_exact_points_and_names_a_missing_file(folder):
    np.testing.assert_array_equal(RGBDFolder(folder)[0].exact_points, POINTS)
    path = folder / "frame-0.points.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(DataError, match=r"frame-0\.points\.npy is not a readable \.npy array"):
        RGBDFolder(folder)[0]
    with path.open("wb") as file:
        np.savez(file, a=POINTS)
    with pytest.raises(DataError, match="contains several arrays"):
        RGBDFolder(folder)[0]
    path.unlink()
    with pytest.raises(
        DataError, match=r"1 file\(s\) listed in the index are missing: .*frame-0\.points\.npy"
    ):
        RGBDFolder(folder)


def test_a_frame_without_exact_points_has_none(rgbd_folder):
    assert RGBDFolder(rgbd_folder)[0].exact_points is None
    assert not list(rgbd_folder.glob("*.npy"))


@pytest.mark.parametrize("seed", range(4))
def test_training_draws_exact_points_and_moves_them_exactly(seed):
    rng = np.random.default_rng(9)
    places = rng.uniform((-0.5, -0.5), (63.5, 47.5), (500, 2)).astype(np.float32)
    # A depth that says where the point is: 1 + u / 100 + v / 10,000 m.
    depth_m = 1 + places @ np.float32([0.01, 0.0001])
    sample = pointed_sample(np.column_stack([places, depth_m]))
    view = training_view(sample, CAMERA, 300, np.random.default_rng(seed), augment=True)
    assert view.point_valid.all()
    assert set(view.point_depth_m) <= set(depth_m)
    order = dict(zip(depth_m, places, strict=True))
    native = np.array([order[depth] for depth in view.point_depth_m], np.float64)
    camera = sample.intrinsics
    x = (native - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    seen = (view.points - (view.intrinsics.cx, view.intrinsics.cy)) / 40.0
    matrix, *_ = np.linalg.lstsq(x, seen, rcond=None)
    assert np.abs(x @ matrix - seen).max() < 1e-6  # float32 places, over a focal length of 40
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(2), atol=1e-5)
    np.testing.assert_allclose(abs(np.linalg.det(matrix)), 1, atol=1e-5)


def test_without_a_usable_exact_point_in_the_crop_native_readings_are_drawn():
    # At scale 1 the crop holds u up to 29.5; one point lies beyond it and one beyond 10 m.
    sample = pointed_sample(np.float32([[40, 10, 2], [5, 5, 10.5]]))
    placement = Placement(sample.intrinsics, 1.0, 0, 0, (28, 30))
    points, depth_m = draw_points(sample, placement, 200, np.random.default_rng(0))
    assert (points == points.round()).all()  # pixel centres
    np.testing.assert_array_equal(depth_m, sample.depth_m[tuple(points.astype(int).T[::-1])])
    usable = pointed_sample(np.float32([[40, 10, 2], [5, 5, 10.5], [7.25, 3.5, 9.5]]))
    points, depth_m = draw_points(usable, placement, 200, np.random.default_rng(0))
    np.testing.assert_array_equal(points, np.tile(np.float32([7.25, 3.5]), (200, 1)))
    assert (depth_m == 9.5).all()


SIZE = (42, 56)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    pytest.importorskip("embreex")
    folder = tmp_path_factory.mktemp("data") / "rooms"
    make_rooms(folder, 2, size=SIZE, points=300, workers=1)
    return folder


def test_rooms_write_the_renderers_exact_depth(rooms):
    from spd.data.rooms import render_room

    for sample, seed in zip(RGBDFolder(rooms), (0, 2), strict=True):
        u, v, depth_m = sample.exact_points.T
        assert len(u) == 300
        exact = render_room(seed, size=SIZE).depth_at(sample.exact_points[:, :2])
        np.testing.assert_array_equal(depth_m, exact.astype(np.float32))
        assert (u != u.round()).all()
        # Uniform: 300 of a deviation of 56 / sqrt(12) columns and 42 / sqrt(12) rows; 5 sigma.
        assert abs(u.mean() - 27.5) < 5 * 16.2 / 300**0.5
        assert abs(v.mean() - 20.5) < 5 * 12.1 / 300**0.5
    first, second = (sample.exact_points for sample in RGBDFolder(rooms))
    assert not np.array_equal(first[:, :2], second[:, :2])


def test_points_of_rooms_are_reproducible_and_missing_ones_are_rewritten(rooms):
    path = rooms / "train-000001.points.npy"
    before = path.read_bytes()
    path.unlink()
    seen = []
    make_rooms(
        rooms, 2, size=SIZE, points=300, workers=1, progress=lambda d, n: seen.append((d, n))
    )
    assert seen == [(1, 2), (2, 2)]
    assert path.read_bytes() == before


def test_settings_of_rooms_include_the_points(rooms, tmp_path):
    pytest.importorskip("embreex")
    assert json.loads((rooms / "rooms.json").read_text())["points"] == 300
    with pytest.raises(DataError, match=r"written with points 300, but this command uses 4096"):
        make_rooms(rooms, 2, size=SIZE, workers=1)
    plain = tmp_path / "plain"
    make_rooms(plain, 1, size=SIZE, points=0, workers=1)
    assert RGBDFolder(plain)[0].exact_points is None
    # A folder from before there were points goes on without them.
    settings = json.loads((plain / "rooms.json").read_text())
    del settings["points"]
    (plain / "rooms.json").write_text(json.dumps(settings))
    make_rooms(plain, 1, size=SIZE, points=0, workers=1)
    with pytest.raises(DataError, match="with points 0"):
        make_rooms(plain, 1, size=SIZE, points=300, workers=1)
