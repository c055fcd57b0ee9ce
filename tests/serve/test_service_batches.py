"""Waiting photos are encoded together, and answer as if each had been encoded alone."""

import threading

import numpy as np
import pytest

from helpers.small_service import photo, posted, predictor, small_service
from spd.checkpoints.folder import shipped_folder
from spd.memory import OutOfMemoryError
from spd.photos.camera import CameraOptions
from spd.photos.reading import read_photo
from spd.predictors.torch_predictor import Predictor
from spd.runtimes import open_export
from spd.serve.encoding import EncodeQueue
from spd.serve.metrics import Metrics
from spd.serve.photo import read

# Sums of float32 in another order, as between runtimes (tests/helpers/exports.py).
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
POINTS = np.random.default_rng(1).random((50, 2)) * [63, 47]


@pytest.fixture(scope="module", params=["torch", "onnxruntime", "openvino"])
def network(request):
    if request.param == "torch":
        return predictor()
    pytest.importorskip(request.param, reason='pip install "spd[export]"')
    return open_export(shipped_folder() / "onnx", request.param, threads=1)


def prepare(network, seed: int, focal_px: float):
    return network.prepare(read_photo(photo(seed=seed)), CameraOptions(focal_px=focal_px))


def test_photos_encoded_together_answer_as_if_alone(network):
    focals = [60.0, 60.3, 90.0]
    prepared = [prepare(network, n, focal) for n, focal in enumerate(focals)]
    sizes = {p.plan.model_size for p in prepared[:2]}
    assert len(sizes) == 1
    for n, scene in enumerate(network.encode_many(prepared[:2])):
        alone = network.encode(photo(seed=n), focal_px=focals[n])
        np.testing.assert_allclose(scene.depth_at(POINTS), alone.depth_at(POINTS), **CLOSE)
        np.testing.assert_allclose(scene.depth_map(fast=True), alone.depth_map(fast=True), **CLOSE)
        assert (scene.size, scene.focal, scene.plan) == (alone.size, alone.focal, alone.plan)
        assert scene.nbytes == alone.nbytes  # its own maps, not those of all


def test_a_scene_does_not_keep_the_maps_of_its_batch(network):
    prepared = [prepare(network, n, 60.0) for n in range(2)]
    for scene in network.encode_many(prepared):
        maps = scene._maps
        parts = maps if isinstance(maps, tuple) else (maps.stride_8_map, maps.l2, maps.l1)
        for part in parts:
            held = part.base if isinstance(part, np.ndarray) else part.untyped_storage()
            held_bytes = part.nbytes if held is None else held.nbytes
            assert (held_bytes() if callable(held_bytes) else held_bytes) <= part.nbytes


class Recorder:
    """The small network, and which photos went through it together."""

    def __init__(self) -> None:
        self.inner: Predictor = predictor()
        self.config, self.device, self.kind = self.inner.config, "cpu", "metric"
        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.batches: list[list[tuple[int, int]]] = []

    def prepare(self, *args, **kwargs):
        return self.inner.prepare(*args, **kwargs)

    def encode_many(self, prepared):
        self.began.release()
        assert self.go.wait(30)
        self.batches.append([p.plan.photo_size for p in prepared])
        return self.inner.encode_many(prepared)


@pytest.fixture
def recorder():
    return Recorder()


def queue_of(recorder, **changes) -> EncodeQueue:
    settings = {"most_waiting": 32, "batch_images": 8} | changes
    return EncodeQueue(recorder, metrics=Metrics(), **settings)


def ready(recorder, height=48, width=64, seed=0):
    return read(photo(height, width, seed), CameraOptions(focal_px=60.0), recorder, 10**7)


def test_photos_of_one_size_are_encoded_together_oldest_first(recorder):
    queue = queue_of(recorder)
    sizes = [(48, 64), (20, 90), (48, 64), (90, 20), (48, 64), (20, 90)]
    futures = [queue.submit(ready(recorder, *size)) for size in sizes]
    recorder.go.set()
    queue.start()
    scenes = [future.result(30) for future in futures]
    queue.close()
    assert [scene.size for scene in scenes] == sizes
    assert recorder.batches == [[(48, 64)] * 3, [(20, 90)] * 2, [(90, 20)]]


