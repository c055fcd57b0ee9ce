"""Requests of other web pages, and requests under names that are not the service's."""

import pytest
from starlette.testclient import TestClient

from helpers.small_service import JPEG, error_of, photo, posted, small_app, small_service
from spd.errors import ConfigError
from spd.serve.config import ServeConfig

TOKEN = "0123456789abcdef0123"
FOREIGN_ORIGINS = [
    "null",
    "http://evil.example",
    "https://evil.example:8000",
    "http://localhost.evil.example:8000",
    "http://127.0.0.1.evil.example:8000",
    "http://evil.example#localhost:8000",
    "http://localhost@evil.example:8000",
    "http://127.0.0.1:8001",
    "http://localhost",
    "https://localhost",
    "http://[::1]:3000",
    "http://0.0.0.0:8000",
    "http://192.168.1.9:8000",
    "file://",
    "chrome-extension://abcdefgh",
    "ftp://localhost:8000",
    "//localhost:8000",
    "localhost:8000",
    "http://localhost:8000/",
    "http://localhost:8000 http://evil.example",
    "http://localhost:8000, http://evil.example",
    "http://",
    "",
    " ",
    "http://127.1:8000",
    "http://localhost:999999999",
    "http://\xe9vil.example:8000",
]
OWN_ORIGINS = [
    "http://127.0.0.1:8000",
    "http://localhost:8000",
    "http://LOCALHOST:8000",
    "http://[::1]:8000",
    "http://[0:0:0:0:0:0:0:1]:8000",
]
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example:8000",
    "localhost@evil.example",
    "evil.example@localhost",
    "localhost:8000@evil.example",
    "localhost:8000:8000",
    "localhost/evil",
    "localhost,evil.example",
    "localhost evil.example",
    "evil.example#localhost",
    "notlocalhost",
    "my.localhost",
    "192.168.1.9:8000",
    "0.0.0.0:8000",
    "[::2]:8000",
    "[::1",
    "::1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost:port",
    "localhost:65536",
    "localhost..",
    "[::1%25eth0]",
    "[localhost]",
    "127.0.0.1:8000#",
    "\t",
    "",
    ":8000",
    "l\xf6calhost",
]


@pytest.fixture(scope="module")
def client():
    with TestClient(small_app(), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture(scope="module")
def image(client):
    return posted(client)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_requests_of_other_pages_are_refused(client, image, origin):
    headers = {"origin": origin.encode("latin-1")}
    cache = client.app.state.service.cache
    for method, path in (
        ("GET", "/v1/model"),
        ("POST", "/v1/images"),
        ("DELETE", f"/v1/images/{image}"),
        ("OPTIONS", "/v1/images"),
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/healthz"),
        ("GET", "/nowhere"),
    ):
        answer = client.request(method, path, headers=headers | JPEG, content=photo())
        assert error_of(answer)[:2] == (403, "foreign"), path
        assert "--allow-origin" in answer.json()["error"]["message"]
        assert "access-control-allow-origin" not in answer.headers
    assert image in cache
    assert len(cache) == 1


@pytest.mark.parametrize("origin", OWN_ORIGINS)
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_the_services_own_page_passes_under_each_of_its_names(client, origin, host):
    answer = client.get("/v1/model", headers={"origin": origin, "host": host})
    assert answer.status_code == 200


def test_a_form_of_another_page_posts_no_photo():
    with small_service(keep_images=1) as client:
        mine = posted(client)
        form = {"photo": ("x.png", photo(seed=1), "image/png")}
        origin = {"origin": "http://evil.example"}
        assert client.post("/v1/images", files=form, headers=origin).status_code == 403
        assert client.get(f"/v1/images/{mine}").status_code == 200  # not evicted


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_requests_under_a_foreign_name_are_refused(client, host):
    for path in ("/v1/model", "/", "/metrics", "/healthz"):
        answer = client.get(path, headers={"host": host.encode("latin-1")})
        status, kind, message = error_of(answer)
        assert (status, kind) == (403, "foreign")
        assert "--allow-host" in message


def test_a_page_whose_name_was_made_to_point_here_is_refused(client):
    rebound = {"host": "evil.example:8000", "origin": "http://evil.example:8000"}
    assert client.post("/v1/images", headers=rebound | JPEG, content=photo()).status_code == 403
    assert client.get("/v1/model", headers={"host": "evil.example:8000"}).status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost:8000", "localhost.", "127.0.0.1", "127.0.0.1:9999"),
        *("[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]:8000"),
    ],
)
def test_this_machines_names_pass_on_any_port(client, host):
    origin = {"origin": f"http://{host.lower()}"}
    for headers in ({"host": host}, {"host": host} | origin):
        assert client.get("/v1/model", headers=headers).status_code == 200


