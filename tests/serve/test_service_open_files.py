"""Connections stay below the limit on open files; what clients cause is not logged for ever."""

import asyncio
import errno
import http.client
import logging
import os
import re
import resource
import signal
import socket
import subprocess
import sys

import pytest

from helpers.raw_connections import connected, read_all, read_answer, request, running, until
from helpers.small_service import photo
from spd.serve import connections
from spd.serve.connections import RareLogs, handle_loop_error, most_connections


@pytest.fixture(autouse=True)
def _nothing_was_logged_yet():
    connections.RARE_LOGS._logged.clear()


@pytest.fixture
def limits(monkeypatch):
    """A process's limits on open files, which `setrlimit` changes here alone."""
    kept = [0, 0]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(kept))
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: kept.__setitem__(slice(2), given))
    return kept


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "most"),
    [
        (1024, 1_048_576, 1216, 1024),
        (256, 10_240, 1216, 1024),
        (1024, resource.RLIM_INFINITY, 1216, 1024),
        (1024, 1024, 1024, 832),
        (512, 1100, 1100, 908),
        (256, 256, 256, 128),
        (64, 64, 64, 32),
        (8, 8, 8, 8),
        (4096, 4096, 4096, 1024),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1024),
    ],
)
def test_the_limit_is_raised_as_far_as_needed(limits, soft, hard, raised, most):
    limits[:] = [soft, hard]
    assert most_connections() == most
    assert limits == [raised, hard]


@pytest.mark.parametrize("error", [ValueError("above OPEN_MAX"), OSError(errno.EPERM, "no")])
def test_a_limit_that_cannot_be_raised_is_kept(limits, monkeypatch, error):
    def refuse(*_):
        raise error

    limits[:] = [256, 1_048_576]
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert most_connections() == 128


def test_where_there_is_no_such_limit(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert most_connections() == connections.CONNECTIONS


def test_connections_beyond_the_limit_get_503_at_once_and_the_others_are_answered(caplog):
    with running(most=2) as (_, address, server), connected(address) as first:
        first.sendall(request("GET", "/healthz"))
        assert read_answer(first)[0] == 200
        with connected(address) as second:
            until(lambda: len(server.server_state.connections) == 2)
            for _ in range(3):
                with connected(address) as surplus:  # which sends nothing
                    assert read_all(surplus) == connections.REFUSAL
            third = http.client.HTTPConnection(*address, timeout=20)
            third.request("POST", "/v1/images", photo(), {"content-type": "image/png"})
            answer = third.getresponse()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.read() == b"too many open connections; try again later"
            third.close()
            first.sendall(request("GET", "/healthz"))  # an established one is answered meanwhile
            assert read_answer(first)[0] == 200
            second.sendall(request("GET", "/healthz"))
            assert read_answer(second)[0] == 200
        until(lambda: len(server.server_state.connections) == 1)
        with connected(address) as again:
            again.sendall(request("GET", "/healthz"))
            assert read_answer(again)[0] == 200
    said = [record.getMessage() for record in caplog.records if "in use" in record.getMessage()]
    assert len(said) <= 1


def test_surplus_connections_do_not_stay(monkeypatch):
    monkeypatch.setattr("spd.serve.server._LINGER_SECONDS", 0.1)
    with running(most=1) as (_, address, server), connected(address):
        until(lambda: len(server.server_state.connections) == 1)
        surplus = [socket.create_connection(address, timeout=20) for _ in range(20)]
        until(lambda: len(server.server_state.connections) == 1)
        for client in surplus:
            assert read_all(client) == connections.REFUSAL
            client.close()


def test_a_warning_is_logged_once_a_minute(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("spd.serve.connections.time.monotonic", lambda: now[0])
    rare = RareLogs()

    def logged(message: str, level: int = logging.WARNING) -> bool:
        return rare.filter(logging.LogRecord("x", level, "", 0, message, (), None))

    assert [logged("Invalid HTTP request received.") for _ in range(3)] == [True, False, False]
    assert logged("another")
    assert logged("an error", logging.ERROR)
    assert logged("an error", logging.ERROR)
    now[0] = 61.0
    assert [logged("Invalid HTTP request received.") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_connection_that_cannot_be_accepted_is_one_line_without_a_traceback(caplog, number):
    loop = asyncio.new_event_loop()
    context = {"message": "socket.accept() out of system resource", "socket": object()}
    handle_loop_error(loop, context | {"exception": OSError(number, "too many")})
    (record,) = caplog.records
    assert record.exc_info is None
    assert "cannot accept connections" in record.getMessage()
    caplog.clear()
    handle_loop_error(loop, {"message": "other", "exception": ValueError("a bug")})
    assert caplog.records[0].exc_info is not None
    loop.close()


def test_bytes_that_are_not_http_are_logged_once():
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    log = logging.getLogger("uvicorn.error")
    log.addHandler(handler)
    try:
        with running() as (_, address, _):
            for data in (
                b"\x16\x03\x01\r\n\r\n",
                b"GET\r\n\r\n",
                b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
            ):
                with connected(address) as client:
                    client.sendall(data)
                    assert read_all(client).startswith(b"HTTP/1.1 400")
            upgrade = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n"
            with connected(address) as client:
                for _ in range(3):
                    client.sendall(upgrade + b"upgrade: websocket\r\n\r\n")
                    assert read_answer(client)[0] == 200
    finally:
        log.removeHandler(handler)
    said = [record.getMessage() for record in records if record.levelno == logging.WARNING]
    assert sorted(said) == sorted(set(said))
    assert "Invalid HTTP request received." in said


@pytest.mark.slow
@pytest.mark.parametrize("files", [64, 256])
def test_idle_connections_fill_no_log_and_leave_the_service_answering(files, tmp_path):
    with open(tmp_path / "log", "w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "spd", "serve", "--port", "0"],
            stderr=log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        try:
            until(lambda: "serving" in (tmp_path / "log").read_text() or process.poll() is not None)
            found = re.search(r"http://([\d.]+):(\d+)", (tmp_path / "log").read_text())
            address = found[1], int(found[2])
            idle = [socket.create_connection(address, timeout=20) for _ in range(2 * files)]
            asked = http.client.HTTPConnection(*address, timeout=20)
            asked.request("GET", "/healthz")
            assert asked.getresponse().status == 503
            asked.close()
            for client in idle:
                client.close()
            until(lambda: status(address) == 200)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    said = (tmp_path / "log").read_text()
    assert len(said.splitlines()) == 4, said
    assert "connections can be open" in said


def status(address) -> int:
    with connected(address) as client:
        client.sendall(request("GET", "/healthz"))
        return int(client.recv(12).split()[1])
