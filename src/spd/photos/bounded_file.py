"""A photo's bytes for a decoder that may not read without end.

Many decoders walk through a file in Python or in small steps, and each step reads. So the file
itself ends the decoding of one that is made to take hours or to be read again and again.
"""

import io
import time
from typing import NoReturn

from spd.errors import InputError

DECODE_SECONDS = 30.0
"""Processor time that a decoder may take between its first and its last read."""
_READS = 200_000
_BYTES_A_READ = 64  # of decoders that read ahead; the rest reads single bytes
_BYTE_BY_BYTE = (b"qoif", b"BM", b"P1", b"P2", b"P3")
_TIMES_READ = 8  # times that a file may be read as a whole
_FREE_BYTES = 64_000_000
_CLOCK_EVERY = 64  # reads; the clock takes longer than a read


class BoundedFile(io.BytesIO):
    """The bytes of a photo, with a limit on reads, on bytes read, and on time.

    Args:
        data: the bytes.
        name: name of the photo, for messages.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self._name = name
        self._reads = 0
        self._bytes = 0
        step = 1 if data.startswith(_BYTE_BY_BYTE) else _BYTES_A_READ
        self._most_reads = _READS + 4 * len(data) // step
        self._most_bytes = _FREE_BYTES + _TIMES_READ * len(data)
        self._end = time.thread_time() + DECODE_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as `BytesIO` does.

        Raises:
            InputError: if a limit is exceeded.
        """
        data = super().read(size)
        self._reads += 1
        self._bytes += len(data)
        if self._reads > self._most_reads:
            self._refuse(f"takes more than {self._most_reads} steps")
        if self._bytes > self._most_bytes:
            self._refuse(f"reads its bytes more than {_TIMES_READ} times")
        if self._reads % _CLOCK_EVERY == 0 and time.thread_time() > self._end:
            self._refuse(f"takes more than {DECODE_SECONDS:g} s")
        return data

    def _refuse(self, reason: str) -> NoReturn:
        raise InputError(
            f"{self._name} is not decoded: that {reason}; save it again as PNG or baseline JPEG"
        )
