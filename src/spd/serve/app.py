"""The ASGI application: routes, pages, errors in one form, start and stop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route

from spd import __version__
from spd.errors import SPDError
from spd.serve.admission import admission, check_admission
from spd.serve.config import ServeConfig
from spd.serve.gate import Gate, error_response
from spd.serve.metrics import CONTENT_TYPE
from spd.serve.pages import add_pages
from spd.serve.refusals import (
    RefusalError,
    bad_request,
    failed,
    from_error,
    out_of_memory,
    stopping,
)
from spd.serve.routes import errors, routes_of
from spd.serve.schemas import Health
from spd.serve.service import ServedModel, Service

SWEEP_SECONDS = 5.0
"""Seconds between two removals of expired photos."""
_LOG = logging.getLogger("uvicorn.error")  # where the server logs unhandled errors


def create_app(
    model: ServedModel, config: ServeConfig | None = None, token: str | None = None
) -> FastAPI:
    """The service as an ASGI application; `app.state.service` is its `Service`.

    Args:
        model: answers queries.
        config: limits; by default those of `ServeConfig`.
        token: token that requests must carry; None: requests need no token.
    """
    service = Service(model, config or ServeConfig(), token)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        sweeping = asyncio.create_task(_sweep(service))
        try:
            yield
        finally:
            sweeping.cancel()
            service.close()

    app = FastAPI(
        title="SPD",
        version=__version__,
        description="Metric depth from one photo, at exactly the pixels you query.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    router = routes_of(service)
    app.include_router(router, dependencies=admission(service))
    _add_monitoring(app, service)
    add_pages(app)
    _add_errors(app, service, [*router.routes, *app.routes])
    _add_middleware(app, service)
    return app


async def _sweep(service: Service) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        service.cache.expire()


def _add_middleware(app: FastAPI, service: Service) -> None:
    """Add the outermost middleware last."""
    if origins := service.config.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("Authorization", "Content-Type"),
            allow_private_network=True,  # a public page may ask a service on this machine
            expose_headers=("Location", "Retry-After"),
        )
    app.add_middleware(Gate, service=service)


def _add_monitoring(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", responses={503: errors()[503]}, summary="Health check")
    async def health() -> Health:
        if service.stopping:
            raise stopping()
        return Health(status="ok")

    @app.get("/metrics", include_in_schema=False, dependencies=admission(service))
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})


def _add_errors(app: FastAPI, service: Service, routes: Sequence[BaseRoute]) -> None:
    """Give every error the same form."""

    @app.exception_handler(SPDError)
    async def refuse(_: Request, error: SPDError) -> JSONResponse:
        refusal = from_error(error)
        if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR:  # the client gets no details
            _LOG.error("a request failed", exc_info=error)
        return error_response(refusal)

    @app.exception_handler(RequestValidationError)
    async def refuse_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return error_response(bad_request(f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> JSONResponse:
        try:
            check_admission(service, request)  # no route has done so for this request
        except RefusalError as refused:
            return error_response(refused)
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        message = f"{error.detail}; see /docs for the list of operations"
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed(routes, request)
        return error_response(RefusalError(error.status_code, kind, message, headers))

    @app.exception_handler(MemoryError)  # of Python itself, anywhere
    async def run_out(_: Request, __: MemoryError) -> JSONResponse:
        _LOG.warning("a request was refused: no memory is left")
        return error_response(out_of_memory("no memory is left for this request; ask again later"))

    @app.exception_handler(Exception)
    async def fail(_: Request, __: Exception) -> JSONResponse:
        return error_response(failed())


def _allowed(routes: Sequence[BaseRoute], request: Request) -> str:
    """The methods of all routes at a path; Starlette reports those of the first route only."""
    found: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))
