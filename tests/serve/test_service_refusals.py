"""Queries, paths and tokens that the service refuses, and damaged requests."""

import json

import numpy as np
import pytest

from helpers.small_service import (
    JPEG,
    BlockingPredictor,
    FailingPredictor,
    error_of,
    photo,
    posted,
    small_service,
)
from spd.errors import CheckpointError

TOKEN = "0123456789abcdef0123"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client():
    with small_service(
        max_megabytes=0.2, max_megapixels=0.1, max_points=10_000, body_seconds=5
    ) as client:
        yield client


@pytest.fixture(scope="module")
def image(client):
    return posted(client, focal_px=60)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {"content-type": "image/png", "content-encoding": "gzip"},
    ],
)
def test_a_wrong_content_type(client, image, headers):
    answers = [
        client.post("/v1/images", content=photo(), headers=headers),
        client.post(f"/v1/images/{image}/points", content=b'{"points":[]}', headers=headers),
    ]
    for answer in answers:
        status, kind, message = error_of(answer)
        assert (status, kind) == (415, "wrong_type")
        assert "send" in message


@pytest.mark.parametrize(
    ("point", "pattern"),
    [
        ("[64, 3]", "point 1 is (64, 3), outside the image of 64 columns and 48 rows"),
        ("[NaN, 3]", "point 1 is (nan, 3)"),
        ("[3, -Infinity]", "point 1 is (3, -inf)"),
        ("[1e400, 3]", "point 1 is (inf, 3)"),
    ],
)
def test_points_outside_the_photo(client, image, point, pattern):
    body = f'{{"points": [[1, 2], {point}]}}'
    status, kind, message = error_of(
        client.post(f"/v1/images/{image}/points", content=body, headers=JSON)
    )
    assert (status, kind) == (400, "bad_point")
    assert pattern in message


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("points", "{"),
        ("points", ""),
        ("points", "[]"),
        ("points", "{}"),
        ("points", '{"points": 3}'),
        ("points", '{"points": [[1]]}'),
        ("points", '{"points": [[1, 2, 3]]}'),
        ("points", '{"points": [["1", 2]]}'),
        ("points", '{"points": [[true, 2]]}'),
        ("points", '{"points": [[null, 2]]}'),
        ("points", '{"points": [], "xzy": true}'),
        ("points", '{"points": [], "xyz": 1}'),
        ("points", b'{"points": [[1, 2]], "\xff": 1}'),
        ("boxes", '{"boxes": [[1, 2, 3]]}'),
        ("distances", '{"pairs": [[[1, 2]]]}'),
        ("distances", '{"pairs": [[1, 2]]}'),
        ("points", "[" * 100_000),
    ],
)
def test_bodies_that_do_not_match_the_schema(client, image, what, body):
    status, kind, _ = error_of(
        client.post(f"/v1/images/{image}/{what}", content=body, headers=JSON)
    )
    assert (status, kind) == (422, "bad_request")


def test_an_integer_beyond_all_floats_is_refused(client, image):
    body = f'{{"points": [[1{"0" * 400}, 2]]}}'
    status, _, _ = error_of(client.post(f"/v1/images/{image}/points", content=body, headers=JSON))
    assert status in (400, 422)


@pytest.mark.parametrize(
    ("what", "body", "status", "pattern"),
    [
        ("boxes", {"boxes": [[1, 2, 9, 9], [5, 5, 5, 9]]}, 400, "box 1: "),
        ("boxes", {"boxes": [[100, 100, 200, 200]]}, 400, "lies outside the photo"),
        ("distances", {"pairs": [[[1, 2], [64, 2]]]}, 400, "point 1 is (64, 2)"),
        ("points", {"points": [[1, 1]] * 10_001}, 413, "10,001 points in one request"),
        ("boxes", {"boxes": [[1, 2, 9, 9]] * 3}, 413, "the limit is 2"),
        ("distances", {"pairs": [[[1, 2], [3, 4]]] * 5_001}, 413, "the limit is 5,000"),
    ],
)
def test_too_many_items_and_regions_outside_the_photo(client, image, what, body, status, pattern):
    got, _, message = error_of(client.post(f"/v1/images/{image}/{what}", json=body))
    assert got == status
    assert pattern in message


def test_3d_points_and_distances_need_the_focal_length(client):
    image = posted(client)
    for what, body in (
        ("points", {"points": [[1, 2]], "xyz": True}),
        ("distances", {"pairs": [[[1, 2], [3, 4]]]}),
    ):
        status, kind, message = error_of(client.post(f"/v1/images/{image}/{what}", json=body))
        assert (status, kind) == (400, "unknown_camera")
        assert "post the photo again with focal_px" in message


