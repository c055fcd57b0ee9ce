"""Error answers of the service: HTTP status, kind and message."""

from spd.errors import InputError, PointError, SPDError
from spd.memory import MemoryLimitError
from spd.photos.limits import PhotoCostError, PhotoTooLargeError

SECONDS_TO_WAIT = 1
"""Retry-After of a busy service."""


class RefusalError(SPDError):
    """An error answer.

    Args:
        status: HTTP status.
        kind: one word for programs.
        message: what was given, what is expected and what to do, for people.
        headers: headers of the answer.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = headers or {}

    def body(self) -> dict[str, dict[str, str]]:
        """The answer's JSON."""
        return {"error": {"kind": self.kind, "message": str(self)}}


def from_error(error: SPDError, kind: str = "bad_question") -> RefusalError:
    """The error answer for an error that SPD raised; `kind` is for wrong input."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, MemoryLimitError | PhotoTooLargeError | PhotoCostError):
        return too_large(str(error))
    if isinstance(error, MemoryError):
        return out_of_memory(str(error))
    if isinstance(error, PointError):
        kind = "bad_point"
    return RefusalError(400, kind, str(error)) if isinstance(error, InputError) else failed()


def failed() -> RefusalError:
    """500: not the client's fault; the details are in the service's log."""
    return RefusalError(500, "internal", "internal error; the service's log has the details")


def need_token(message: str) -> RefusalError:
    """401: the token is missing or wrong."""
    return RefusalError(401, "need_token", message, {"WWW-Authenticate": "Bearer"})


def foreign(message: str) -> RefusalError:
    """403: another web page sent the request, or it names another host."""
    return RefusalError(403, "foreign", message)


def unknown_image(image_id: str) -> RefusalError:
    """404: the cache does not hold this id."""
    return RefusalError(
        404,
        "unknown_image",
        f"no image {image_id[:64]!r}: it expired, was evicted or deleted, or never existed; post "
        "the photo again",
    )


def slow_body(seconds: float) -> RefusalError:
    """408: the body did not arrive in time."""
    return RefusalError(
        408,
        "slow_body",
        f"the request body did not arrive within {seconds:g} s; send it "
        "again over a faster connection",
    )


def too_large(message: str) -> RefusalError:
    """413: too many bytes, pixels or points, or more memory or work than the limits allow."""
    return RefusalError(413, "too_large", message)


def wrong_type(message: str) -> RefusalError:
    """415: the content type is not supported."""
    return RefusalError(415, "wrong_type", message)


def bad_request(message: str) -> RefusalError:
    """422: the body or a parameter does not match its schema."""
    return RefusalError(422, "bad_request", message)


def busy(message: str) -> RefusalError:
    """429: too many requests at a time."""
    return RefusalError(429, "busy", message, {"Retry-After": str(SECONDS_TO_WAIT)})


def too_slow(seconds: float) -> RefusalError:
    """503: the answer took too long."""
    return _try_later(
        "too_slow", f"no answer within {seconds:g} s; try again later, or query less at once"
    )


def out_of_memory(message: str) -> RefusalError:
    """503: other work holds the memory that the request needs."""
    return _try_later("out_of_memory", message)


def stopping() -> RefusalError:
    """503: the service is shutting down."""
    message = "the service is shutting down; try again when it is running again"
    return _try_later("stopping", message, 10 * SECONDS_TO_WAIT)


def _try_later(kind: str, message: str, seconds: int = SECONDS_TO_WAIT) -> RefusalError:
    return RefusalError(503, kind, message, {"Retry-After": str(seconds)})
