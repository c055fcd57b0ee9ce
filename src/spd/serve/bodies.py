"""Read request bodies within limits on bytes and time, and count answers that wait to be read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from spd.serve.refusals import RefusalError, bad_request, busy, slow_body, too_large, wrong_type

_FORM = "multipart/form-data"
_LENGTH_DIGITS = 18  # of a body's length: above, it is longer than any limit
_FORM_BYTES = 65_536  # headers and boundaries of a form, beside the file in it


class BodyReader:
    """Reads request bodies, and counts the bytes of all requests and answers in memory.

    Args:
        most_held: limit on the bytes of all bodies together.
        seconds: time limit of one request's body.
    """

    def __init__(self, most_held: int, seconds: float) -> None:
        self._most_held = most_held
        self._seconds = seconds
        self.held = 0
        """Bytes of all bodies that are being read or used, and of answers not yet received."""

    @contextlib.asynccontextmanager
    async def read(self, request: Request, most: int) -> AsyncIterator[bytearray]:
        """A body of at most `most` bytes; its length counts as held until the block ends.

        Raises:
            RefusalError: if it is too long or too slow, or too much is held already.
        """
        _check_length(request, most)
        body = bytearray()
        length = 0
        try:
            try:
                await self._fill(body, request, most)
            finally:
                length = len(body)
            yield body  # which the block may empty
        finally:
            self.held -= length

    def check_room(self, answer_bytes: int) -> None:
        """Refuse an answer while slow clients have left too many others unread.

        Raises:
            RefusalError: if it does not fit beside what is held.
        """
        if self.held and self.held + answer_bytes > self._most_held:
            raise busy("clients have not received too many large responses yet; try again later")

    async def _fill(self, body: bytearray, request: Request, most: int) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > most:
                        raise _too_long(most)
                    if self.held + len(chunk) > self._most_held:
                        raise busy("too many large requests at once; send this one again later")
                    body += chunk
                    self.held += len(chunk)
        except TimeoutError:
            raise slow_body(self._seconds) from None
        except ClientDisconnect:
            raise bad_request(
                "the connection closed before the request body was complete"
            ) from None


def check_json(request: Request) -> None:
    """Refuse a request whose content type is not JSON.

    Raises:
        RefusalError: naming the expected type.
    """
    _check_uncompressed(request)
    given = _content_type(request)
    if given != "application/json":
        raise wrong_type(f"unsupported content type {given or 'missing'!r}; send application/json")


def is_form(request: Request, field: str) -> bool:
    """Whether the request carries its file in a form; False: as the body itself.

    Raises:
        RefusalError: if the content type is neither.
    """
    _check_uncompressed(request)
    given = _content_type(request)
    if given == _FORM:
        return True
    if given.startswith("image/") or given == "application/octet-stream":
        return False
    raise wrong_type(
        f"unsupported content type {given or 'missing'!r}; send the {field} as image/* or "
        f"application/octet-stream, or as {_FORM} in the field {field}"
    )


def most_bytes(file_bytes: int, *, form: bool) -> int:
    """Limit on a body that carries a file of at most `file_bytes`."""
    return file_bytes + (_FORM_BYTES if form else 0)


def _content_type(request: Request) -> str:
    """The content type without parameters; empty where the header is missing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_uncompressed(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise wrong_type(
            f"unsupported content encoding {encoding[:40]!r}; send the body uncompressed"
        )


def _check_length(request: Request, most: int) -> None:
    """Refuse by the announced length, before any of the body is read."""
    announced = request.headers.get("content-length", "")
    digits = announced.isascii() and announced.isdecimal()
    # Python does not convert thousands of digits.
    if digits and (len(announced) > _LENGTH_DIGITS or int(announced) > most):
        raise _too_long(most)


def _too_long(most: int) -> RefusalError:
    return too_large(
        f"the request body is longer than {most:,} bytes; send a smaller file or a shorter query"
    )