@pytest.mark.parametrize("point", ["3", "3,4,5", "a,b", "", "64,3", "nan,1"])
def test_invalid_points_of_an_overlay(client, image, point):
    answer = client.get(f"/v1/images/{image}/overlay.png", params={"points": point})
    assert error_of(answer)[:2] == (400, "bad_point")


def test_a_depth_map_that_does_not_fit_16_bits():
    class Far(BlockingPredictor):
        def encode_many(self, photos):
            (scene,) = super().encode_many(photos)
            scene.depth_map = lambda fast: np.full(scene.size, 100.0, np.float32)
            return [scene]

    far = Far()
    far.go.set()
    with small_service(network=far) as client:
        image = posted(client)
        status, _, message = error_of(client.get(f"/v1/images/{image}/depth.png"))
        assert client.get(f"/v1/images/{image}/depth.npy").status_code == 200
    assert status == 400
    assert message.endswith("download depth.npy instead")
    assert "tmp" not in message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/points"),
        ("POST", "/boxes"),
        ("POST", "/distances"),
        ("GET", "/depth.png"),
        ("GET", "/depth.npy"),
        ("GET", "/overlay.png"),
    ],
)
def test_an_unknown_image(client, method, path):
    answer = client.request(method, f"/v1/images/nobody{path}")
    assert error_of(answer)[:2] == (404, "unknown_image")


def test_unknown_paths_and_methods_give_errors_of_the_same_form(client):
    assert error_of(client.get("/v2"))[:2] == (404, "not_found")
    answer = client.put("/v1/images")
    assert error_of(answer)[:2] == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert client.put("/v1/images/x").headers["allow"] == "DELETE, GET"


def test_an_unexpected_error_sends_one_sentence_and_no_traceback(monkeypatch):
    with small_service(network=FailingPredictor(RuntimeError("secret of the house"))) as client:
        answer = client.post("/v1/images", content=photo(), headers=JPEG)
        assert error_of(answer)[:2] == (500, "internal")
        assert "secret" not in answer.text
        assert client.get("/healthz").status_code == 200
        assert 'route="/v1/images",status="500"' in client.get("/metrics").text


def test_an_spd_error_that_is_not_the_clients_fault_is_logged(caplog):
    with small_service(network=FailingPredictor(CheckpointError("secret of the house"))) as client:
        answer = client.post("/v1/images", content=photo(), headers=JPEG)
        assert error_of(answer)[:2] == (500, "internal")
        assert "secret" not in answer.text
        (logged,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert "secret of the house" in caplog.text
        assert logged.exc_info[0] is CheckpointError
        caplog.clear()
        assert client.get("/v1/images/nobody").status_code == 404
        assert client.post("/v1/images", content=b"no photo", headers=JPEG).status_code == 400
    assert caplog.records == []  # what a client did wrong is its own to read


def test_everything_but_health_and_pages_needs_the_token():
    with small_service(token=TOKEN) as client:
        for path in ("/v1/model", "/v1/images/x", "/metrics"):
            for given in (
                None,
                "Bearer",
                "Bearer wrong",
                f"Basic {TOKEN}",
                f"Bearer {TOKEN}x",
                "é",
            ):
                headers = {} if given is None else {"authorization": given.encode("latin-1")}
                answer = client.get(path, headers=headers)
                assert error_of(answer)[:2] == (401, "need_token")
                assert answer.headers["www-authenticate"] == "Bearer"
                assert TOKEN not in answer.text
        right = {"authorization": f"Bearer {TOKEN}"}
        assert client.get("/v1/model", headers=right).status_code == 200
        assert client.get("/metrics", headers=right).status_code == 200
        for path in ("/healthz", "/docs", "/openapi.json", "/"):
            assert client.get(path).status_code == 200
        assert client.post("/v1/images", content=photo(), headers=JPEG | right).status_code == 201
        schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
        assert [scheme["scheme"] for scheme in schemes.values()] == ["bearer"]


def test_unknown_methods_share_one_metrics_label(client):
    for number in range(5):
        assert client.request(f"METHOD{number}", "/v1/model").status_code == 405
    said = client.get("/metrics").text
    assert "METHOD" not in said
    assert 'method="other"' in said


def test_random_damage_never_causes_a_server_error(client, image):
    generator = np.random.default_rng(0)
    whole = {"photo": photo(form="JPEG"), "json": json.dumps({"points": [[1, 2]] * 20}).encode()}
    for number in range(60):
        damaged = {}
        for name, data in whole.items():
            changed = bytearray(data[: generator.integers(1, len(data))])
            for at in generator.integers(0, len(changed), 3):
                changed[at] = generator.integers(0, 256)
            damaged[name] = bytes(changed)
        answers = [
            client.post("/v1/images", content=damaged["photo"], headers=JPEG),
            client.post(f"/v1/images/{image}/points", content=damaged["json"], headers=JSON),
        ]
        assert {answer.status_code for answer in answers} <= {200, 201, 400, 413, 422}, number
