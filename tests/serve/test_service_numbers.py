"""Huge numbers and deep nesting in bodies, queries and headers: a refusal, never an error."""

import pytest

from helpers.small_service import JPEG, error_of, photo, posted, small_service

JSON = {"content-type": "application/json"}
LONG = "9" * 400
LONGER = "9" * 5000  # more digits than Python converts
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def client():
    with small_service() as client:
        yield client


@pytest.fixture(scope="module")
def image(client):
    return posted(client, focal_px=60)


BODIES = [
    ("boxes", '{"boxes": [[-1e308, -1e308, 1e308, 1e308]]}', 400),
    ("boxes", '{"boxes": [[0, 0, 1e308, 1e308]]}', 400),
    ("boxes", '{"boxes": [[1e308, 1e308, 1.7e308, 1.7e308]]}', 400),
    ("boxes", '{"boxes": [[-1e308, 0, -1e300, 1]]}', 400),
    ("boxes", '{"boxes": [[0, 0, 9223372036854775808, 1]]}', 400),
    ("boxes", f'{{"boxes": [[0, 0, {LONG}, 1]]}}', 400),
    ("boxes", f'{{"boxes": [[-{LONGER}, 0, 1, 1]]}}', 422),
    ("boxes", f'{{"boxes": {DEEP}}}', 422),
    ("lines", '{"lines": [[[1e308, 1], [-1e308, 1]]]}', 400),
    ("lines", f'{{"lines": [[[{LONG}, 0], [1, 1]]]}}', 400),
    ("lines", f'{{"lines": {DEEP}}}', 422),
    ("points", '{"points": [[1e308, 1]], "xyz": true}', 400),
    ("points", f'{{"points": [[1, -{LONG}]]}}', 400),
    ("points", f'{{"points": [[1, {LONGER}]]}}', 422),
    ("points", f'{{"points": [[1, 1e{LONG}]]}}', 400),
    ("points", f'{{"points": [[1, 2]], "xyz": {DEEP}}}', 422),
    ("points", DEEP, 422),
    ("points", '{"points": ' * 100_000, 422),
    ("points", '{"": ' * 7 + "[" * 90_000, 422),
    ("distances", '{"pairs": [[[1, 1], [1e308, 1]]]}', 400),
    ("distances", f'{{"pairs": [[[{LONG}, 1], [1, 1]]]}}', 400),
    ("distances", f'{{"pairs": {DEEP}}}', 422),
    ("grid", f'{{"columns": {LONG}, "rows": 1}}', 422),
    ("grid", '{"columns": 1e308, "rows": 1}', 422),
    ("grid", '{"columns": 2147483648, "rows": 2147483648}', 413),
    ("grid", f'{{"columns": {"[" * 2000}, "rows": 1}}', 422),
    ("grid", f'{{"columns": {DEEP}, "rows": 1}}', 422),
]


@pytest.mark.parametrize("number", range(len(BODIES)))  # the bodies would be the tests' names
def test_bodies(client, image, number):
    what, body, status = BODIES[number]
    answer = client.post(f"/v1/images/{image}/{what}", content=body, headers=JSON)
    got, _, message = error_of(answer)
    assert got == status, message
    assert len(message) < 600


QUERIES = [
    (f"focal_px={LONG}", 422),
    (f"focal_px={LONGER}", 422),
    ("focal_px=1e308", 422),
    ("focal_px=-1e308", 422),
    (f"fov_deg={LONG}", 422),
    ("fx=1e308&fy=1e308&cx=1&cy=1", 422),
    (f"fx=60&fy=60&cx=-{LONGER}&cy=1", 422),
    ("fx=5e-324&fy=5e-324&cx=1&cy=1", 400),
    (f"distortion={LONG},0,0,0&fx=60&fy=60&cx=1&cy=1", 422),  # longer than any list of numbers
    ("distortion=1e400,0,0,0&fx=60&fy=60&cx=1&cy=1", 400),
]


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_parameters_of_a_photo(client, number):
    query, status = QUERIES[number]
    answer = client.post(f"/v1/images?{query}", content=photo(), headers=JPEG)
    got, _, message = error_of(answer)
    assert got == status, message
    assert len(message) < 600


def test_distortion_that_no_lens_has_refuses_rays_and_not_depth(client):
    lens = {"fx": 60, "fy": 60, "cx": 32, "cy": 24, "distortion": "1e308,1e308,1e308,1e308"}
    image = posted(client, **lens)
    for what, body in (
        ("points", {"points": [[1, 2]], "xyz": True}),
        ("distances", {"pairs": [[[1, 2], [30, 40]]]}),
        ("lines", {"lines": [[[1, 2], [30, 40]]]}),
        ("grid", {"columns": 3, "rows": 2, "xyz": True}),
    ):
        status, kind, message = error_of(client.post(f"/v1/images/{image}/{what}", json=body))
        assert (status, kind) == (400, "bad_point")
        assert "distortion cannot be inverted" in message
    assert client.post(f"/v1/images/{image}/boxes", json={"boxes": [[1, 2, 9, 9]]}).is_success


@pytest.mark.parametrize("point", [f"{LONG},1", f"1,-{LONGER}", "1e308,1e308", "nan,1"])
def test_points_of_an_overlay(client, image, point):
    answer = client.get(f"/v1/images/{image}/overlay.png", params={"points": point})
    assert error_of(answer)[:2] == (400, "bad_point")


@pytest.mark.parametrize("length", ["9" * 19, LONG, LONGER, "32000001"])
def test_announced_lengths(client, length):
    answer = client.post("/v1/images", content=b"x", headers=JPEG | {"content-length": length})
    assert error_of(answer)[:2] == (413, "too_large")


@pytest.mark.parametrize("length", ["\xb2", "-1", "1e3", "0x10", ""])
def test_lengths_that_are_no_number_do_not_matter(client, length):
    headers = JPEG | {"content-length": length.encode("latin-1")}
    assert client.post("/v1/images", content=photo(), headers=headers).status_code == 201


@pytest.mark.parametrize("path", [f"/v1/images/{LONGER}", "/v1/images/" + "%2e" * 3000, f"/{LONG}"])
def test_long_paths(client, path):
    assert client.get(path).status_code == 404