def test_two_hosts_or_origins_must_both_pass(client):
    for name, values in (
        ("host", ["localhost:8000", "evil.example"]),
        ("origin", ["http://localhost:8000", "http://evil.example"]),
    ):
        for pair in (values, values[::-1]):
            headers = [(name, value) for value in pair]
            if name == "origin":
                headers.append(("host", "localhost:8000"))
            assert client.get("/v1/model", headers=headers).status_code == 403


def test_over_a_network_the_address_passes_and_any_other_address():
    client = TestClient(small_app(), base_url="http://192.168.1.9:8000")
    for host in ("192.168.1.9:8000", "10.0.0.3", "localhost:9000"):  # a forwarded port has others
        assert client.get("/v1/model", headers={"host": host}).status_code == 200
        own = {"host": host, "origin": f"http://{host}"}
        assert client.get("/v1/model", headers=own).status_code == 200
    assert client.get("/v1/model", headers={"host": "evil.example"}).status_code == 403
    foreign = {"host": "192.168.1.9:8000", "origin": "http://10.0.0.3:8000"}
    assert client.get("/v1/model", headers=foreign).status_code == 403


def test_names_that_are_allowed_pass():
    app = small_app(allow_hosts=("Depth.example.org", "camera.local", "0.0.0.0"))
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    for host in ("depth.example.org", "DEPTH.example.org:443", "camera.local:8000", "0.0.0.0:8000"):
        assert client.get("/v1/model", headers={"host": host}).status_code == 200
    proxied = {"host": "depth.example.org", "origin": "https://depth.example.org"}
    assert client.get("/v1/model", headers=proxied).status_code == 200
    for host in ("example.org", "www.depth.example.org", "depth.example.org.evil.example"):
        assert client.get("/v1/model", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["https://app.example.org", "http://localhost:3000", "null"])
