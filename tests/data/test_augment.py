"""BTS's augmentation: image, depth, points and camera turn and flip together, exactly."""

import numpy as np
import pytest

from helpers.samples import slanted_sample
from spd.config import CameraConfig
from spd.data.augment import UNCHANGED, lit, random_light, roll_and_mirror
from spd.data.sample import RGBDSample
from spd.data.transforms import training_view
from spd.data.views import Placement
from spd.pixels import Intrinsics

NYU = Intrinsics(518.8579, 519.46961, 325.58245, 253.73617)
CAMERA = CameraConfig(focal_px=389.1, crop_height_px=350, crop_width_px=476)
STEP_M = 1e-5


def coded_sample(size=(480, 640), camera=NYU) -> RGBDSample:
    """A sample in which every depth value identifies its pixel."""
    depth_m = (1 + STEP_M * np.arange(size[0] * size[1]).reshape(size)).astype(np.float32)
    image = np.zeros((*size, 3), np.uint8)
    return RGBDSample(image, depth_m, np.ones(size, bool), camera, "coded")


def decode(depth_m: np.ndarray, width: int = 640) -> np.ndarray:
    """`(u, v)` in the frame of readings of `coded_sample`."""
    row, column = np.divmod(np.round((depth_m.astype(np.float64) - 1) / STEP_M).astype(int), width)
    return np.stack([column, row], axis=-1).astype(np.float64)


def on_unit_plane(points: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """x / z and y / z of points."""
    centre, focal = np.array([camera.cx, camera.cy]), np.array([camera.fx, camera.fy])
    return (points - centre) / focal


def augmented(seed: int, points: int = 500):
    return training_view(coded_sample(), CAMERA, points, np.random.default_rng(seed), augment=True)


def roll_of(view) -> np.ndarray:
    """The matrix on the unit plane from the frame to the view that its points show."""
    native = on_unit_plane(decode(view.point_depth_m), NYU)
    seen = on_unit_plane(view.points.astype(np.float64), view.intrinsics)
    matrix, *_ = np.linalg.lstsq(native, seen, rcond=None)
    # Points are float32: 3e-5 px of 389.
    assert np.abs(native @ matrix - seen).max() < 1e-6
    return matrix.T


def test_points_follow_a_roll_exactly():
    mirrored, rolls_deg = [], []
    for seed in range(12):
        matrix = roll_of(augmented(seed))
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-5)  # a rotation or flip
        mirrored.append(np.linalg.det(matrix) < 0)
        # Mirrored last: undo it before reading the angle.
        turned = np.diag([-1.0, 1.0]) @ matrix if mirrored[-1] else matrix
        rolls_deg.append(np.degrees(np.arctan2(turned[1, 0], turned[0, 0])))
    assert 0 < sum(mirrored) < 12
    assert np.abs(rolls_deg).max() <= 2.5
    assert min(rolls_deg) < -1 < 1 < max(rolls_deg)


@pytest.mark.parametrize("seed", range(4))
def test_dense_depth_is_the_reading_under_each_pixel_centre(seed):
    view = augmented(seed)
    v, u = np.mgrid[:350, :476]
    seen = on_unit_plane(np.stack([u, v], axis=-1).reshape(-1, 2), view.intrinsics)
    native = seen @ roll_of(view)  # the inverse of an orthogonal matrix is its transpose
    exact = native * (NYU.fx, NYU.fy) + (NYU.cx, NYU.cy)
    inside = ((exact >= -0.5) & (exact < (639.5, 479.5))).all(axis=1)
    # The roll is known to 1e-6: a thousandth of a pixel decides ties and borders either way.
    beside = (np.abs(exact + 0.5) < 1e-3) | (np.abs(exact - (639.5, 479.5)) < 1e-3)
    clear = ~beside.any(axis=1)
    np.testing.assert_array_equal(view.valid.ravel()[clear], inside[clear])
    valid = view.valid.ravel()
    apart = np.abs(decode(view.depth_m.ravel()[valid]) - exact[valid])
    assert apart.max() <= 0.5 + 1e-3
    assert (view.depth_m.ravel()[~valid] == 0).all()


