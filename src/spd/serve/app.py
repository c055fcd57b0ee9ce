"""The application: routes, pages, errors in one form, and what starts and stops with it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route

from spd import __version__
from spd.errors import SPDError
from spd.serve.config import ServeConfig
from spd.serve.gate import HEALTH, Gate, answer_of
from spd.serve.metrics import CONTENT_TYPE
from spd.serve.pages import add_pages
from spd.serve.refusals import RefusalError, bad_request, failed, of_input, stopping
from spd.serve.routes import errors, routes_of
from spd.serve.schemas import Health
from spd.serve.service import ServedModel, Service

SWEEP_SECONDS = 5.0
"""How often photos that nobody asks are let go of."""
_LOG = logging.getLogger("uvicorn.error")  # where the server logs what no handler takes


def create_app(
    model: ServedModel, config: ServeConfig | None = None, token: str | None = None
) -> FastAPI:
    """The service as an ASGI application; `app.state.service` is what it holds.

    Args:
        model: what answers.
        config: limits; by default those of `ServeConfig`.
        token: that requests must bear; None: none.
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
        description="Metric depth at exactly the pixels you ask for, from one photo.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    bearer = [] if token is None else [Depends(HTTPBearer(auto_error=False))]  # for OpenAPI
    router = routes_of(service)
    app.include_router(router, dependencies=bearer)
    _add_watching(app, service)
    add_pages(app)
    _add_errors(app, [*router.routes, *app.routes])
    app.add_middleware(Gate, service=service)
    return app


async def _sweep(service: Service) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        service.cache.forget_expired()


def _add_watching(app: FastAPI, service: Service) -> None:
    @app.get(HEALTH, responses={503: errors()[503]}, summary="Whether it answers")
    async def health() -> Health:
        if service.stopping:
            raise stopping()
        return Health(status="ok")

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})


def _add_errors(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Every error has the same form."""

    @app.exception_handler(SPDError)
    async def refused(_: Request, error: SPDError) -> JSONResponse:
        answer = of_input(error)
        if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:  # the client is not told what it was
            _LOG.error("a request failed", exc_info=error)
        return answer_of(answer)

    @app.exception_handler(RequestValidationError)
    async def unfitting(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return answer_of(bad_request(f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def not_routed(request: Request, error: HTTPException) -> JSONResponse:
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        message = f"{error.detail}; the operations are at /docs"
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed(routes, request)
        return answer_of(RefusalError(error.status_code, kind, message, headers))

    @app.exception_handler(Exception)
    async def broken(_: Request, __: Exception) -> JSONResponse:
        return answer_of(failed())


def _allowed(routes: Sequence[BaseRoute], request: Request) -> str:
    """The methods of a path; Starlette names those of the first of its routes alone."""
    found: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))
