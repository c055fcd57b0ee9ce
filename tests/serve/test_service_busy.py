"""Too many requests, timeouts and shutdown: status 429 and 503."""

import json
import threading
import time

import numpy as np
import pytest

from helpers.small_service import (
    JPEG,
    BlockingPredictor,
    FailingPredictor,
    RampScene,
    error_of,
    photo,
    posted,
    small_service,
)
from spd.errors import SPDError
from spd.memory import OutOfMemoryError
from spd.serve.answers import points as ask_points
from spd.serve.cache import EncodedPhoto
from spd.serve.config import ServeConfig


def in_background(function, *args, **kwargs):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function(*args, **kwargs)))
    thread.start()
    return thread, answers


def test_too_many_requests_at_a_time():
    held = BlockingPredictor()
    with small_service(network=held, max_requests=1) as client:
        thread, answers = in_background(client.post, "/v1/images", content=photo(), headers=JPEG)
        assert held.began.acquire(timeout=30)
        answer = client.get("/v1/model")
        assert error_of(answer)[:2] == (429, "busy")
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200  # it is alive, only busy
        held.go.set()
        thread.join()
        assert answers[0].status_code == 201
        assert client.get("/v1/model").status_code == 200


def test_too_many_photos_waiting():
    held = BlockingPredictor()
    with small_service(network=held, max_encodes_waiting=1) as client:
        threads = [in_background(client.post, "/v1/images", content=photo(), headers=JPEG)]
        assert held.began.acquire(timeout=30)
        service = client.app.state.service
        threads.append(in_background(client.post, "/v1/images", content=photo(), headers=JPEG))
        while len(service.work.encodes) < 1:
            pass
        answer = client.post("/v1/images", content=photo(), headers=JPEG)
        assert error_of(answer)[:2] == (429, "busy")
        assert answer.headers["retry-after"]
        held.go.set()
        for thread, _ in threads:
            thread.join()
        assert [answers[0].status_code for _, answers in threads] == [201, 201]


def test_an_answer_that_takes_too_long():
    held = BlockingPredictor()
    with small_service(network=held, request_seconds=0.05) as client:
        answer = client.post("/v1/images", content=photo(), headers=JPEG)
        assert error_of(answer)[:2] == (503, "too_slow")
        assert answer.headers["retry-after"]
        held.go.set()


def test_computing_points_stops_after_the_time_limit():
    scene, pieces = RampScene((48, 64), None), []

    def ask(points):
        pieces.append(len(points))
        time.sleep(0.1)  # longer than the client was to wait
        return np.ones(len(points), np.float32)

    scene._ask = ask
    kept = EncodedPhoto(scene, np.zeros((2, 2, 3), np.uint8), ())
    body = bytearray(json.dumps({"points": [[1, 1]] * 100_000}).encode())
    with pytest.raises(SPDError, match=r"no answer within 0\.05 s"):
        ask_points(kept, body, ServeConfig(request_seconds=0.05))
    assert pieces == [16_384]


def test_photos_that_waited_too_long_are_not_encoded():
    held = BlockingPredictor()
    with small_service(network=held, request_seconds=0.2) as client:
        threads = [
            in_background(client.post, "/v1/images", content=photo(), headers=JPEG)
            for _ in range(3)
        ]
        for thread, answers in threads:
            thread.join()
            assert answers[0].status_code == 503
        held.go.set()
    assert held.encoded <= 1


def test_a_photo_that_does_not_fit_into_memory():
    full = OutOfMemoryError("the encoding needs more memory than is available; crop the photo")
    with small_service(network=FailingPredictor(full)) as client:
        answer = client.post("/v1/images", content=photo(), headers=JPEG)
        assert error_of(answer)[:2] == (503, "out_of_memory")
        assert answer.headers["retry-after"]


def test_all_bodies_together_have_a_limit():
    with small_service() as client:
        client.app.state.service.bodies._most_held = 1000
        answer = client.post("/v1/images", content=photo(), headers=JPEG)
        assert error_of(answer)[:2] == (429, "busy")


def test_a_stopping_service_refuses_new_requests():
    with small_service() as client:
        image = posted(client)
        client.app.state.service.stopping = True
        for answer in (client.get(f"/v1/images/{image}"), client.get("/healthz")):
            assert error_of(answer)[:2] == (503, "stopping")
            assert answer.headers["retry-after"]


def test_photos_that_wait_at_shutdown_get_503():
    held = BlockingPredictor()
    with small_service(network=held) as client:
        service = client.app.state.service
        threads = [in_background(client.post, "/v1/images", content=photo(), headers=JPEG)]
        assert held.began.acquire(timeout=30)
        threads.append(in_background(client.post, "/v1/images", content=photo(), headers=JPEG))
        while len(service.work.encodes) < 1:
            pass
        service.work.close()
        threads[1][0].join()
        assert error_of(threads[1][1][0])[:2] == (503, "stopping")
        held.go.set()
        threads[0][0].join()
        assert threads[0][1][0].status_code == 201


def test_pictures_that_wait_at_shutdown_get_503():
    go, began = threading.Event(), threading.Semaphore(0)

    class Slow(BlockingPredictor):
        def encode_many(self, photos):
            (scene,) = super().encode_many(photos)

            def depth_map(fast):
                began.release()
                assert go.wait(30)
                return np.ones(scene.size, np.float32)

            scene.depth_map = depth_map
            return [scene]

    slow = Slow()
    slow.go.set()
    with small_service(network=slow) as client:
        path = f"/v1/images/{posted(client)}/depth.npy"
        running, first = in_background(client.get, path)
        assert began.acquire(timeout=30)
        waiting, second = in_background(client.get, path)
        service = client.app.state.service
        while service.requests < 2:
            pass
        service.work.close()
        waiting.join()
        assert error_of(second[0])[:2] == (503, "stopping")
        assert error_of(client.get(path))[:2] == (503, "stopping")
        go.set()
        running.join()
        assert first[0].status_code == 200
