"""Standard output and standard error of a command: what happens if they cannot be written."""

import errno
import io
import os
import sys
from typing import Any

from spd.errors import OutputError, reason_of

BROKEN_PIPE = 128 + 13
"""Exit code if the reader of a pipe has ended; the same as after SIGPIPE."""


class _Descriptor(io.FileIO):
    """A standard stream. After the first failed write, it drops what follows."""

    def __init__(self, number: int, *, required: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._required = required
        self.error: OutputError | None = None
        """The first failed write."""

    def write(self, data: Any) -> int:
        """Write bytes.

        Raises:
            OutputError: for the first failed write to standard output.
        """
        dropped = memoryview(data).nbytes
        if self.error is not None:
            return dropped
        try:
            return super().write(data)
        except OSError as error:
            self.error = OutputError(f"cannot write to standard output: {reason_of(error)}")
            if not self._required:
                return dropped
            if error.errno == errno.EPIPE:
                raise SystemExit(BROKEN_PIPE) from None
            raise self.error from None


def use_steady_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr` of this process.

    A failed write to standard output becomes an `OutputError`; one to standard error, which has
    only messages, is ignored. A character that the encoding lacks is written as an escape.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file that is opened must not become standard output
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _steady(sys.stdout, 1)
    sys.stderr = _steady(sys.stderr, 2)


def finish_output() -> None:
    """Flush standard output.

    Raises:
        OutputError: if that fails, or an earlier write has failed, which a library may have hidden.
    """
    if sys.stdout is None:  # closed by the shell
        return
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Descriptor) and raw.error is not None:
        raise raw.error


def _steady(stream: Any, number: int) -> Any:
    if stream is None:
        return stream
    raw = _Descriptor(number, required=number == 1)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=number == 2 or stream.isatty(),
    )
