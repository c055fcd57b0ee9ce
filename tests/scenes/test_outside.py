"""With `outside="nan"`, one bad point costs no other: it is NaN, whatever is asked."""

import numpy as np
import pytest

from helpers.formula_scenes import ramp, wall
from spd.errors import InputError, PointError
from spd.scenes import Distortion, Line, ask_table, distances_m, length_m, points_3d
from spd.scenes.calibration import Calibration, calibrate

GOOD = [(3.0, 4.0), (59.5, 39.5), (-0.5, -0.5), (30.25, 20.75)]
BAD = [
    *[(float("nan"), 4.0), (4.0, float("nan")), (float("inf"), 4.0), (4.0, -float("inf"))],
    *[(-0.51, 4.0), (4.0, 39.51), (1e308, 1e308), (-1e308, 3.0), (60.0, 40.0), (None, 2.0)],
]
LENS = Distortion(k1=0.05, p1=0.01)


def asked(scene):
    return {
        "depth_at": scene.depth_at,
        "range_at": scene.range_at,
        "range_at with a lens": lambda uv, **more: scene.range_at(uv, None, LENS, **more),
        "points_3d": scene.points_3d,
        "points_3d with a lens": lambda points, **more: points_3d(
            scene, points, None, LENS, **more
        ),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", asked(wall()))
def test_a_bad_point_is_nan_and_the_others_are_as_before(name):
    scene = ramp()
    ask = asked(scene)[name]
    mixed = [point for pair in zip(BAD, GOOD * 3, strict=False) for point in pair]
    got = ask(mixed, outside="nan")
    assert np.isnan(got[0::2]).all()
    assert got[1::2].tolist() == ask((GOOD * 3)[: len(BAD)]).tolist()
    for bad in BAD:
        with pytest.raises(PointError, match=r"point 1 is .* outside the image"):
            ask([GOOD[0], bad])
    assert np.isnan(ask(BAD, outside="nan")).all()


@pytest.mark.filterwarnings("error")
def test_distances_and_lengths_with_a_bad_end_are_nan():
    scene = wall(2.0)
    for bad in BAD:
        got = distances_m(scene, [[(20, 20), (40, 20)], [(20, 20), bad]], outside="nan")
        assert got[0] == pytest.approx(0.4, abs=1e-6)
        assert np.isnan(got[1])
        assert np.isnan(scene.distance_m(bad, (1, 1), outside="nan"))
        assert np.isnan(length_m(scene, [(1, 1), bad, (2, 2)], outside="nan"))


@pytest.mark.filterwarnings("error")
def test_a_point_that_the_lens_cannot_see_is_nan():
    lens = Distortion(k1=-2.0)  # folds within the photo: nothing is imaged at its corners
    got = wall(2.0).points_3d([(30, 20), (59, 39)], None, lens, outside="nan")
    assert got[0].tolist() == [0, 0, 2]
    assert np.isnan(got[1]).all()
    assert np.isnan(wall().range_at([(59, 39)], None, lens, outside="nan")).all()
    with pytest.raises(PointError, match="cannot be inverted at point 1"):
        wall().points_3d([(30, 20), (59, 39)], None, lens)


@pytest.mark.filterwarnings("error")
def test_a_region_outside_has_no_points():
    scene = wall(2.0)
    outside = [
        *[(70, 1, 80, 9), (float("nan"), 1, 3, 4), (1, 2, float("inf"), 4), (-9, -9, -1, -1)],
        *[Line([(1, 1), (70, 1)]), Line([(1, 1), (float("nan"), 1)])],
    ]
    for where in outside:
        got = scene.region(where, outside="nan")
        assert (got.count, got.valid_share) == (0, 0.0)
        assert np.isnan(got.median_m)
        with pytest.raises(PointError):
            scene.region(where)
    assert scene.region((50, 30, 70, 50), outside="nan") == scene.region((50, 30, 70, 50))
    with pytest.raises(PointError, match="x0 < x1"):
        scene.region((9, 9, 1, 1), outside="nan")


def test_a_calibrated_scene_answers_nan_too():
    scene = Calibration(2.0, 4, 0.1, 0.2, True, "").apply(wall(2.0))
    assert scene.depth_at([(1, 1), BAD[0]], outside="nan").tolist() == pytest.approx(
        [4.0, np.nan], nan_ok=True
    )


def test_rows_of_a_table_outside_their_photo_are_nan():
    class Walls:
        def encode(self, image, *, focal_px=None):
            return wall(float(str(image)))

    got = ask_table(Walls(), ["1", "2", "1"], [(1, 1), (99, 1), (np.nan, 1)], outside="nan")
    assert got.tolist() == pytest.approx([1.0, np.nan, np.nan], nan_ok=True)


def test_a_calibration_leaves_bad_points_and_missing_distances_out():
    points, known = [(3, 4), BAD[0], (30, 20), BAD[4], (5, 6)], [4.0, 1.0, None, 1.0, 6.0]
    found = calibrate(wall(2.0), points, known, along_axis=True, outside="nan")
    assert found == calibrate(wall(2.0), [(3, 4), (5, 6)], [4.0, 6.0], along_axis=True)
    assert found.points == 2
    with pytest.raises(PointError, match="point 1 is"):
        calibrate(wall(2.0), points, [1.0] * 5)
    with pytest.raises(InputError, match="no point inside the photo has a measured distance"):
        calibrate(wall(2.0), BAD[:2], [1.0, 2.0], outside="nan")
    for impossible in (5e-324, 1e300):
        with pytest.raises(InputError, match="measured distances must be positive, in metres, got"):
            calibrate(wall(2.0), [(3, 4)], [impossible])


@pytest.mark.parametrize("given", ["NaN", "", None, True, 0, np.array(["nan", "raise"])])
def test_other_values_are_refused(given):
    for ask in (
        lambda: wall().depth_at([], outside=given),
        lambda: wall().range_at([], outside=given),
        lambda: wall().points_3d([], outside=given),
        lambda: distances_m(wall(), [], outside=given),
        lambda: wall().region((1, 1, 2, 2), outside=given),
        lambda: ask_table(None, [], [], outside=given),
        lambda: calibrate(wall(), [(1, 1)], [1.0], outside=given),
    ):
        with pytest.raises(InputError, match="outside must be 'raise' or 'nan', got"):
            ask()
