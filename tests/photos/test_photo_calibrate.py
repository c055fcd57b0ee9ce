"""One factor from a few known distances: fitted robustly, judged honestly, applied everywhere."""

import dataclasses
import json
import math

import numpy as np
import pytest

from helpers.photo_files import picture
from spd.cli import run
from spd.errors import InputError
from spd.photos.focal import Focal
from spd.pixels import Intrinsics
from spd.scenes.calibration import Calibration, calibrate, fit, robust_mean
from spd.scenes.scene import PhotoScene


class Ramp(PhotoScene):
    """A metre at column 0 and one more for every ten columns."""

    def depth_map(self, *, fast=False):
        return np.tile(1 + np.arange(self.size[1]) / 10, (self.size[0], 1)).astype(np.float32)

    def _ask(self, points):
        return (1 + points[:, 0] / 10).astype(np.float32)


def ramp(source="given") -> Ramp:
    return Ramp((41, 61), Focal(50.0, source, Intrinsics(50.0, 50.0, 30.0, 20.0)))


POINTS = [(0, 20), (10, 20), (20, 20), (40, 20), (50, 20)]
DEPTH_M = np.array([1, 2, 3, 5, 6.0])


def fitted(known, **options) -> Calibration:
    return fit(DEPTH_M, np.asarray(known), focal_known=True, model="m", **options)


def test_one_factor_is_found_and_fits():
    found = calibrate(ramp(), POINTS, DEPTH_M * 1.5, along_axis=True, model="m")
    assert found.scale == pytest.approx(1.5)
    assert (found.points, found.fits, found.focal_known) == (5, True, True)
    assert found.spread == pytest.approx(0, abs=1e-6)
    assert found.left_out == pytest.approx(0, abs=1e-6)
    assert "a single factor fits" in found.verdict()


def test_distances_are_from_the_camera_unless_said_otherwise():
    # At column 0 the ray leans by 30/50: a metre of depth is sqrt(1.36) from the camera.
    found = calibrate(ramp(), [(0, 20)], [2 * math.sqrt(1.36)])
    assert found.scale == pytest.approx(2)
    assert calibrate(ramp(), [(0, 20)], [2.0], along_axis=True).scale == pytest.approx(2)


def test_the_fit_is_the_mean_of_logarithms_and_shrugs_off_one_blunder():
    assert robust_mean(np.array([0.0, 0.001, -0.001])) == pytest.approx(0, abs=1e-9)
    known = DEPTH_M * 1.5
    known[2] = 30.0  # somebody read centimetres
    assert fitted(known).scale == pytest.approx(1.5, rel=0.005)
    pair = fit(np.array([1.0, 1.0]), np.array([2.0, 8.0]), focal_known=True, model="")
    assert pair.scale == pytest.approx(4)  # the geometric mean


def test_what_one_factor_cannot_mend_does_not_fit():
    found = fitted(DEPTH_M + 2)  # an offset: ratios 3, 2, 1.67, 1.4, 1.33
    assert found.fits is False
    assert found.left_out > 0.1
    assert "A SINGLE FACTOR DOES NOT FIT" in found.verdict()


def test_fewer_than_three_distances_cannot_tell():
    found = fit(np.array([1.0, 2.0]), np.array([1.5, 3.0]), focal_known=True, model="")
    assert found.fits is None
    assert "at least three distances are needed" in found.verdict()


@pytest.mark.parametrize(
    ("factor", "unit"),
    [
        *((100, "centimetres"), (130, "centimetres"), (1000, "millimetres"), (700, "millimetres")),
        *((3.28, "feet"), (4.5, "feet"), (39.4, "inches"), (30, "inches"), (0.001, "kilometres")),
    ],
)
def test_distances_in_another_unit_are_doubted_by_name(factor, unit):
    with pytest.warns(UserWarning, match=f"in metres.* if they were in {unit}"):
        found = calibrate(ramp(), POINTS, DEPTH_M * factor, along_axis=True)
    assert found.scale == pytest.approx(factor)  # the answer stays
    assert found.is_absurd == (factor > 10 or factor < 0.1)


