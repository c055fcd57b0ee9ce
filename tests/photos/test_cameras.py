"""Lens distortion: OpenCV's formula computed by hand, and there and back."""

import numpy as np
import pytest

from helpers.formula_scenes import wall
from spd.errors import InputError, PointError
from spd.photos.camera import CameraOptions
from spd.photos.distortion import UNDONE_WITHIN_PX, Distortion, rays_at
from spd.pixels import Intrinsics

# x = 0.3, y = -0.2: r2 = 0.13, r4 = 0.0169, r6 = 0.002197.
RAY = np.array([[0.3, -0.2]])


@pytest.mark.parametrize(
    ("coefficients", "by_hand"),
    [
        ((0.1, 0, 0, 0), (0.3 * 1.013, -0.2 * 1.013)),
        ((0, 1, 0, 0), (0.3 * 1.0169, -0.2 * 1.0169)),
        ((0, 0, 0, 0, 1), (0.3 * 1.002197, -0.2 * 1.002197)),
        # p1: x + 2 x y = 0.3 - 0.12, y + r2 + 2 y2 = -0.2 + 0.13 + 0.08
        ((0, 0, 1, 0), (0.18, 0.01)),
        # p2: x + r2 + 2 x2 = 0.3 + 0.13 + 0.18, y + 2 x y = -0.2 - 0.12
        ((0, 0, 0, 1), (0.61, -0.32)),
        # k4, k5, k6 divide
        ((0, 0, 0, 0, 0, 1, 0, 0), (0.3 / 1.13, -0.2 / 1.13)),
        ((0, 0, 0, 0, 0, 0, 1, 1), (0.3 / 1.019097, -0.2 / 1.019097)),
    ],
)
def test_each_coefficient_does_what_opencv_documents(coefficients, by_hand):
    assert Distortion.of(coefficients).apply(RAY)[0] == pytest.approx(by_hand, abs=1e-12)


LENSES = [
    (-0.28, 0.07, 0.0002, 0.00002, 0.0),  # a wide lens, as calibrations of driving cameras have it
    (0.26, -0.95, -0.005, 0.003, 1.16),  # a depth camera's colour lens
    (12.0, 30.0, 0.001, -0.001, 3.0, 12.3, 34.0, 12.0),  # a rational model
]


@pytest.mark.parametrize("lens", LENSES)
def test_a_pixel_is_where_its_ray_is_put_by_the_lens(lens):
    camera = Intrinsics(520.0, 515.0, 318.0, 242.0)
    points = np.random.default_rng(0).uniform((0, 0), (639, 479), (500, 2))
    rays = rays_at(points, camera, lens)
    back = Distortion.of(lens).apply(rays) * (520.0, 515.0) + (318.0, 242.0)
    assert np.abs(back - points).max() <= UNDONE_WITHIN_PX
    assert np.abs(rays - rays_at(points, camera)).max() > 0.005  # the lens matters


def test_rays_come_back_from_where_the_lens_puts_them():
    v, u = np.mgrid[-0.3:0.31:0.1, -0.4:0.41:0.1]
    rays = np.stack([u.ravel(), v.ravel()], axis=1)
    found, known = Distortion.of(LENSES[0]).undo(Distortion.of(LENSES[0]).apply(rays), 1e-9)
    assert known.all()
    assert found == pytest.approx(rays, abs=1e-8)


def test_no_distortion_is_a_pinhole():
    camera = Intrinsics(100.0, 200.0, 30.0, 20.0)
    assert rays_at(np.array([[40.0, 0.0]]), camera).tolist() == [[0.1, -0.1]]
    assert rays_at(np.array([[40.0, 0.0]]), camera, (0, 0, 0, 0)).tolist() == [[0.1, -0.1]]


def test_a_pixel_that_no_ray_reaches_is_named():
    # r (1 - r2) has its highest value, 0.385, at r = 0.577: nothing arrives beyond it.
    camera = Intrinsics(100.0, 100.0, 0.0, 0.0)
    points = np.array([[30.0, 0.0], [50.0, 0.0]])
    with pytest.raises(PointError, match=r"cannot be inverted at point 1, \(50, 0\)"):
        rays_at(points, camera, (-1.0, 0, 0, 0))
    # r - r3 = 0.3 at r = 0.3389 and again at 0.7864, past the fold: a camera sees the first.
    ray = rays_at(points[:1], camera, (-1.0, 0, 0, 0))[0]
    assert ray == pytest.approx([0.338936, 0.0], abs=1e-6)


@pytest.mark.filterwarnings("ignore:the principal point")  # at the corner, for round numbers
def test_range_is_along_the_ray_that_the_lens_took():
    camera = Intrinsics(100.0, 100.0, 0.0, 0.0)  # the ray of (30, 0) is that of the test before
    scene = wall()
    (depth_m,) = scene.depth_at([(30, 0)])
    (range_m,) = scene.range_at([(30, 0)], camera, (-1.0, 0, 0, 0))
    assert range_m == pytest.approx(depth_m * (1 + 0.338936**2) ** 0.5, rel=1e-6)
    assert scene.range_at([(30, 0)], camera) == pytest.approx(depth_m * 1.09**0.5, rel=1e-6)
    xyz = scene.points_3d([(30, 0)], camera, (-1.0, 0, 0, 0))
    assert range_m == pytest.approx(np.linalg.norm(xyz), rel=1e-6)
    with pytest.raises(PointError, match="cannot be inverted"):
        scene.range_at([(50, 0)], camera, (-1.0, 0, 0, 0))


@pytest.mark.parametrize(
    ("coefficients", "pattern"),
    [
        ((0.1, 0.2), "4, 5 or 8 numbers .* got 2"),
        (range(13), "got 13"),
        (("a", "b", "c", "d"), r"got \('a', 'b', 'c', 'd'\) \(tuple\)"),
        ((np.nan, 0, 0, 0), "finite"),
    ],
)
def test_other_coefficients_are_refused(coefficients, pattern):
    with pytest.raises(InputError, match=pattern):
        Distortion.of(tuple(coefficients))


def test_intrinsics_of_another_size_are_doubted():
    camera = Intrinsics(520.0, 520.0, 320.0, 240.0)
    options = CameraOptions(intrinsics=camera)
    assert options.warnings((480, 640)) == ()
    assert "are the intrinsics for this size" in options.warnings((240, 320))[0]
    assert "are the intrinsics for this size" in options.warnings((960, 1280 * 2))[0]
