"""What the service does not do, each with its status, its kind and one sentence."""

from spd.errors import InputError, PointError, SPDError

SECONDS_TO_WAIT = 1
"""Said to a client that came when there were too many."""


class RefusalError(SPDError):
    """An answer that is an error.

    Args:
        status: of HTTP.
        kind: one word for programs.
        message: one sentence for people: what was given, what was expected, what to do.
        headers: of the answer.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = headers or {}

    def body(self) -> dict[str, dict[str, str]]:
        """What the client reads."""
        return {"error": {"kind": self.kind, "message": str(self)}}


def of_input(error: SPDError, kind: str = "bad_question") -> RefusalError:
    """What SPD itself refuses, as an answer."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, MemoryError):
        wait = {"Retry-After": str(SECONDS_TO_WAIT)}
        return RefusalError(503, "out_of_memory", str(error), wait)
    if isinstance(error, PointError):
        kind = "bad_point"
    return RefusalError(400, kind, str(error)) if isinstance(error, InputError) else failed()


def failed() -> RefusalError:
    """What is not the client's fault; what happened is said to whoever runs the service."""
    return RefusalError(500, "internal", "the service failed; what happened is in its own output")


def bad_image(message: str) -> RefusalError:
    """A photo that cannot be read."""
    return RefusalError(400, "bad_image", message)


def need_token(message: str) -> RefusalError:
    """No token, or another."""
    return RefusalError(401, "need_token", message, {"WWW-Authenticate": "Bearer"})


def unknown_image(image_id: str) -> RefusalError:
    """An id that was never given, or whose photo is gone."""
    return RefusalError(
        404,
        "unknown_image",
        f"no image {image_id[:64]!r}: it expired, was removed, or never was; post the photo again",
    )


def slow_body(seconds: float) -> RefusalError:
    """A body that does not come."""
    return RefusalError(
        408, "slow_body", f"the body did not arrive within {seconds:g} s; send it again, faster"
    )


def too_large(message: str) -> RefusalError:
    """Too many bytes, pixels or points."""
    return RefusalError(413, "too_large", message)


def wrong_type(message: str) -> RefusalError:
    """A content type that is not taken."""
    return RefusalError(415, "wrong_type", message)


def bad_request(message: str) -> RefusalError:
    """A body or a parameter of another form."""
    return RefusalError(422, "bad_request", message)


def busy(message: str) -> RefusalError:
    """Too many at a time."""
    return RefusalError(429, "busy", message, {"Retry-After": str(SECONDS_TO_WAIT)})


def too_slow(seconds: float) -> RefusalError:
    """Work that takes too long, or waits too long for its turn."""
    return RefusalError(
        503,
        "too_slow",
        f"not answered within {seconds:g} s; ask again later, or for less at a time",
        {"Retry-After": str(SECONDS_TO_WAIT)},
    )


def stopping() -> RefusalError:
    """The service ends."""
    return RefusalError(
        503,
        "stopping",
        "the service is shutting down; ask again when it is back",
        {"Retry-After": str(10 * SECONDS_TO_WAIT)},
    )
