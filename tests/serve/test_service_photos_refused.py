"""Photos, forms and cameras that the service refuses, with status and message."""

import asyncio
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from helpers.small_service import JPEG, error_of, photo, posted, small_service
from spd.errors import SPDError
from spd.serve.bodies import BodyReader


@pytest.fixture(scope="module")
def client():
    with small_service(
        max_megabytes=0.2, max_megapixels=0.1, max_points=10_000, body_seconds=5
    ) as client:
        yield client


def png_head(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and has nothing but a few bytes of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


@pytest.mark.parametrize(
    ("data", "pattern"),
    [
        (b"", "is empty"),
        (b"hello", "not a readable image"),
        (photo()[:1000], "damaged or truncated"),
        (photo(form="JPEG")[:400], "damaged or truncated"),
    ],
)
def test_files_that_are_not_photos(client, data, pattern):
    status, kind, message = error_of(client.post("/v1/images", content=data, headers=JPEG))
    assert (status, kind) == (400, "bad_image")
    assert pattern in message


@pytest.mark.parametrize("size", [(400, 400), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_by_the_header_alone(client, size, monkeypatch):
    monkeypatch.setattr("spd.photos.reading._decoded", lambda *_: pytest.fail("it was unpacked"))
    status, kind, message = error_of(
        client.post("/v1/images", content=png_head(*size), headers=JPEG)
    )
    assert (status, kind) == (413, "too_large")
    assert "limit is 0.1 megapixels" in message


def chunked(data: bytes):
    """Sent without a length."""
    for start in range(0, len(data), 10_000):
        yield data[start : start + 10_000]


@pytest.mark.parametrize("content", [bytes(200_001), chunked(bytes(200_001))], ids=["one", "many"])
def test_too_many_bytes(client, content):
    status, kind, message = error_of(client.post("/v1/images", content=content, headers=JPEG))
    assert (status, kind) == (413, "too_large")
    assert "longer than 200,000 bytes" in message
    assert client.app.state.service.bodies.held == 0


def test_reading_stops_at_the_limit():
    # The client of these tests sends a body as one, so the reader is asked itself.
    pieces = iter([bytes(10_000)] * 100)

    async def receive():
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    async def read():
        bodies = BodyReader(10**9, 5)
        request = Request({"type": "http", "headers": [], "method": "POST"}, receive)
        with pytest.raises(SPDError, match="longer than 50,000"):
            async with bodies.read(request, 50_000):
                pass
        assert bodies.held == 0

    asyncio.run(read())
    assert len(list(pieces)) == 94


def test_a_body_of_the_longest_allowed_size_is_accepted(client):
    data = photo() + bytes(200_000 - len(photo()))
    assert client.post("/v1/images", content=data, headers=JPEG).status_code == 201


@pytest.mark.parametrize(
    ("content", "boundary", "pattern"),
    [
        (b"", "x", "ends before its last boundary"),
        (b"--x\r\n", "x", "ends before"),
        (b"nonsense", "x", "malformed"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', "x", "no field"),
        (b"--x--\r\n", "", "has no boundary"),
        (b"--x--\r\n", "x" * 300, "malformed"),
    ],
)
def test_damaged_forms(client, content, boundary, pattern):
    kind = f"multipart/form-data; boundary={boundary}"
    status, said, message = error_of(
        client.post("/v1/images", content=content, headers={"content-type": kind})
    )
    assert (status, said) == (422, "bad_request")
    assert pattern in message


@pytest.mark.parametrize("camera", [{"focal_px": 1e6}, {"fov_deg": 0.001}, {"fov_deg": 170}])
def test_cameras_at_the_limits_of_what_is_valid(client, camera):
    image = posted(client, **camera)
    said = client.post(f"/v1/images/{image}/points", json={"points": [[1, 2]], "xyz": True})
    assert np.isfinite(said.json()["xyz_m"]).all()


@pytest.mark.parametrize(
    ("camera", "status", "pattern"),
    [
        ({"focal_px": 60, "fov_deg": 60}, 400, "pass only one of focal_px, fov_deg"),
        ({"focal_px": "nan"}, 422, "focal_px"),
        ({"focal_px": "inf"}, 422, "focal_px"),
        ({"focal_px": 5e-324}, 400, "field of view of"),
        ({"fov_deg": 5e-324}, 422, "fov_deg"),
        ({"focal_px": 1}, 400, "field of view of"),
        ({"focal_px": -3}, 422, "focal_px"),
        ({"focal_px": "wide"}, 422, "focal_px"),
        ({"fov_deg": 179}, 422, "fov_deg"),
        ({"fx": 60}, 400, "given together, got only 1"),
        ({"fx": 60, "fy": 90, "cx": 1, "cy": 1}, 400, "not square"),
        ({"fx": 60, "fy": 60, "cx": "nan", "cy": 1}, 422, "cx"),
        ({"fx": 60, "fy": 60, "cx": 1e300, "cy": 1}, 422, "cx"),
        ({"fx": -1, "fy": 60, "cx": 1, "cy": 1}, 400, "positive"),
    ],
)
def test_invalid_cameras(client, camera, status, pattern):
    answer = client.post("/v1/images", content=photo(), headers=JPEG, params=camera)
    got, kind, message = error_of(answer)
    assert got == status
    assert kind == ("bad_camera" if status == 400 else "bad_request")
    assert pattern in message


def test_only_the_first_frame_of_an_animation_counts(client):
    frames = [Image.new("P", (100, 100), colour) for colour in range(5)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert client.post("/v1/images", content=file.getvalue(), headers=JPEG).status_code == 201
