"""Slow clients on real connections, and a service that is stopped."""

import contextlib
import json
import signal
import time

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from helpers.raw_connections import WAIT, connected, read_all, read_answer, request, running, until
from helpers.small_service import BlockingPredictor, photo


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"])
def test_a_connection_without_a_request_is_closed(sent):
    with running(head_seconds=0.2) as (_, address, _), connected(address) as client:
        client.sendall(sent)
        assert read_all(client) == b""


def test_a_connection_whose_head_arrives_byte_by_byte_is_closed():
    with running(head_seconds=0.3) as (_, address, _), connected(address) as client:
        client.settimeout(0.02)
        closed = False
        for byte in b"GET /healthz HTTP/1.1\r\nx-long: " + b"x" * 1000:
            with contextlib.suppress(TimeoutError):
                try:
                    client.sendall(bytes([byte]))
                    closed = client.recv(100) == b""
                except (ConnectionResetError, BrokenPipeError):
                    closed = True
            if closed:
                break
        assert closed


def test_an_idle_connection_is_closed_after_an_answer_too():
    with running(head_seconds=0.2) as (_, address, _), connected(address) as client:
        for _ in range(2):
            client.sendall(request("GET", "/healthz"))
            assert read_answer(client) == (200, b'{"status":"ok"}')
        client.sendall(b"GET /hea")
        assert read_all(client) == b""


def test_a_connection_with_a_long_running_request_stays_open():
    held = BlockingPredictor()
    with running(held, head_seconds=0.1) as (_, address, _), connected(address) as client:
        client.sendall(request("GET", "/healthz") + request("POST", "/v1/images", photo()))
        assert read_answer(client)[0] == 200
        assert held.began.acquire(timeout=WAIT)
        time.sleep(0.3)  # several times the limit
        held.go.set()
        assert read_answer(client)[0] == 201


def test_a_body_that_does_not_arrive_gets_408():
    with running(body_seconds=0.2) as (app, address, _), connected(address) as client:
        whole = request("POST", "/v1/images", photo())
        client.sendall(whole[:-100])
        status, body = read_answer(client)
        assert (status, json.loads(body)["error"]["kind"]) == (408, "slow_body")
        until(lambda: app.state.service.bodies.held == 0)


def test_a_client_that_disconnects_within_its_body():
    with running() as (app, address, _):
        with connected(address) as client:
            client.sendall(request("POST", "/v1/images", photo())[:-100])
            until(lambda: app.state.service.bodies.held > 0)
        until(lambda: app.state.service.bodies.held == 0)
        until(lambda: app.state.service.requests == 0)


def test_an_announced_length_beyond_the_limit_is_refused_at_once():
    with running(max_megabytes=0.01) as (_, address, _), connected(address) as client:
        head = b"POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n"
        client.sendall(head + b"content-length: 10001\r\n\r\n")
        assert read_answer(client)[0] == 413


def test_a_client_that_reads_no_answer_is_disconnected():
    held = BlockingPredictor()
    held.go.set()
    with running(held, answer_seconds=0.3) as (app, address, _):
        with connected(address) as client:
            client.sendall(request("POST", "/v1/images", photo(1500, 2000)))
            image = json.loads(read_answer(client)[1])["id"]
        with connected(address, receive=4096) as client:
            client.sendall(request("GET", f"/v1/images/{image}/depth.npy"))
            until(lambda: app.state.service.requests == 1)
            until(lambda: app.state.service.requests == 0)
            assert len(read_all(client)) < 4 * 1500 * 2000


@contextlib.contextmanager
def waiting_map(height: int, width: int, **limits):
    """A client whose map is answered, but for its end, which waits in the server."""
    held = BlockingPredictor()
    held.go.set()
    with running(held, send=4096, head_seconds=0.1, **limits) as (app, address, server):
        with connected(address) as client:
            client.sendall(request("POST", "/v1/images", photo(height, width)))
            image = json.loads(read_answer(client)[1])["id"]
        with connected(address, receive=4096) as client:
            client.sendall(request("GET", f"/v1/images/{image}/depth.npy"))
            until(lambda: b'depth.npy",status="200"' in app.state.service.metrics.text())
            yield client, server


