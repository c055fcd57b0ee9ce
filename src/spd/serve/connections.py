"""Limits on open connections: how many fit, and the refusal of further ones.

A process that has no file descriptors left cannot even accept a connection to refuse it, and
asyncio logs each attempt with a traceback. So connections are limited below the system's limit.
"""

import asyncio
import errno
import logging
import time
from typing import Any

CONNECTIONS = 1024
"""Connections open at a time, where the limit on open files allows as many."""
ACCEPTS_A_TURN = 4
"""Connections accepted in one turn of the event loop, before any of them can be counted."""
_MOST_SURPLUS = 64
_SPARE_FILES = 192  # surplus connections, several turns of accepted ones, the model, files
_FEWEST = 8
_SECONDS_BETWEEN_LOGS = 60.0
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LOG = logging.getLogger("uvicorn.error")

_BODY = b"too many open connections; try again later"
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nretry-after: 1\r\nconnection: close\r\n\r\n%b" % (len(_BODY), _BODY)
)
"""The whole answer to a surplus connection."""


def most_connections(wanted: int = CONNECTIONS) -> int:
    """Raise the limit on open files as far as needed, and count the connections that fit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted + _SPARE_FILES:
        raised = wanted + _SPARE_FILES
        if hard != resource.RLIM_INFINITY:
            raised = min(raised, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        except (OSError, ValueError):  # macOS has a lower limit than it reports
            pass
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(_FEWEST, min(wanted, soft - min(_SPARE_FILES, soft // 2)))


def most_surplus(most: int) -> int:
    """Connections beyond the limit that are held until their client has read the refusal."""
    return min(_MOST_SURPLUS, max(_FEWEST, most // 8))


class RareLogs(logging.Filter):
    """Drops a warning that was logged less than a minute ago: clients can cause some at will."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log; a message's first record passes."""
        if record.levelno != logging.WARNING:
            return True
        now, last = time.monotonic(), self._logged.get(record.msg)
        if last is not None and now - last < _SECONDS_BETWEEN_LOGS:
            return False
        self._logged[record.msg] = now
        return True


RARE_LOGS = RareLogs()
"""The filter of uvicorn's log; one for the process, as the log is."""


def handle_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log connections that cannot be accepted in one line; other errors as asyncio does."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _OUT_OF_FILES and "socket" in context:
        _LOG.warning("cannot accept connections: the system has no more open files or memory")
    else:
        loop.default_exception_handler(context)
