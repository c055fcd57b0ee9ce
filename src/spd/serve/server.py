"""The server process: a bound socket, time limits on connections, signals."""

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from spd.errors import ConfigError
from spd.serve import connections
from spd.serve.config import ServeConfig
from spd.serve.service import Service
from spd.terminal import on_hangup

if TYPE_CHECKING:
    from types import FrameType

    from fastapi import FastAPI

_CLEAN_UP_SECONDS = 5
_LINGER_SECONDS = 1.0
_BYTES_A_TURN = 16_384
"""Bytes read from a connection before others get a turn: tiny chunks take long to parse."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        ConfigError: if the address is unknown, or the port in use or not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=connections.CONNECTIONS)
    except socket.gaierror as error:
        raise ConfigError(
            f"--host {host} is not an address of this machine: {error.strerror}"
        ) from None
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot bind port {port} on {host}: {reason.lower()}; choose a different one with "
            "--port (0 picks any free port)"
        ) from None


def url_of(bound: socket.socket) -> str:
    """The URL of the socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_of(app: "FastAPI", most: int = connections.CONNECTIONS) -> "Server":
    """A server of the application; `run(sockets=[...])` answers until SIGINT, SIGTERM or SIGHUP.

    Args:
        app: what `create_app` returns.
        most: connections open at a time; further ones get status 503 at once.
    """
    service: Service = app.state.service
    logging.getLogger("uvicorn.error").addFilter(connections.RARE_LOGS)
    config = uvicorn.Config(
        app,
        http=_protocol(service.config, most),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=connections.ACCEPTS_A_TURN,
        timeout_graceful_shutdown=round(service.config.grace_seconds) + _CLEAN_UP_SECONDS,
    )
    return Server(config, service)


class Server(uvicorn.Server):
    """Lets running requests end before it stops, and does not raise the signal again."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and let more clients wait to be accepted than are accepted in a turn."""
        asyncio.get_running_loop().set_exception_handler(connections.handle_loop_error)
        on_hangup(self.handle_exit)
        await super().startup(sockets)
        for bound in sockets or []:
            bound.listen(connections.CONNECTIONS)

    def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
        """Begin to stop; a second signal stops at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._service.stopping = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests end; those still waiting after the grace period get status 503."""
        loop = asyncio.get_running_loop()
        last_call = loop.call_later(self._service.config.grace_seconds, self._service.work.close)
        await super().shutdown(sockets)
        last_call.cancel()


def _protocol(config: ServeConfig, most: int) -> type[H11Protocol]:
    class TimedProtocol(H11Protocol):
        """HTTP/1.1 connection that is closed when its client stays silent for too long.

        uvicorn limits only the time between two requests, and one byte ends that limit: a client
        that sends half a head or reads no answer would hold its connection for ever. uvicorn has
        no public hook for this, so the class uses two private attributes, `cycle` and `transport`;
        tests/serve/test_service_connections.py fails when uvicorn changes them. A connection beyond
        the limit is refused as soon as it opens: uvicorn's own limit waits for a whole request.
        """

        _refused = False
        _idle: asyncio.TimerHandle | None = None
        _timed: Any = None  # the request whose answer is being timed
        _deadline = 0.0  # on the loop's clock, in seconds: when the last answer must be received

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            with contextlib.suppress(AttributeError):  # asyncio's own transport has it
                transport.max_size = _BYTES_A_TURN  # type: ignore[attr-defined]
            if len(self.connections) > most:
                self._refuse()
            else:
                self._expect_request(None)

        def data_received(self, data: bytes) -> None:
            if not self._refused:
                super().data_received(data)

        def on_response_complete(self) -> None:
            answered = self.cycle
            super().on_response_complete()  # which may begin the next one
            self._deadline = self.loop.time() + config.answer_seconds
            self._expect_request(answered)

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._timed is not self.cycle:
                self._timed = self.cycle
                self.loop.call_later(config.answer_seconds, self._drop_if_unread, self.cycle)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._idle is not None:
                self._idle.cancel()

        def _refuse(self) -> None:
            """Answer and close, but read for another moment, or the client may see only a reset."""
            self._refused = True
            self.logger.warning("all %d connections are in use; refusing more", most)
            self.transport.write(connections.REFUSAL)
            if len(self.connections) > most + connections.most_surplus(most):
                self.transport.close()
            else:
                self.transport.write_eof()
                self._idle = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

        def _expect_request(self, after: Any, seconds: float = config.head_seconds) -> None:
            if self._idle is not None:
                self._idle.cancel()
            self._idle = self.loop.call_later(seconds, self._drop_if_idle, after)

        def _drop_if_idle(self, after: Any) -> None:
            if self.cycle is not after:
                return
            left = self._deadline - self.loop.time()
            if left > 0 and self.transport.get_write_buffer_size():
                # The answer is complete, but its end still waits here for the client to read it.
                self._expect_request(after, min(left, config.head_seconds))
            else:
                self.transport.abort()

        def _drop_if_unread(self, cycle: Any) -> None:
            received = cycle.response_complete and not self.transport.get_write_buffer_size()
            if self.cycle is cycle and not received:
                self.transport.abort()

    return TimedProtocol
