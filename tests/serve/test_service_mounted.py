"""The service inside another application, under a prefix, and asked for odd addresses."""

import asyncio
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from helpers.small_service import JPEG, error_of, photo, small_app

TOKEN = "0123456789abcdef0123"
RIGHT = {"authorization": f"Bearer {TOKEN}"}
OPEN = {"/", "/docs", "/healthz", "/openapi.json"}


def alone(app):
    return TestClient(app)


def mounted(app):
    return TestClient(Starlette(routes=[Mount("/spd", app)]), base_url="http://testserver/spd")


def mounted_twice(app):
    inner = Starlette(routes=[Mount("/depth", app)])
    outer = Starlette(routes=[Mount("/tools", inner)])
    return TestClient(outer, base_url="http://testserver/tools/depth")


def with_root_path(app):
    """Behind a proxy that removes a prefix, as `uvicorn --root-path` has it."""
    return TestClient(app, root_path="/spd", base_url="http://testserver/spd")


def behind_a_stripping_proxy(app):
    return TestClient(app, root_path="/spd")


PLACES = [alone, mounted, mounted_twice, with_root_path, behind_a_stripping_proxy]


def routes_of(app) -> list[tuple[str, str]]:
    """Method and path of every operation, and of the pages."""
    described = [
        (method.upper(), path.replace("{image_id}", "x"))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    ]
    return [*described, ("GET", "/metrics")]


@pytest.mark.parametrize("place", PLACES)
def test_every_route_needs_the_token_wherever_the_application_is(place):
    app = small_app(TOKEN)
    client = place(app)
    guarded = [(method, path) for method, path in routes_of(app) if path not in OPEN]
    assert len(guarded) > 12
    for method, path in guarded:
        for headers in ({}, {"authorization": f"Bearer {TOKEN}x"}):
            answer = client.request(method, path.removeprefix("/"), headers=headers)
            assert error_of(answer)[:2] == (401, "need_token"), (method, path)
        answer = client.request(method, path.removeprefix("/"), headers=RIGHT)
        assert answer.status_code != 401, (method, path)
    for path in ("", "docs", "healthz", "openapi.json", "main.js"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "CONNECT", "FOO"])
@pytest.mark.parametrize("place", PLACES)
def test_no_method_gets_in_without_the_token(place, method):
    client = place(small_app(TOKEN))
    for path in ("v1/model", "v1/images", "v1/images/x/points", "metrics"):
        assert client.request(method, path).status_code == 401, path
        assert client.request(method, path, headers=RIGHT).status_code == 405, path


GUARDED = small_app(TOKEN)
ODD_PATHS = [
    "//v1/model",
    "/v1//model",
    "/v1/model/",
    "/v1/model//",
    "/V1/MODEL",
    "/v1/./model",
    "/v1/../v1/model",
    "/healthz/../v1/model",
    "/healthz/v1/model",
    "/healthz;/v1/model",
    "/v1;/model",
    "/v1/model;a=b",
    "/v1/model%00",
    "/v1%2fmodel",
    "/%76%31/model",
    "/%2576%2531/model",
    "/v1\\model",
    "/v1/model%20",
    "/v1/model%0a",
    "/docs/../v1/model",
    "/openapi.json/../metrics",
    "/metrics/",
    "/%6detrics",
    "/METRICS",
    "/v1/model.json",
    "http://localhost/v1/model",
    "v1/model",
    "",
    "*",
    "/ｖ1/model",
]


def raw(app, path: str, root_path: str = "", **headers: str) -> int:
    """Status of a request whose path reaches the application exactly as given."""
    statuses = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        statuses.append(message.get("status"))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": root_path + unquote(path),
        "raw_path": (root_path + path).encode("utf-8"),
        "root_path": root_path,
        "query_string": b"",
        "headers": [(b"host", b"localhost")]
        + [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
    }
    asyncio.run(app(scope, receive, send))
    return statuses[0]


@pytest.mark.parametrize("root_path", ["", "/spd", "/v1", "/healthz", "/spd/"])
@pytest.mark.parametrize("path", ODD_PATHS)
def test_odd_paths_do_not_get_in_without_the_token(path, root_path):
    assert raw(GUARDED, path, root_path) == 401
    assert raw(GUARDED, path, root_path, authorization=f"Bearer {TOKEN}") in (200, 404)


@pytest.mark.parametrize("path", ODD_PATHS)
def test_odd_paths_do_not_get_in_where_the_application_is_mounted(path):
    outer = Starlette(routes=[Mount("/spd", GUARDED)])
    assert raw(outer, f"/spd{path}") in (307, 401, 404)  # 307: from /spd to /spd/