SIZES = [(100, 100), (150, 200)]  # of a map below and above what makes the writing pause


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_an_unread_answer_may_wait_longer_than_the_next_request(height, width):
    with waiting_map(height, width, answer_seconds=WAIT) as (client, _):
        time.sleep(0.4)  # several times the limit for a request to begin
        _, body = read_answer(client)
        assert len(body) == 128 + 4 * height * width
        assert read_all(client) == b""  # and then the limit holds again


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_an_unread_answer_does_not_wait_for_ever(height, width):
    with waiting_map(height, width, answer_seconds=0.3) as (client, server):
        until(lambda: not server.server_state.connections)
        assert len(read_all(client)) < 4 * height * width


@pytest.mark.slow
def test_answers_that_wait_for_slow_clients_have_a_limit_together():
    held = BlockingPredictor()
    held.go.set()
    with running(held, send=4096) as (app, address, _):
        bodies = app.state.service.bodies
        bodies._most_held = 10_000_000
        with connected(address) as client:
            client.sendall(request("POST", "/v1/images", photo(1500, 1500)))
            image = json.loads(read_answer(client)[1])["id"]
            asked = request("GET", f"/v1/images/{image}/depth.npy")
            with connected(address, receive=4096) as slow:
                slow.sendall(asked)
                until(lambda: bodies.held >= 9_000_000)
                client.sendall(asked)
                status, body = read_answer(client)
                assert (status, json.loads(body)["error"]["kind"]) == (429, "busy")
            until(lambda: bodies.held == 0)
            client.sendall(asked)
            assert read_answer(client)[0] == 200


def test_bytes_that_are_not_http_are_refused():
    with running() as (_, address, _), connected(address) as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 400")


def test_a_running_request_is_answered_before_the_service_stops():
    held = BlockingPredictor()
    with running(held) as (app, address, server), connected(address) as client:
        client.sendall(request("POST", "/v1/images", photo()))
        assert held.began.acquire(timeout=WAIT)
        server.handle_exit(signal.SIGTERM, None)
        until(lambda: refused(address))  # nobody else is let in
        held.go.set()
        assert read_answer(client)[0] == 201
        assert read_all(client) == b""
        assert app.state.service.stopping


def refused(address) -> bool:
    try:
        with connected(address):
            return False
    except ConnectionRefusedError:
        return True


def test_requests_that_wait_longer_than_the_grace_period_get_503():
    held = BlockingPredictor()
    with (
        running(held, grace_seconds=0.2) as (app, address, server),
        connected(address) as first,
        connected(address) as second,
    ):
        first.sendall(request("POST", "/v1/images", photo()))
        assert held.began.acquire(timeout=WAIT)
        second.sendall(request("POST", "/v1/images", photo()))
        until(lambda: len(app.state.service.work.encodes) == 1)
        server.handle_exit(signal.SIGTERM, None)
        status, body = read_answer(second)
        assert (status, json.loads(body)["error"]["kind"]) == (503, "stopping")
        held.go.set()
        assert read_answer(first)[0] == 201


def test_one_client_gets_few_bytes_a_turn(monkeypatch):
    """A body of tiny chunks takes long to parse: 16 kB of them 0.2 s, asyncio's 256 kB 2 s."""
    sizes = []
    given = H11Protocol.data_received

    def noted(self, data):
        sizes.append(len(data))
        given(self, data)

    monkeypatch.setattr(H11Protocol, "data_received", noted)
    with running() as (_, address, _), connected(address) as client:
        head = b"POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n"
        chunks = b"1\r\na\r\n" * 20_000
        client.sendall(head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert read_answer(client)[0] == 400
    assert sum(sizes) > 120_000
    assert max(sizes) <= 16_384
