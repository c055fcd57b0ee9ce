"""A small service in a thread, and raw connections to it."""

import contextlib
import re
import signal
import socket
import threading
import time

from helpers.small_service import small_app
from spd.serve.server import bind, server_of

WAIT = 20.0  # for what has to come; never a measure


@contextlib.contextmanager
def running(network=None, send=None, most=1024, **limits):
    """A server in a thread: its application, its address, what stops it."""
    app = small_app(network=network, **limits)
    bound = bind("127.0.0.1", 0)
    if send is not None:  # bytes that the system takes of an answer; connections inherit it
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send)
    address = bound.getsockname()
    server = server_of(app, most)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield app, address, server
    finally:
        server.handle_exit(signal.SIGTERM, None)
        thread.join(WAIT)
        bound.close()
    assert not thread.is_alive()


@contextlib.contextmanager
def connected(address, **options):
    with contextlib.closing(socket.socket()) as client:
        if "receive" in options:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive"])
        client.settimeout(WAIT)
        client.connect(address)
        yield client


def read_all(client) -> bytes:
    """Until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            data += part
    return data


def read_answer(client) -> tuple[int, bytes]:
    """One answer with a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65536)
        assert part, data
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])
    while len(body) < length:
        part = client.recv(65536)
        assert part, f"{len(body)} of {length} bytes"
        body += part
    return int(head.split()[1]), body


def request(method: str, path: str, body: bytes = b"", kind: str = "image/png") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n"
    if body:
        head += f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def until(condition) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
