"""Places in space and lengths between them, against walls whose answers fit on paper."""

import numpy as np
import pytest

from helpers.formula_scenes import ramp, wall
from spd.errors import InputError, PointError
from spd.pixels import Intrinsics
from spd.scenes import Distortion, distances_m, length_m, points_3d


def test_places_are_right_down_and_forward_in_metres():
    # focal length 100 px and the axis at (30, 20): 10 px right at 2 m are 0.2 m.
    got = wall(2.0).points_3d([(30, 20), (40, 20), (30, 0), (20, 30)])
    assert got.tolist() == pytest.approx(
        np.array([(0, 0, 2), (0.2, 0, 2), (0, -0.4, 2), (-0.2, 0.2, 2)]), abs=1e-7
    )


def test_z_is_the_depth_and_the_norm_is_the_range():
    scene = ramp()
    points = np.random.default_rng(0).uniform((0, 0), (59, 39), (50, 2))
    xyz = points_3d(scene, points)
    assert xyz[:, 2].tolist() == scene.depth_at(points).tolist()
    assert np.linalg.norm(xyz, axis=1) == pytest.approx(scene.range_at(points), rel=1e-6)


def test_other_intrinsics_and_a_lens_may_be_given():
    scene = wall(2.0, focal_px=None)
    matrix = [[100, 0, 30], [0, 100, 20], [0, 0, 1]]
    assert scene.points_3d([(40, 20)], matrix)[0] == pytest.approx([0.2, 0, 2])
    # The lens puts the ray x = 0.2 at 0.2 (1 + 0.5 x 0.04) = 0.204, which is column 50.4.
    got = scene.points_3d([(50.4, 20)], Intrinsics(100, 100, 30, 20), (0.5, 0, 0, 0))
    assert got[0] == pytest.approx([0.4, 0, 2], abs=1e-6)
    assert scene.points_3d([(50.4, 20)], matrix, Distortion(k1=0.5)) == pytest.approx(got)


def test_the_distance_between_two_pixels_is_in_space():
    assert wall(2.0).distance_m((20, 20), (40, 20)) == pytest.approx(0.4, abs=1e-6)
    # (30, 20) is 1.3 m off on the axis; (50, 20) at 1.5 m lies 0.3 m to the right.
    assert ramp().distance_m((30, 20), (50, 20)) == pytest.approx(np.hypot(0.3, 0.2), abs=1e-6)
    pairs = [[(20, 20), (40, 20)], [(30, 0), (30, 39)]]
    assert distances_m(wall(2.0), pairs) == pytest.approx([0.4, 0.78], abs=1e-6)
    assert len(distances_m(wall(), np.empty((0, 2, 2)))) == 0


def test_a_line_is_as_long_as_its_parts():
    scene = wall(2.0)
    assert length_m(scene, [(10, 10), (20, 10), (20, 30)]) == pytest.approx(0.2 + 0.4, abs=1e-6)


def test_what_has_no_answer_says_why():
    with pytest.raises(InputError, match="the focal length of the photo, which is unknown"):
        wall(focal_px=None).distance_m((1, 1), (2, 2))
    with pytest.raises(PointError, match=r"point 1 is \(60, 1\), outside"):
        wall().distance_m((1, 1), (60, 1))
    with pytest.raises(PointError, match="at least two points, got 1"):
        length_m(wall(), [(1, 1)])
    with pytest.raises(PointError, match=r"\[N, 2, 2\]"):
        distances_m(wall(), [(1, 1)])