@pytest.mark.parametrize("factor", [0.34, 1, 2.9])
def test_a_usual_factor_is_not_doubted(factor):
    assert calibrate(ramp(), POINTS, DEPTH_M * factor, along_axis=True).warnings() == ()


def test_a_factor_between_units_is_doubted_without_a_name():
    with pytest.warns(UserWarning, match="in metres, and at these pixels"):
        calibrate(ramp(), POINTS, DEPTH_M * 11, along_axis=True)


def test_two_distances_that_contradict_are_told_with_both_factors():
    with pytest.warns(UserWarning, match=r"2 m at \(0, 20\) implies .* 2, and 8 m .* one of 4;"):
        found = calibrate(ramp(), POINTS[:2], [2.0, 8.0], along_axis=True)
    assert "which imply the factors 2 and 4; THE TWO DISTANCES CONTRADICT" in found.verdict()
    assert Calibration(**dataclasses.asdict(found)).verdict() == found.verdict()
    near = calibrate(ramp(), POINTS[:2], [2.0, 5.0], along_axis=True)  # no warning
    assert "imply the factors 2 and 2.5; at least three distances" in near.verdict()


def test_one_wrong_distance_of_many_is_named():
    known = DEPTH_M * 1.5
    known[2] *= 100
    with pytest.warns(UserWarning, match=r"450 m at \(20, 20\) implies a factor of 150, but all"):
        found = calibrate(ramp(), POINTS, known, along_axis=True)
    assert found.scale == pytest.approx(1.5, rel=0.005)


@pytest.mark.parametrize(
    ("times", "unit"),
    [(100, "centimetres"), (1000, "millimetres"), (3.28, "feet"), (39.4, "inches")],
)
def test_one_of_three_distances_in_another_unit_is_the_only_one_named(times, unit):
    known = DEPTH_M[:3] * (0.7, 0.9, times)
    with pytest.warns(UserWarning, match="is it in metres") as caught:
        calibrate(ramp(), POINTS[:3], known, along_axis=True)
    (text,) = (str(one.message) for one in caught)
    assert f"the distance {known[2]:g} m at" in text
    assert f"if it was in {unit}, the factor is 1" in text


def test_the_command_writes_an_absurd_factor_only_if_confirmed(tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture(60, 80)).save("photo.png")
    ask = ["query", "photo.png", "--points", "10,10", "60,40", "--fov-deg", "60", "--json"]
    assert run(ask) == 0
    before = json.loads(capsys.readouterr().out)
    known = [f"{p['u']},{p['v']},{p['range_m'] * 100}" for p in before]
    words = ["calibrate", "photo.png", "--known", *known, "--fov-deg", "60"]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert "if they were in centimetres, the factor is" in error
    assert "--any-factor" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "calibration.json").exists()
    assert run([*words, "--any-factor"]) == 0
    assert "if they were in centimetres" in capsys.readouterr().err
    assert run([*ask, "--calibration", "calibration.json"]) == 0  # told where it is applied, too
    assert "if they were in centimetres" in capsys.readouterr().err


def test_a_calibrated_scene_answers_everything_in_true_metres():
    scene = ramp()
    calibrated = fitted(DEPTH_M * 1.5).apply(scene)
    assert calibrated.depth_at(POINTS) == pytest.approx(DEPTH_M * 1.5, rel=1e-6)
    assert calibrated.range_at(POINTS) == pytest.approx(scene.range_at(POINTS) * 1.5, rel=1e-6)
    assert calibrated.depth_map() == pytest.approx(scene.depth_map() * 1.5, rel=1e-6)
    assert (calibrated.focal_px, calibrated.focal_source) == (50.0, "given")
    with pytest.raises(InputError, match="outside the image"):
        calibrated.depth_at([(99, 0)])


