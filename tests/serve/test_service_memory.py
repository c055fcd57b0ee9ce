"""Photos, queries and maps that would take too much memory or work: 413, and the next is served."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from helpers.small_service import JPEG, BlockingPredictor, error_of, photo, posted, small_service
from spd.cli.serve import _cache_megabytes


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