def test_an_allowed_origin_may_ask_and_read(origin):
    app = small_app(TOKEN, allow_origins=(origin, "https://another.example"))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        asked = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
            "access-control-request-private-network": "true",
        }
        preflight = client.options("/v1/images", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
        assert preflight.headers["access-control-allow-private-network"] == "true"
        right = {"authorization": f"Bearer {TOKEN}", "origin": origin}
        answer = client.post("/v1/images", content=photo(), headers=right | JPEG)
        assert answer.status_code == 201
        refused = client.get("/v1/model", headers={"origin": origin})
        assert error_of(refused)[:2] == (401, "need_token")
        for found in (answer, refused):  # the page can read what was refused, too
            assert found.headers["access-control-allow-origin"] == origin
            assert "access-control-allow-credentials" not in found.headers
        for foreign in ("https://evil.example", f"{origin}.evil.example", f"{origin}:1"):
            asked["origin"] = foreign
            for found in (
                client.options("/v1/images", headers=asked),
                client.get("/v1/model", headers=right | {"origin": foreign}),
            ):
                assert found.status_code == 403
                assert "access-control-allow-origin" not in found.headers


@pytest.mark.parametrize(
    ("method", "site", "mode", "dest", "status"),
    [
        ("POST", "cross-site", "navigate", "document", 403),
        ("POST", "same-site", "navigate", "document", 403),
        ("POST", "cross-site", "no-cors", "empty", 403),
        ("DELETE", "same-site", "cors", "empty", 403),
        ("GET", "cross-site", "no-cors", "image", 403),
        ("GET", "cross-site", "no-cors", "script", 403),
        ("GET", "cross-site", "navigate", "iframe", 403),
        ("GET", "cross-site", "websocket", "websocket", 403),
        ("GET", "Cross-Site", "no-cors", "image", 403),
        ("GET", "cross-site", "navigate", "document", 200),  # a link that a user follows
        ("GET", "same-site", "no-cors", "image", 200),  # a notebook on this machine
        ("GET", "same-origin", "cors", "empty", 200),
        ("GET", "none", "navigate", "document", 200),  # typed by the user
        ("POST", "same-origin", "cors", "empty", 201),
        ("POST", "none", "navigate", "document", 201),
    ],
)
def test_pages_that_a_browser_does_not_name(client, method, site, mode, dest, status):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    path = "/v1/model" if method == "GET" else "/v1/images"
    content = None if method == "GET" else photo()
    answer = client.request(method, path, headers=headers | JPEG, content=content)
    assert answer.status_code == status
    if status == 403:
        assert error_of(answer)[1] == "foreign"


def test_answers_may_not_be_embedded_by_other_sites(client):
    for path in ("/v1/model", "/", "/nowhere"):
        answer = client.get(path)
        assert answer.headers["cross-origin-resource-policy"] == "same-site"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "example.org", "https://", "https://a.example/path", "https://a.example?x", ""),
        *("NULL", "https://u@a.example", "https://[::1", "https://a:port", "https://a b.example"),
        *(
            "https://*.a.example",
            "https://a.example#x",
            "https://a.example?",
            "https://a.example;p",
        ),
        *(
            "https://a.example:65536",
            "https://a..example",
            "https://.example",
            "\thttps://a.example",
        ),
        *("https://a.example\n", "https:a.example", "://a.example", f"https://{'a' * 64}.example"),
    ],
)
def test_values_that_are_no_origin_are_refused(origin):
    with pytest.raises(ConfigError, match="is not an origin; expected scheme://host"):
        ServeConfig(allow_origins=(origin,))


def test_origins_are_kept_as_browsers_write_them():
    given = ("HTTPS://Example.org/", "https://example.org:443", "http://[::1]:80", "http://a:81")
    kept = ("https://example.org", "https://example.org", "http://[::1]", "http://a:81")
    assert ServeConfig(allow_origins=given).allow_origins == kept


@pytest.mark.parametrize(
    "host",
    [
        *("*", "https://a.example", "a.example:80", "", "a b", "a/b", "[::1", "*.local", ".local"),
        *("a..b", "a;b", "10.0.0.0/8", "a" * 64, "a.example\n", "[::1]:80"),
    ],
)
def test_values_that_are_no_host_are_refused(host):
    with pytest.raises(ConfigError, match="is not a host; expected a name or an IP address"):
        ServeConfig(allow_hosts=(host,))


def test_names_are_kept_as_browsers_send_them():
    given = ("M\xfcnchen.example.", "[::1]", "fe80::1%eth0", "a_b", "0:0::2")
    kept = ("xn--mnchen-3ya.example", "::1", "fe80::1", "a_b", "::2")
    assert ServeConfig(allow_hosts=given).allow_hosts == kept
    origins = ServeConfig(allow_origins=("https://m\xfcnchen.example:8443",)).allow_origins
    assert origins == ("https://xn--mnchen-3ya.example:8443",)


def test_an_address_of_one_interface_passes_under_its_name_in_browsers():
    client = TestClient(small_app(allow_hosts=("fe80::1%eth0",)), base_url="http://127.0.0.1:8000")
    for host, status in (("[fe80::1]:8000", 200), ("[fe80::2]:8000", 403)):
        assert client.get("/v1/model", headers={"host": host}).status_code == status
