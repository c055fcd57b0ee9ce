"""Conditions for using a route: the service runs, has room, and the request carries the token.

The routes themselves check them, so that no spelling of an address avoids the check, whatever the
prefix under which the application is mounted.
"""

from collections.abc import Sequence

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from fastapi.security import HTTPBearer

from spd.serve.refusals import busy, stopping
from spd.serve.security import check_token
from spd.serve.service import Service

ADMITTED = "spd-admitted"
"""Key of an ASGI scope: a list that is not empty once the request counts as being answered."""


def admission(service: Service) -> Sequence[Dependency]:
    """Dependencies of every route that only admitted requests may use."""

    async def admit(request: Request) -> None:
        check_admission(service, request)

    # The scheme is for OpenAPI alone: it does not know the token.
    described = [] if service.token is None else [Depends(HTTPBearer(auto_error=False))]
    return [Depends(admit), *described]


def check_admission(service: Service, request: Request) -> None:
    """Refuse a request while the service stops or is full, or without the right token.

    Raises:
        RefusalError: naming the reason.
    """
    if service.stopping:
        raise stopping()
    if service.token is not None:
        check_token(service.token, request.headers.getlist("authorization"))
    admitted = request.scope[ADMITTED]
    if admitted:
        return
    if service.requests >= service.config.max_requests:
        raise busy(f"the service is already answering {service.requests} requests; try again later")
    # Only now: requests without the token, whose clients may read no answer, must not fill it.
    admitted.append(True)
    service.requests += 1
