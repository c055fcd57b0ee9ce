"""A model without a scale answers depth values, and every method in metres refuses it."""

import inspect

import numpy as np
import pytest

import spd.scenes
from spd.errors import InputError
from spd.peers.peer_predictor import PeerScene
from spd.photos.focal import Focal
from spd.scenes.calibration import CalibratedScene, Calibration, calibrate
from spd.scenes.scene import PhotoScene

ANSWERS = {"depth_at": ([(1, 2)],), "depth_map": ()}
METRES = {
    "range_at": ([(1, 2)],),
    "points_3d": ([(1, 2)],),
    "distance_m": ((1, 2), (3, 4)),
    "region": ((1, 1, 5, 5),),
}
FUNCTIONS = {
    "points_3d": ([(1, 2)],),
    "distances_m": ([[(1, 2), (3, 4)]],),
    "length_m": ([(1, 2), (3, 4)],),
    "region": ((1, 1, 5, 5),),
}
CALIBRATION = Calibration(2.0, 3, 0.0, 0.0, focal_known=True, model="m")


def relative(kind: str) -> PeerScene:
    depth = np.linspace(1, 2, 80, dtype=np.float32).reshape(8, 10)
    return PeerScene(depth, kind, Focal.centred(9.0, "given", (8, 10)))


def methods(scene_class: type) -> set[str]:
    found = inspect.getmembers(scene_class, inspect.isfunction)
    return {name for name, _ in found if not name.startswith("_")}


@pytest.mark.parametrize("kind", ["relative-depth", "relative-disparity"])
def test_every_method_in_metres_refuses(kind):
    scene = relative(kind)
    for each in (PhotoScene, PeerScene, CalibratedScene):
        assert methods(each) == ANSWERS.keys() | METRES.keys(), "add the new method above"
    for name, arguments in ANSWERS.items():
        assert np.isfinite(getattr(scene, name)(*arguments)).all()
    for name, arguments in METRES.items():
        with pytest.raises(InputError, match=f"predicts {kind.replace('-', ' ')}, which has no"):
            getattr(scene, name)(*arguments)


def test_every_function_of_a_scene_in_metres_refuses():
    scene = relative("relative-disparity")
    functions = {
        name
        for name, function in inspect.getmembers(spd.scenes, inspect.isfunction)
        if "scene" in inspect.signature(function).parameters
    }
    assert functions == FUNCTIONS.keys(), "add the new function above"
    for name, arguments in FUNCTIONS.items():
        with pytest.raises(InputError, match="has no scale"):
            getattr(spd.scenes, name)(scene, *arguments)
    with pytest.raises(InputError, match="has no scale"):
        calibrate(scene, [(1, 2)], [1.0])
    with pytest.raises(InputError, match="has no scale"):
        CALIBRATION.apply(scene)


def test_metric_scenes_answer_them_all():
    scene = relative("metric")
    for name, arguments in {**ANSWERS, **METRES}.items():
        assert getattr(scene, name)(*arguments) is not None
    assert CALIBRATION.apply(scene).range_at([(1, 2)]) == 2 * scene.range_at([(1, 2)])