def test_a_factor_of_an_unknown_focal_length_is_not_for_a_known_one():
    found = calibrate(ramp("assumed"), POINTS, DEPTH_M, along_axis=True)
    assert found.apply(ramp("assumed")).depth_at([(0, 0)])[0] == pytest.approx(1)
    with pytest.raises(InputError, match="an unknown focal length but this photo has a known"):
        found.apply(ramp("exif"))


@pytest.mark.parametrize("known", [[], [1.0, 2.0], [0.0], [-1.0], [float("nan")]])
def test_distances_that_cannot_be_are_refused(known):
    with pytest.raises(InputError, match=r"one distance per point|must be positive"):
        calibrate(ramp(), POINTS[:1], known)


def test_the_file_is_read_back_and_another_is_refused(tmp_path):
    path = tmp_path / "calibration.json"
    found = fitted(DEPTH_M * 1.5)
    found.write(path)
    assert Calibration.read(path) == found
    for text, said in [
        ("{", "is not JSON"),
        ("[]", "is not a calibration file"),
        ('{"format": 2}', "is not a calibration file"),
        (json.dumps(json.loads(path.read_text()) | {"scale": -1}), "is not a calibration file"),
        (json.dumps(json.loads(path.read_text()) | {"scales": 1}), "is not a calibration file"),
    ]:
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(InputError, match=said):
            Calibration.read(tmp_path / "other.json")
    with pytest.raises(InputError, match="calibration file not found"):
        Calibration.read(tmp_path / "none.json")


def test_the_command_fits_and_the_next_query_applies_it(tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture(60, 80)).save("photo.png")
    ask = ["query", "photo.png", "--points", "10,10", "60,40", "30,50", "--fov-deg", "60", "--json"]
    assert run(ask) == 0
    before = json.loads(capsys.readouterr().out)
    known = [f"{p['u']},{p['v']},{p['range_m'] * 1.25}" for p in before]
    assert run(["calibrate", "photo.png", "--known", *known, "--fov-deg", "60"]) == 0
    said = capsys.readouterr().out
    assert "multiplied by 1.25 (fitted to 3 distances); a single factor fits" in said
    assert run([*ask, "--calibration", "calibration.json"]) == 0
    captured = capsys.readouterr()
    after = json.loads(captured.out)
    for old, new in zip(before, after, strict=True):
        assert new["range_m"] == pytest.approx(old["range_m"] * 1.25, rel=1e-3)
        assert new["depth_m"] == pytest.approx(old["depth_m"] * 1.25, rel=1e-3)
    assert "80x60 photo, resized for the model by" in captured.err
    assert "(from the field of view), a field of view of 60.0 degrees" in captured.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no measured distances"),
        (["--known", "1,2"], "must be u,v,metres"),
        (["--known", "1,2,x"], "must be u,v,metres"),
        (["--known", "1,200,3"], "outside the image"),
        (["--known", "1,2,0", "--fov-deg", "60"], "must be positive, in metres"),
        (["--known", "1,2,3", "--fov-deg", "60", "--focal-px", "70"], "pass only one of"),
        (["--known", "1,2,3", "-o", "x.txt"], "must end in .json"),
        (["--known", "1,2,3", "--device", "gpu"], "no device 'gpu' on this machine"),
        (["--known", "1,2,3", "--device", "cuda:77"], "no device 'cuda:77' on this machine"),
        (["--known", "1,2,3", "--model", "relative"], "relative predicts relative disparity"),
        (["--known", "1,2,3", "--model", "none/here"], "none/here"),
    ],
)
def test_wrong_calibrations_are_one_line(tmp_path, monkeypatch, capsys, words, said):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture(60, 80)).save("photo.png")
    # A model in disparity, without weights: it is refused before they would be read.
    (tmp_path / "relative").mkdir()
    (tmp_path / "relative" / "config.json").write_text('{"model_type": "depth_anything"}')
    (tmp_path / "relative" / "model.safetensors").touch()
    assert run(["calibrate", "photo.png", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