def test_corners_that_a_roll_leaves_empty_are_masked():
    # A roll of 2.5 degrees about the middle lifts the corners by sin(2.5 deg) * 320 = 14 rows.
    camera = Intrinsics.centred(518.8579, (480, 640))
    sample = coded_sample(camera=camera)
    placement = Placement(camera, 1.0, 0, 0, (480, 640), roll_rad=np.radians(2.5))
    depth_m, valid = placement.readings(sample)
    assert not valid[0, -1]  # clockwise: the right end goes down and leaves its upper corner
    assert not valid[-1, 0]
    assert valid[14:-14, 14:-14].all()  # sin(2.5 deg) * 320 = 13.96
    lost = (~valid).sum()
    # Four triangles over halves of the sides: 2 * tan(2.5 deg) * (320^2 + 240^2) / 2 = 6,986.
    assert lost == pytest.approx(6986, rel=0.05)
    assert (depth_m[~valid] == 0).all()


def ramp(size) -> np.ndarray:
    """Red grows with the column, green with the row, to 255 at the last border."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    exact = np.stack([columns * 255 / size[1], rows * 255 / size[0], 0 * rows], axis=-1)
    return exact.round().astype(np.uint8)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("roll_deg", [0.0, -2.5, 1.3])
@pytest.mark.parametrize(
    ("size", "scale", "window"),
    [
        ((480, 640), 0.75, (2, 5, 350, 476)),
        ((481, 643), 0.35, (3, 1, 150, 200)),  # odd sides, and blocks of two averaged first
        ((200, 260), 1.5, (20, 30, 200, 300)),  # grows
        ((100, 120), 0.75, (0, 0, 112, 140)),  # smaller than the window: padded
    ],
)
def test_the_image_turns_with_the_points(size, scale, window, roll_deg, mirrored):
    left, top, height, width = window
    camera = Intrinsics(500.0, 501.0, 0.52 * size[1], 0.47 * size[0])
    placement = Placement(camera, scale, left, top, (height, width), np.radians(roll_deg), mirrored)
    shown = placement.image(ramp(size)).astype(float)
    v, u = np.mgrid[:height, :width]
    shift, *ends = placement.to_view(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    matrix = np.linalg.inv(np.array(ends) - shift)  # from the view to the frame
    native = (np.stack([u, v], axis=-1).reshape(-1, 2) - shift) @ matrix
    expected = native.clip(0, (size[1] - 1, size[0] - 1))  # beyond the frame its border repeats
    slope = 255 / np.array(size[::-1])  # of brightness, a pixel
    away = shown[..., :2] - (expected * slope).reshape(height, width, 2)
    last = np.array(size[::-1]) - 1
    kink = (np.abs(native) < 6) | (np.abs(native - last) < 6)  # where the border begins
    kink = kink.any(axis=1).reshape(height, width)
    # 8 bits round the ramp once by half a step, and the result up to three times, by a whole step
    # where Pillow turns. Places to a twentieth of a pixel are tests/data/test_focal_length.py's.
    assert np.abs(away[~kink]).max() < 2


def test_a_roll_turns_about_the_principal_point():
    still = Placement(NYU, 0.75, 2, 5, (350, 476))
    rolled = Placement(NYU, 0.75, 2, 5, (350, 476), roll_rad=0.04)
    centre = np.array([[NYU.cx, NYU.cy]])
    expected = [[(NYU.cx + 0.5) * 0.75 - 2.5, (NYU.cy + 0.5) * 0.75 - 5.5]]
    np.testing.assert_allclose(rolled.to_view(centre), expected, atol=1e-9)
    np.testing.assert_allclose(still.to_view(centre), expected, atol=1e-9)
    assert rolled.intrinsics == still.intrinsics
    # To the right of it, x = 100 / fx turns to (x cos, x sin) on the unit plane: with an fy
    # other than fx the rows feel fy.
    moved = rolled.to_view(np.add(centre, [[100.0, 0.0]])) - expected
    by_hand = 0.75 * np.array([[100 * np.cos(0.04), 100 * np.sin(0.04) * NYU.fy / NYU.fx]])
    np.testing.assert_allclose(moved, by_hand, atol=1e-9)


def test_points_drawn_under_a_roll_lie_inside_and_are_uniform_over_the_readings_there():
    sample = coded_sample()
    sample.valid[:, :320] = False
    sample.valid[::2, 320:] = False
    views = [
        training_view(sample, CAMERA, 2000, np.random.default_rng(seed), augment=True)
        for seed in range(5)
    ]
    points = np.concatenate([view.points for view in views])
    native = np.concatenate([decode(view.point_depth_m) for view in views])
    assert (points >= -0.5).all()
    assert (points <= (475.5, 349.5)).all()
    assert (native[:, 0] >= 320).all()
    assert (native[:, 1] % 2 == 1).all()
    # 10,000 points, half of each half: five deviations of the binomial are 250.
    assert abs((native[:, 0] < 479).sum() - 5000) < 250
    assert abs((native[:, 1] < 240).sum() - 5000) < 250


def test_the_few_readings_of_a_crop_are_all_found():
    # One reading inside the crop of a large frame, thousands outside: drawing must find it.
    camera = Intrinsics.centred(389.1, (700, 900))
    sample = coded_sample((700, 900), camera)
    sample.valid[:] = False
    sample.valid[:100] = True
    sample.valid[400, 450] = True
    placement = Placement(camera, 1.0, 200, 300, (350, 476))
    from spd.data.transforms import draw_points

    points, depth_m = draw_points(sample, placement, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(points, [[250, 100]] * 5)
    np.testing.assert_array_equal(depth_m, [sample.depth_m[400, 450]] * 5)


class Numbers:
    """A generator whose draws are known."""

    def __init__(self, *drawn):
        self.drawn = list(drawn)
        self.asked = []

    def uniform(self, low, high, size=None):
        self.asked.append((low, high, size))
        return self.drawn.pop(0)

    def random(self):
        return self.drawn.pop(0)


def test_light_is_gamma_then_brightness_and_colour():
    numbers = Numbers(1.1, 1.2, np.array([0.9, 1.0, 1.1]))
    image = np.array([[[0, 128, 255], [64, 64, 64]]], np.uint8)
    got = lit(image, random_light(numbers))
    assert numbers.asked == [(0.9, 1.1, None), (0.75, 1.25, None), (0.9, 1.1, 3)]
    quarter, half = (64 / 255) ** 1.1 * 1.2, (128 / 255) ** 1.1 * 1.2
    expected = [[[0, half, 1], [quarter * 0.9, quarter, quarter * 1.1]]]  # white stays white
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert got.dtype == np.float32
    np.testing.assert_allclose(lit(image, UNCHANGED), image / 255, rtol=1e-6)


def test_rolls_and_mirrors_are_drawn_from_their_ranges():
    still = Placement(NYU, 0.75, 0, 0, (350, 476))
    placed = roll_and_mirror(still, Numbers(-2.5, 0.49))
    assert (placed.roll_rad, placed.mirrored) == (pytest.approx(-0.0436332), True)
    assert not roll_and_mirror(still, Numbers(1.0, 0.5)).mirrored
    rng = np.random.default_rng(0)
    drawn = [roll_and_mirror(still, rng) for _ in range(1000)]
    rolls_deg = np.degrees([placement.roll_rad for placement in drawn])
    assert np.abs(rolls_deg).max() <= 2.5
    # A uniform draw of 5 degrees has a deviation of 1.443; mean and deviation within 5 sigma.
    assert abs(rolls_deg.mean()) < 5 * 1.443 / 1000**0.5
    assert rolls_deg.std() == pytest.approx(1.443, abs=0.1)
    assert abs(sum(placement.mirrored for placement in drawn) - 500) < 80  # 5 sigma


def test_the_same_generator_gives_the_same_view():
    sample = slanted_sample(size=(96, 128))
    camera = CameraConfig(focal_px=80.0, crop_height_px=56, crop_width_px=84)
    first, again, other = (
        training_view(sample, camera, 30, np.random.default_rng(seed), augment=True)
        for seed in (1, 1, 2)
    )
    for field in ("image", "depth_m", "valid", "points", "point_depth_m"):
        assert np.array_equal(getattr(first, field), getattr(again, field))
    assert not np.array_equal(first.image, other.image)
    assert not np.array_equal(first.points, other.points)
