"""Predictors and scenes are pickled as their source."""

import concurrent.futures
import copy
import multiprocessing
import pickle

import numpy as np
import pytest

import spd
from spd.runtimes.engines import installed_runtimes
from spd.scenes.calibration import Calibration

POINTS = np.random.default_rng(0).uniform(0, 400, (50, 2))


@pytest.fixture(scope="module", params=["onnxruntime", "openvino", "torch"])
def predictor(request):
    """A predictor of each runtime."""
    if request.param != "torch" and request.param not in installed_runtimes():
        pytest.skip(f"{request.param} is not installed")
    return spd.load(runtime=request.param, max_megapixels=5)


def test_a_predictor_is_loaded_again(predictor):
    pickled = pickle.dumps(predictor)
    assert len(pickled) < 2000
    again = pickle.loads(pickled)
    assert (type(again), again.limits) == (type(predictor), predictor.limits)
    one, two = (p.encode(spd.example_photo(), focal_px=443.0) for p in (predictor, again))
    np.testing.assert_array_equal(one.depth_at(POINTS), two.depth_at(POINTS))


@pytest.mark.parametrize("copied", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
def test_a_scene_travels_without_its_network(predictor, copied):
    scene = predictor.encode(spd.example_photo(), focal_px=443.0)
    again = copied(scene)
    np.testing.assert_array_equal(again.depth_at(POINTS), scene.depth_at(POINTS))
    np.testing.assert_array_equal(again.depth_map(fast=True), scene.depth_map(fast=True))
    assert (again.focal_px, again.size) == (443.0, scene.size)
    assert again._encoded_by is predictor  # nothing was loaded again
    assert len(pickle.dumps(scene)) < scene.nbytes + 5000


def test_calibrated_ones_keep_their_factor(predictor):
    twice = Calibration(
        scale=2.0, points=3, spread=0.0, left_out=None, focal_known=True, model="shipped"
    )
    calibrated = spd.predictors.calibrated.CalibratedPredictor(predictor, twice)
    scene = calibrated.encode(spd.example_photo(), focal_px=443.0)
    again, seen = pickle.loads(pickle.dumps((calibrated, scene)))
    assert again.calibration == twice
    np.testing.assert_array_equal(seen.depth_at(POINTS), scene.depth_at(POINTS))


def test_a_relative_path_holds_in_other_folders(tmp_path, monkeypatch):
    import shutil

    from spd.checkpoints.folder import find_checkpoint

    shutil.copytree(find_checkpoint(None), tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    predictor = spd.load("mine", runtime="torch")
    pickled = pickle.dumps(predictor)
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).config == predictor.config


@pytest.mark.slow
def test_a_spawned_process_takes_a_predictor_and_returns_scenes(predictor):
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        scene = pool.submit(predictor.encode, spd.example_photo(), focal_px=443.0).result()
    expected = predictor.encode(spd.example_photo(), focal_px=443.0).depth_at(POINTS)
    np.testing.assert_allclose(scene.depth_at(POINTS), expected, rtol=1e-5)
    assert scene._encoded_by is predictor