def test_a_batch_has_a_largest_size(recorder):
    queue = queue_of(recorder, batch_images=2)
    futures = [queue.submit(ready(recorder)) for _ in range(5)]
    recorder.go.set()
    queue.start()
    for future in futures:
        future.result(30)
    queue.close()
    assert [len(batch) for batch in recorder.batches] == [2, 2, 1]


def test_large_inputs_are_encoded_alone(recorder, monkeypatch):
    monkeypatch.setattr("spd.serve.encoding.BATCH_PIXELS", 42 * 70)
    queue = queue_of(recorder)
    futures = [queue.submit(ready(recorder)) for _ in range(3)]
    recorder.go.set()
    queue.start()
    for future in futures:
        future.result(30)
    queue.close()
    assert [len(batch) for batch in recorder.batches] == [1, 1, 1]


def test_cancelled_photos_are_not_encoded(recorder):
    queue = queue_of(recorder)
    futures = [queue.submit(ready(recorder, seed=n)) for n in range(3)]
    assert futures[1].cancel()
    recorder.go.set()
    queue.start()
    for future in (futures[0], futures[2]):
        future.result(30)
    queue.close()
    assert [len(batch) for batch in recorder.batches] == [2]


def test_cancelled_photos_make_room_in_the_queue(recorder):
    queue = queue_of(recorder, most_waiting=1)
    assert queue.submit(ready(recorder)).cancel()
    queue.submit(ready(recorder))
    queue.close()


def test_an_error_reaches_the_whole_batch_and_the_queue_continues(recorder):
    queue = queue_of(recorder)
    inner, recorder.inner = recorder.inner, None  # what has no encode_many
    camera = CameraOptions(focal_px=60.0)
    futures = [queue.submit(read(photo(), camera, inner, 10**7)) for _ in range(2)]
    recorder.go.set()
    queue.start()
    for future in futures:
        with pytest.raises(AttributeError):
            future.result(30)
    recorder.inner = inner
    assert queue.submit(ready(recorder)).result(30).size == (48, 64)
    queue.close()


def test_photos_that_do_not_fit_into_memory_together_are_encoded_alone(recorder):
    encode_many = recorder.encode_many

    def narrow(prepared):
        scenes = encode_many(prepared)
        if len(prepared) > 1:
            raise OutOfMemoryError("two do not fit")
        return scenes

    recorder.encode_many = narrow
    queue = queue_of(recorder)
    futures = [queue.submit(ready(recorder)) for _ in range(3)]
    recorder.go.set()
    queue.start()
    assert [future.result(30).size for future in futures] == [(48, 64)] * 3
    queue.close()
    assert [len(batch) for batch in recorder.batches] == [3, 1, 1, 1]


def test_over_http_waiting_photos_share_a_batch(recorder):
    with small_service(network=recorder) as client:
        service = client.app.state.service
        answers = {}

        def post(n):
            answers[n] = posted(client, photo(seed=n), focal_px=60)

        threads = [threading.Thread(target=post, args=(n,)) for n in range(4)]
        threads[0].start()
        assert recorder.began.acquire(timeout=30)
        for thread in threads[1:]:
            thread.start()
        while len(service.work.encodes) < 3:
            pass
        recorder.go.set()
        for thread in threads:
            thread.join()
        assert [len(batch) for batch in recorder.batches] == [1, 3]
        for n, image in answers.items():
            said = client.post(f"/v1/images/{image}/points", json={"points": POINTS.tolist()})
            alone = predictor().encode(photo(seed=n), focal_px=60)
            np.testing.assert_allclose(said.json()["depth_m"], alone.depth_at(POINTS), **CLOSE)
        metrics = client.get("/metrics").text
        assert "spd_encode_batch_images_sum 4.0" in metrics
        assert "spd_encode_batch_images_count 2.0" in metrics
