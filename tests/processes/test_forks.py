"""Forked processes answer, or say at once that they cannot."""

import os
import signal
import time
import warnings

import numpy as np
import pytest

import spd
from spd.processes import PerProcess, SafeLock
from spd.runtimes.engines import installed_runtimes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
_SECONDS = 60  # a fork that hangs is ended


def in_fork(work):
    """What `work()` returns in a forked process, as text; `hangs` if it does not end."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about forks of processes with threads
        child = os.fork()
    if child == 0:
        try:
            answer = str(work())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode()[:4000])
        os._exit(0)
    os.close(writer)
    ends = time.monotonic() + _SECONDS
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > ends:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hangs"
        time.sleep(0.01)
    with os.fdopen(reader) as answers:
        return answers.read()


@pytest.fixture(scope="module", params=["onnxruntime", "torch"])
def loaded(request):
    """A predictor of each runtime whose threads have worked, and a scene."""
    if request.param != "torch" and request.param not in installed_runtimes():
        pytest.skip(f"{request.param} is not installed")
    predictor = spd.load(runtime=request.param, threads=2)
    yield predictor, predictor.encode(spd.example_photo(), focal_px=443.0)
    if request.param == "torch":
        import torch

        torch.set_num_threads(1)


POINTS = np.random.default_rng(0).uniform(0, 400, (3000, 2))


@pytest.mark.parametrize("what", ["encode", "points", "map", "load", "forked again"])
def test_a_forked_process_answers(loaded, what):
    predictor, scene = loaded
    photo, expected = spd.example_photo(), scene.depth_at(POINTS[:5])
    works = {
        "encode": lambda: predictor.encode(photo, focal_px=443.0),
        "points": lambda: scene,
        "load": lambda: spd.load(runtime=_runtime(predictor)).encode(photo, focal_px=443.0),
    }

    def work():
        if what == "map":
            return bool(np.isfinite(scene.depth_map(fast=True)).all())
        if what == "forked again":
            return in_fork(lambda: close(works["encode"]()))
        return close(works[what]())

    def close(one):
        return np.allclose(one.depth_at(POINTS)[:5], expected, rtol=1e-4)

    assert in_fork(work) == "True"


def _runtime(predictor):
    return "torch" if isinstance(predictor, spd.Predictor) else "onnxruntime"


def test_openvino_says_at_once_that_it_cannot():
    pytest.importorskip("openvino")
    predictor = spd.load(runtime="openvino")
    photo = spd.example_photo()
    said = "ForkError: openvino cannot compute in a forked process; start processes with"
    assert in_fork(lambda: predictor.encode(photo, focal_px=443.0)).startswith(said)
    assert in_fork(lambda: spd.load(runtime="openvino")).startswith(said)


def test_torch_keeps_one_thread_in_a_fork():
    import torch

    assert in_fork(torch.get_num_threads) == "1"
    asked = in_fork(lambda: spd.load(runtime="torch", threads=4) and torch.get_num_threads())
    assert asked == "1"


def test_a_fork_opens_its_own_and_never_releases_the_parents():
    class Resource:
        def __del__(self):
            released.append(os.getpid())

    released: list[int] = []
    held = PerProcess(Resource)
    first = held.get()

    def work():
        nonlocal first
        own = held.get() is not first
        first = None
        return own and held.get() is held.get() and not released

    assert in_fork(work) == "True"
    assert held.get() is first


def test_a_lock_that_is_held_at_a_fork_is_free_in_it():
    lock = SafeLock()

    def work():
        with lock:
            return "taken"

    with lock:
        assert in_fork(work) == "taken"
