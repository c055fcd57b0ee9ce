"""Photos, queries and maps that would take too much memory or work: 413, and the next is served."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from helpers.small_service import (
    JPEG,
    BlockingPredictor,
    error_of,
    photo,
    posted,
    small_app,
    small_service,
)
from spd.cli.serve import _cache_megabytes
from spd.memory import budget


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def flat_png(width: int, height: int, before: bytes = b"") -> bytes:
    rows = zlib.compress(bytes((width + 1) * height), 1)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is there many times."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + b"\xff\xd9"


@pytest.fixture
def left(monkeypatch):
    """Memory that is left, in bytes; a test may change it."""
    given = [10**9]
    monkeypatch.setattr("spd.memory.budget.available_bytes", lambda: given[0])
    monkeypatch.setattr("spd.memory.budget._SURE_S", -1.0)  # look at the system every time
    monkeypatch.setattr("spd.memory.budget._sure_until", 0.0)
    return given


@pytest.mark.parametrize(
    ("width", "height", "left_bytes"),
    [
        (5_000_000, 1, 200_000_000),
        (1, 4_000_000, 150_000_000),
        (2_000_000, 2, 150_000_000),
        (6000, 6000, 200_000_000),
        (7, 2_000_000, 150_000_000),
    ],
)
def test_a_photo_that_takes_more_memory_than_is_left(left, width, height, left_bytes):
    with small_service() as client:
        left[0] = left_bytes
        answer = client.post("/v1/images", content=flat_png(width, height), headers=JPEG)
        status, kind, message = error_of(answer)
        assert (status, kind) == (413, "too_large")
        assert f"{width}x{height} pixels needs about" in message
        posted(client)


COSTLY = [
    many_scans(150),
    flat_png(8, 8, chunk(b"tEXt", b"a\0b") * 12_000),
    b"\xff\xd8" + b"\xff\xe0\0\2" * 11_000 + photo(form="JPEG")[2:],
]


@pytest.mark.parametrize("number", range(len(COSTLY)))
@pytest.mark.parametrize("what", ["photo", "mask"])
def test_a_file_that_takes_long_to_decode(number, what):
    with small_service() as client:
        image = posted(client)
        path = "/v1/images" if what == "photo" else f"/v1/images/{image}/mask"
        answer = client.post(path, content=COSTLY[number], headers=JPEG)
        status, kind, message = error_of(answer)
        assert (status, kind) == (413, "too_large")
        assert "is not decoded" in message
        posted(client)


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("points", {"points": [[1, 2]] * 60_000}),
        ("grid", {"columns": 300, "rows": 200}),
        ("lines", {"lines": [[[1, 2]] * 60_000]}),
        ("distances", {"pairs": [[[1, 2], [3, 4]]] * 30_000}),
    ],
)
def test_a_query_that_takes_more_memory_than_is_left(left, what, body):
    with small_service() as client:
        image = posted(client, focal_px=60)
        left[0] = 60_000_000
        answer = client.post(f"/v1/images/{image}/{what}", json=body)
        status, kind, message = error_of(answer)
        assert (status, kind) == (413, "too_large")
        assert "60,000 points needs about" in message or "60,001 points needs" in message
        assert "query fewer points at once" in message
        few = client.post(f"/v1/images/{image}/points", json={"points": [[1, 2]] * 100})
        assert few.status_code == 200


@pytest.mark.parametrize("name", ["depth.npy", "depth.png"])
def test_a_map_that_takes_more_memory_than_is_left(left, name):
    held = BlockingPredictor()
    held.go.set()
    with small_service(network=held) as client:
        image = posted(client, photo(1500, 2000))
        left[0] = 60_000_000
        status, kind, message = error_of(client.get(f"/v1/images/{image}/{name}"))
        assert (status, kind) == (413, "too_large")
        assert "1500x2000 depth map needs about" in message
        left[0] = 10**9
        assert client.get(f"/v1/images/{image}/{name}").status_code == 200


def test_a_map_is_sent_as_it_is():
    held = BlockingPredictor()
    held.go.set()
    with small_service(network=held) as client:
        answer = client.get(f"/v1/images/{posted(client, photo(500, 700))}/depth.npy")
        depth_m = np.load(io.BytesIO(answer.content))
        assert answer.headers["content-length"] == str(len(answer.content))
        assert depth_m.shape == (500, 700)
        np.testing.assert_allclose(depth_m[3], 1 + 0.01 * np.arange(700), rtol=1e-6)


def test_queries_of_a_photo_after_a_refused_one_give_the_same_answer(left):
    with small_service() as client:
        image = posted(client)
        body = json.dumps({"points": [[1, 2], [3, 4]]})
        kind = {"content-type": "application/json"}
        path = f"/v1/images/{image}/points"
        before = client.post(path, content=body, headers=kind).content
        left[0] = 1000
        assert client.post("/v1/images", content=photo(seed=1), headers=JPEG).status_code == 413
        assert client.post(path, content=body, headers=kind).content == before


@pytest.mark.parametrize(
    ("asked", "left_bytes", "got", "told"),
    [(1024, None, 1024, False), (1024, 6e9, 1024, False), (1024, 1.5e9, 500, True)],
)
def test_the_cache_takes_a_third_of_the_memory_at_most(asked, left_bytes, got, told, capsys):
    assert _cache_megabytes(asked, left_bytes) == got
    assert bool(capsys.readouterr().err) == told


def test_bodies_take_a_third_of_the_memory_at_most(monkeypatch):
    for left_bytes, most in ((90_000_000, 30_000_000), (10**12, 400_000_000), (None, 400_000_000)):
        monkeypatch.setattr("spd.serve.service.available_bytes", lambda left=left_bytes: left)
        assert small_app().state.service.bodies._most_held == most


def test_bodies_that_would_fill_the_memory_are_refused_and_the_next_one_is_read(monkeypatch):
    monkeypatch.setattr("spd.serve.service.available_bytes", lambda: 90_000_000)
    with small_service() as client:
        service = client.app.state.service
        service.bodies.held = 29_999_999  # of other clients
        answer = client.post("/v1/images", content=photo(), headers=JPEG)
        assert error_of(answer)[:2] == (429, "busy")
        assert service.bodies.held == 29_999_999
        service.bodies.held = 0
        posted(client)
        assert service.bodies.held == 0


@pytest.mark.parametrize("place", ["_fill", "check_room"])
def test_a_request_that_meets_the_end_of_the_memory_gets_503(place, monkeypatch, caplog):
    def fail(*_):
        raise MemoryError

    with small_service() as client:
        image = posted(client)
        path = f"/v1/images/{image}/points"
        service = client.app.state.service
        with monkeypatch.context() as patch:
            patch.setattr(service.bodies, place, fail)
            answer = client.post(path, json={"points": [[1, 2]]})
        assert error_of(answer)[:2] == (503, "out_of_memory")
        assert answer.headers["retry-after"] == "1"
        assert not any(record.exc_info for record in caplog.records)
        assert (service.bodies.held, service.requests) == (0, 0)
        assert client.post(path, json={"points": [[1, 2]]}).status_code == 200


@pytest.mark.parametrize(
    "part",
    [
        b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n\r\n',
        b'--b\r\ncontent-disposition: form-data; name="photo"; filename="a"\r\n\r\n\r\n',
        b"--b\r\n\r\n\r\n",
    ],
)
def test_a_form_of_many_parts_is_refused_before_it_is_parsed(part, monkeypatch):
    monkeypatch.setattr("spd.serve.multipart.FormParser", None)
    with small_service() as client:
        kind = {"content-type": "multipart/form-data; boundary=b"}
        body = part * 102 + b"--b--\r\n"
        answer = client.post("/v1/images", content=body, headers=kind)
        assert error_of(answer) == (
            422,
            "bad_request",
            "the form has more than 100 parts; send one file in it",
        )


@pytest.mark.parametrize(
    ("path", "content", "kind", "status"),
    [
        ("/v1/images", b"", "image/png", 400),
        ("/v1/images", b"\x89PNG\r\n\x1a\n", "image/png", 400),
        ("/v1/images", flat_png(200, 200)[:-40], "image/png", 400),
        ("/v1/images", COSTLY[0], "image/png", 413),
        ("/v1/images?focal_px=1e-5", photo(), "image/png", 400),
        ("/v1/images", b"x", "text/plain", 415),
        ("/v1/images", b"--b", "multipart/form-data; boundary=b", 422),
        ("{image}/mask", flat_png(5, 5), "image/png", 400),
        ("{image}/points", b"[", "application/json", 422),
        ("{image}/points", b'{"points":[' + b"[1,2]," * 20_000 + b"[1e9,2]]}", None, 400),
        ("{image}/lines", b'{"lines":[[' + b"[1,2]," * 20_000 + b"[1e9,2]]]}", None, 400),
        ("{image}/distances", b'{"pairs":[' + b"[[1,2],[3,4]]," * 6000 + b"[1]]}", None, 422),
        ("{image}/grid", b'{"columns":200,"rows":100,"xyz":true}', None, 400),
    ],
)
def test_no_memory_and_no_place_stays_taken_after_a_failure(path, content, kind, status):
    with small_service() as client:
        image = f"/v1/images/{posted(client)}"
        headers = {"content-type": kind or "application/json"}
        answer = client.post(path.format(image=image), content=content, headers=headers)
        assert answer.status_code == status, answer.text
        service = client.app.state.service
        assert not any(budget._outstanding.values())
        assert (service.bodies.held, service.requests, len(service.work.encodes)) == (0, 0, 0)
