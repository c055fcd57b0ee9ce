"""Limits of the service: sizes, times, and how many photos it caches."""

from pydantic import Field, field_validator

from spd.config import Frozen, Int
from spd.scenes.regions import MOST_POINTS
from spd.serve.origins import checked_host, checked_origin

_BYTES_A_POINT = 64  # of JSON: two numbers of 17 digits, brackets, commas, a sign
_MEGABYTE = 1_000_000


class ServeConfig(Frozen):
    """Limits of one service; the defaults fit a small machine on a private network."""

    max_megabytes: float = Field(32, gt=0)
    """Maximum size of a photo's file in MB, checked while the file is received."""
    max_megapixels: float = Field(50, gt=0)
    """Maximum size of a photo in megapixels, checked before it is decoded."""
    max_points: Int = Field(1_000_000, ge=1)
    """Maximum points in one request; a box or a line counts as 4,096 points, a distance as two."""
    keep_images: Int = Field(100, ge=1)
    """Maximum photos in the cache; the least recently used one is evicted."""
    keep_minutes: float = Field(30, gt=0)
    """Minutes a photo stays in the cache after its last query."""
    keep_megabytes: float = Field(1024, gt=0)
    """Maximum memory of all cached photos in MB: feature maps and previews."""
    max_requests: Int = Field(128, ge=1)
    """Maximum requests answered at the same time; further ones get status 429."""
    max_encodes_waiting: Int = Field(32, ge=1)
    """Maximum photos waiting to be encoded; further ones get status 429."""
    batch_images: Int = Field(8, ge=1)
    """Maximum photos of the same input size encoded in one batch."""
    request_seconds: float = Field(60, gt=0)
    """Seconds to answer a request once its body has arrived; after that, status 503."""
    body_seconds: float = Field(60, gt=0)
    """Seconds for a client to send a body; after that, status 408."""
    head_seconds: float = Field(10, gt=0)
    """Seconds an open connection may wait for its next request before it is closed."""
    answer_seconds: float = Field(120, gt=0)
    """Seconds for a client to receive an answer before its connection is closed."""
    grace_seconds: float = Field(20, gt=0)
    """Seconds that running requests have to finish when the service stops."""
    allow_origins: tuple[str, ...] = ()
    """Origins of other web pages that may use the service, such as `https://example.org`."""
    allow_hosts: tuple[str, ...] = ()
    """Host names of the service, beside localhost and the address of each connection."""

    @field_validator("allow_origins")
    @classmethod
    def _origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_origin(text) for text in given)

    @field_validator("allow_hosts")
    @classmethod
    def _hosts(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_host(text) for text in given)

    @property
    def max_body_bytes(self) -> int:
        """Bytes of a photo's file."""
        return int(self.max_megabytes * _MEGABYTE)

    @property
    def max_json_bytes(self) -> int:
        """Bytes of a JSON body."""
        return self.max_points * _BYTES_A_POINT + 4096

    @property
    def max_pixels(self) -> int:
        """Pixels of a photo."""
        return int(self.max_megapixels * _MEGABYTE)

    @property
    def max_boxes(self) -> int:
        """Boxes, or lines, in one request."""
        return max(1, self.max_points // MOST_POINTS)

    @property
    def max_pairs(self) -> int:
        """Pairs of points in one request."""
        return max(1, self.max_points // 2)

    @property
    def keep_bytes(self) -> int:
        """Bytes of all cached photos."""
        return int(self.keep_megabytes * _MEGABYTE)

    @property
    def max_buffered_bytes(self) -> int:
        """Bytes of all request and response bodies in memory; a map takes four a pixel."""
        largest = max(self.max_body_bytes, self.max_json_bytes, 4 * self.max_pixels)
        return max(256 * _MEGABYTE, 2 * largest)
