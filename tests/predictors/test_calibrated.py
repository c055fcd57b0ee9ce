"""`spd.load(calibration=...)`: every scene of every kind of predictor times one factor."""

import dataclasses

import numpy as np
import pytest

import spd
from helpers import exports
from helpers.checkpoints import save_checkpoint
from helpers.tiny_peers import depth_anything, metric_depth_anything, write_peer
from spd.errors import InputError
from spd.pixels import Intrinsics
from spd.predictors.calibrated import CalibratedPredictor
from spd.scenes.calibration import Calibration

POINTS = [(3.0, 4.0), (40.5, 20.25), (69.0, 41.0)]
FOUND = Calibration(1.25, 3, 0.01, 0.02, focal_known=True, model="m")


@pytest.fixture(params=["torch", "onnxruntime", "peer"])
def source(request, tmp_path):
    if request.param == "torch":
        save_checkpoint(exports.model(), tmp_path / "model", {"training_median_m": 2.5})
        return tmp_path / "model"
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
        return exports.exported()
    return write_peer(tmp_path / "peer", *metric_depth_anything())


def test_every_answer_is_multiplied(source, tmp_path):
    FOUND.write(tmp_path / "calibration.json")
    image = exports.noise(42, 70)
    plain = spd.load(source, device="cpu").encode(image, focal_px=52.0)
    predictor = spd.load(source, device="cpu", calibration=tmp_path / "calibration.json")
    scene = predictor.encode(image, focal_px=52.0)
    factor = np.float32(1.25)
    np.testing.assert_allclose(scene.depth_at(POINTS), plain.depth_at(POINTS) * factor, rtol=1e-6)
    np.testing.assert_allclose(scene.range_at(POINTS), plain.range_at(POINTS) * factor, rtol=1e-6)
    np.testing.assert_allclose(
        scene.depth_map(fast=True), plain.depth_map(fast=True) * factor, rtol=1e-6
    )
    assert scene.distance_m(*POINTS[:2]) == pytest.approx(1.25 * plain.distance_m(*POINTS[:2]))
    assert (scene.focal_px, scene.size) == (52.0, (42, 70))


def test_it_is_the_same_predictor_otherwise(source):
    plain, predictor = (
        spd.load(source, device="cpu", calibration=given) for given in (None, FOUND)
    )
    assert isinstance(predictor, CalibratedPredictor)
    assert predictor.calibration == FOUND
    for name in ("config", "device", "source", "kind"):
        assert getattr(predictor, name) == getattr(plain, name)
    assert predictor.training_median_m == getattr(plain, "training_median_m", None)


def test_pictures_come_in_as_for_any_predictor(source):
    plain, predictor = (
        spd.load(source, device="cpu", calibration=given) for given in (None, FOUND)
    )
    image, camera = exports.noise(42, 70), Intrinsics(52.0, 52.0, 30.0, 20.0)
    expected = plain.encode(image, intrinsics=camera).points_3d(POINTS) * np.float32(1.25)
    scene = predictor.encode(image[..., ::-1], intrinsics=camera, channels="bgr")
    np.testing.assert_allclose(scene.points_3d(POINTS), expected, rtol=1e-5)


def test_a_factor_of_a_known_focal_length_is_not_for_an_unknown_one(tmp_path):
    save_checkpoint(exports.model(), tmp_path / "model")
    predictor = spd.load(tmp_path / "model", device="cpu", calibration=FOUND)
    with (
        pytest.warns(UserWarning, match="focal length unknown"),
        pytest.raises(
            InputError,
            match="photo had a known focal length but this photo has an unknown",
        ),
    ):
        predictor.encode(exports.noise(42, 70))
    unknown = dataclasses.replace(FOUND, focal_known=False)
    predictor = spd.load(tmp_path / "model", device="cpu", calibration=unknown)
    with pytest.warns(UserWarning, match="focal length unknown"):
        assert predictor.encode(exports.noise(42, 70)).calibration is unknown


def test_what_is_no_calibration_is_refused_before_the_model_is_loaded(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(
        InputError, match="is not a calibration file; create one with: spd calibrate"
    ):
        spd.load("nowhere/at/all", calibration=tmp_path / "other.json")
    with pytest.raises(InputError, match="calibration file not found"):
        spd.load("nowhere/at/all", calibration=tmp_path / "none.json")


def test_a_model_without_metres_cannot_be_calibrated(tmp_path):
    relative = write_peer(tmp_path / "peer", *depth_anything())
    with pytest.raises(InputError, match="has no scale, so it cannot give"):
        spd.load(relative, device="cpu", calibration=FOUND)
