"""A photo's bytes, with limits on how a decoder reads them.

A file can be made so that decoding takes hours. Most decoders read it in small steps, so that a
read can end the decoding.
"""

import io
import re
import time
from typing import NoReturn

from spd.photos.limits import PhotoCostError

DECODE_SECONDS = 30.0
"""Processor time that a decoder may take between its first and its last read."""
BYTE_BY_BYTE_SECONDS = 10.0
"""Processor time of decoders in Python, which take 2 s per megapixel of a QOI file."""
_READS = 200_000
_BYTES_A_READ = 64  # of decoders that read ahead; the rest reads single bytes
_GAP = rb"\s+(?:#[^\n]{0,200}\n\s*){0,5}"  # white space and comments
_BYTE_BY_BYTE = re.compile(
    rb"qoif|BM|P[123]"  # and PPM whose largest value takes two bytes:
    rb"|P6" + _GAP + rb"\d{1,9}" + _GAP + rb"\d{1,9}" + _GAP + rb"(?!255\s)\d{3,5}\s"
)
_HEAD_BYTES = 2048
_TIMES_READ = 8  # times that a file may be read as a whole
_FREE_BYTES = 64_000_000
_CLOCK_EVERY = 64  # small reads per look at the clock, which takes longer than a read
_LARGE_READ = 16_384


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
        slow = _BYTE_BY_BYTE.match(data[:_HEAD_BYTES]) is not None
        step = 1 if slow else _BYTES_A_READ
        self._most_reads = _READS + 4 * len(data) // step
        self._most_bytes = _FREE_BYTES + _TIMES_READ * len(data)
        self._seconds = BYTE_BY_BYTE_SECONDS if slow else DECODE_SECONDS
        self._end = time.thread_time() + self._seconds

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as `BytesIO` does.

        Raises:
            PhotoCostError: if a limit is exceeded.
        """
        data = super().read(size)
        self._reads += 1
        self._bytes += len(data)
        if self._reads > self._most_reads:
            self._refuse(f"takes more than {self._most_reads} reads")
        if self._bytes > self._most_bytes:
            self._refuse(f"reads it more than {_TIMES_READ} times")
        looks = self._reads % _CLOCK_EVERY == 0 or len(data) >= _LARGE_READ
        if looks and time.thread_time() > self._end:
            self._refuse(f"takes more than {self._seconds:g} s")
        return data

    def _refuse(self, reason: str) -> NoReturn:
        raise PhotoCostError(
            f"{self._name} is not decoded: decoding {reason}; save it again as PNG or baseline JPEG"
        )
