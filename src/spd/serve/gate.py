"""Middleware before every route: shutdown, token, number of requests, and metrics."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from spd.serve.refusals import RefusalError, busy, stopping
from spd.serve.security import check_token
from spd.serve.service import Service

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEALTH = "/healthz"
_GUARDED = ("/v1/", "/metrics")
_PIECE_BYTES = 65_536
"""Bytes of an answer sent at a time, so that a client that reads nothing is noticed soon."""


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], service: Service
    ) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service, started = self._service, time.perf_counter()
        status = 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await _send_in_pieces(message, send)

        service.requests += 1
        try:
            refused = self._refusal(scope)
            if refused is None:
                await self._app(scope, receive, counted)
            else:
                await error_response(refused)(scope, receive, counted)
        finally:
            service.requests -= 1
            route = getattr(scope.get("route"), "path", "other")
            service.metrics.count(scope["method"], route, status, time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> RefusalError | None:
        service, path = self._service, scope["path"]
        if path == HEALTH:
            return None
        if service.stopping:
            return stopping()
        if service.requests > service.config.max_requests:
            return busy(
                f"the service is already answering {service.requests - 1} requests; try again later"
            )
        if service.token is not None and path.startswith(_GUARDED):
            try:
                check_token(service.token, Headers(scope=dict(scope)).get("authorization"))
            except RefusalError as refused:
                return refused
        return None


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
