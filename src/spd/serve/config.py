"""What the service grants its clients: sizes, times, and how much it keeps."""

from pydantic import Field

from spd.config import Frozen, Int
from spd.scenes.regions import MOST_POINTS

_BYTES_A_POINT = 64  # of JSON: two numbers of 17 digits, brackets, commas, a sign
_MEGABYTE = 1_000_000


class ServeConfig(Frozen):
    """Limits of one service; the defaults fit a small machine on a private network."""

    max_megabytes: float = Field(32, gt=0)
    """Of a photo's file; counted while it is read."""
    max_megapixels: float = Field(50, gt=0)
    """Of a photo; looked at before it is unpacked."""
    max_points: Int = Field(1_000_000, ge=1)
    """Asked in one request; a box or a line counts as 4,096, a distance as two."""
    keep_images: Int = Field(100, ge=1)
    """Encoded photos kept; the one that was not asked for longest goes first."""
    keep_minutes: float = Field(30, gt=0)
    """A photo stays after it was last asked."""
    keep_megabytes: float = Field(1024, gt=0)
    """Of all photos that are kept: their maps and what a picture is drawn on."""
    max_requests: Int = Field(128, ge=1)
    """At a time, from the first byte to the last; more are told to come back (429)."""
    max_encodes_waiting: Int = Field(32, ge=1)
    """Photos that wait for the network; more are told to come back (429)."""
    batch_images: Int = Field(8, ge=1)
    """Waiting photos of one size that go through the network together, at most."""
    request_seconds: float = Field(60, gt=0)
    """Until a request is answered, once its body is here; then it is told 503."""
    body_seconds: float = Field(60, gt=0)
    """For a client to send a body; then it is told 408."""
    head_seconds: float = Field(10, gt=0)
    """For a client to begin a request on an open connection; then it is closed."""
    answer_seconds: float = Field(120, gt=0)
    """For a client to take an answer; then its connection is cut."""
    grace_seconds: float = Field(20, gt=0)
    """Given to running requests when the service is told to stop."""

    @property
    def max_body_bytes(self) -> int:
        """Of a photo's file."""
        return int(self.max_megabytes * _MEGABYTE)

    @property
    def max_json_bytes(self) -> int:
        """Of a question."""
        return self.max_points * _BYTES_A_POINT + 4096

    @property
    def max_pixels(self) -> int:
        """Of a photo."""
        return int(self.max_megapixels * _MEGABYTE)

    @property
    def max_boxes(self) -> int:
        """Boxes, or lines, asked in one request."""
        return max(1, self.max_points // MOST_POINTS)

    @property
    def max_pairs(self) -> int:
        """Of points, asked in one request."""
        return max(1, self.max_points // 2)

    @property
    def keep_bytes(self) -> int:
        """Of all photos that are kept."""
        return int(self.keep_megabytes * _MEGABYTE)

    @property
    def max_buffered_bytes(self) -> int:
        """Of all bodies together."""
        return max(256 * _MEGABYTE, 2 * self.max_body_bytes, 2 * self.max_json_bytes)