def test_the_token_is_checked_before_the_rest_of_a_request():
    client = TestClient(small_app(TOKEN, max_megabytes=0.001))
    answers = [
        client.post("/v1/images?focal_px=wide", content=photo(), headers=JPEG),
        client.post("/v1/images", content=bytes(10_000), headers=JPEG),
        client.post("/v1/images/x/points", content=b"{", headers={"content-type": "text/plain"}),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]


def test_two_authorization_headers_are_refused():
    client = TestClient(small_app(TOKEN))
    right, wrong = f"Bearer {TOKEN}", "Bearer x"
    for values in ((right, wrong), (wrong, right), (right, right), (right, "")):
        headers = [("authorization", value) for value in values]
        answer = client.get("/v1/model", headers=headers)
        assert error_of(answer)[:2] == (401, "need_token")
        assert "several headers" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "given",
    [
        *(TOKEN, f"Basic {TOKEN}", f"Token {TOKEN}", "Bearer", "Bearer ", f"Bearer\t{TOKEN}"),
        *(f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN},x", f"Bearer {TOKEN.replace('a', 'A')}"),
        *(f"Bearer x {TOKEN}", f"Bearer {TOKEN} x", "Bearer \xe9", f"Bearer {'a' * 50_000}"),
    ],
)
def test_what_is_not_the_token_does_not_get_in(given):
    client = TestClient(small_app(TOKEN))
    headers = {"authorization": given.encode("latin-1")}
    assert error_of(client.get("/v1/model", headers=headers))[:2] == (401, "need_token")
    for query in (f"token={TOKEN}", f"access_token={TOKEN}", f"authorization=Bearer%20{TOKEN}"):
        assert client.get(f"/v1/model?{query}").status_code == 401


@pytest.mark.parametrize(
    ("path", "headers", "counted"),
    [
        ("/v1/model", {"authorization": f"Bearer {TOKEN}"}, 1),
        ("/metrics", {"authorization": f"Bearer {TOKEN}"}, 1),
        ("/v1/model", {}, 0),
        ("/nowhere", {}, 0),
        ("/", {}, 0),
        ("/openapi.json", {}, 0),
        ("/healthz", {}, 0),
        ("/v1/model", {"host": "evil.example"}, 0),
    ],
)
def test_only_admitted_requests_fill_the_service(path, headers, counted):
    """A client without the token that reads no answer keeps nobody else out."""
    app = small_app(TOKEN, max_requests=1)
    found = []

    async def watched(scope, receive, send):
        async def noted(message):
            found.append(app.state.service.requests)
            await send(message)

        await app(scope, receive, noted)

    client = TestClient(watched, base_url="http://localhost")
    client.get(path, headers=headers)
    assert set(found) == {counted}
    assert app.state.service.requests == 0


def test_without_the_token_nobody_learns_that_the_service_is_busy():
    app = small_app(TOKEN, max_requests=1)
    app.state.service.requests = 1
    client = TestClient(app)
    assert client.get("/v1/model").status_code == 401
    assert error_of(client.get("/v1/model", headers=RIGHT))[:2] == (429, "busy")
    assert app.state.service.requests == 1


@pytest.mark.parametrize("place", PLACES)
def test_the_limits_hold_wherever_the_application_is(place):
    app = small_app(max_megabytes=0.02, max_points=3, max_megapixels=0.01)
    client = place(app)
    too_many_bytes = client.post("v1/images", content=bytes(20_001), headers=JPEG)
    too_many_pixels = client.post("v1/images", content=photo(101, 100, form="JPEG"), headers=JPEG)
    assert error_of(too_many_bytes)[:2] == error_of(too_many_pixels)[:2] == (413, "too_large")
    posted = client.post("v1/images", content=photo(form="JPEG"), headers=JPEG)
    assert posted.status_code == 201
    image = f"v1/images/{posted.json()['id']}"
    asked = [client.post(f"{image}/points", json={"points": [[1, 2]] * n}) for n in (3, 4)]
    assert [answer.status_code for answer in asked] == [200, 413]
    app.state.service.requests = 1000
    assert error_of(client.get("v1/model"))[:2] == (429, "busy")
    assert client.get("healthz").status_code == 200
    app.state.service.requests = 0
    app.state.service.stopping = True
    assert error_of(client.get("v1/model"))[:2] == (503, "stopping")
    app.state.service.close()


def test_the_location_of_a_photo_has_the_prefix():
    client = mounted(small_app())
    answer = client.post("v1/images", content=photo(), headers=JPEG)
    assert answer.headers["location"] == f"/spd/v1/images/{answer.json()['id']}"
    assert client.get(f"http://testserver{answer.headers['location']}").status_code == 200


@pytest.mark.parametrize("place", PLACES)
def test_web_sockets_are_closed(place):
    client = place(small_app(TOKEN))
    for path in ("/v1/model", "/spd/v1/model", "/tools/depth/v1/model", "/metrics"):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=RIGHT):
            pass
