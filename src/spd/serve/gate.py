"""Middleware around every route: foreign web pages, the end of admitted requests, and metrics.

Nothing here depends on a request's path, which changes where the application is mounted; what some
routes need and others do not is in `admission`.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from spd.serve.admission import ADMITTED
from spd.serve.origins import Visitors
from spd.serve.refusals import RefusalError
from spd.serve.service import Service

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-site"),
]
_PIECE_BYTES = 65_536
"""Bytes of an answer sent at a time, so that a client that reads nothing is noticed soon."""


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], service: Service
    ) -> None:
        self._app = app
        self._service = service
        self._visitors = Visitors(service.config.allow_hosts, service.config.allow_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service, started = self._service, time.perf_counter()
        status, held = 500, 0

        async def counted(message: Message) -> None:
            nonlocal status, held
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            held += len(message.get("body", b""))
            service.bodies.held += len(message.get("body", b""))
            await _send_in_pieces(message, send)

        admitted: list[bool] = []
        scope[ADMITTED] = admitted
        try:
            self._visitors.check(scope)
            await self._app(scope, receive, counted)
        except RefusalError as refused:
            await error_response(refused)(scope, receive, counted)
        finally:
            service.requests -= len(admitted)
            service.bodies.held -= held
            route = getattr(scope.get("route"), "path", "other")
            service.metrics.count(scope["method"], route, status, time.perf_counter() - started)


def error_response(refused: RefusalError) -> JSONResponse:
    """The response for a refusal."""
    return JSONResponse(refused.body(), refused.status, refused.headers)


async def _send_in_pieces(message: Message, send: Send) -> None:
    body = message.get("body", b"")
    if len(body) <= _PIECE_BYTES:
        await send(message)
        return
    view = memoryview(body)
    *starts, last = range(0, len(body), _PIECE_BYTES)
    for start in starts:
        piece = bytes(view[start : start + _PIECE_BYTES])
        await send({"type": message["type"], "body": piece, "more_body": True})
    await send({**message, "body": bytes(view[last:])})
