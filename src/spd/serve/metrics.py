"""The service's metrics in Prometheus's text format."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

__all__ = ["CONTENT_TYPE", "Metrics"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """Metrics of one service; each service has a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "spd_requests",
            "Responses by route and status",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "spd_request_seconds",
            "Seconds from a request's headers to the last byte of its response",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.points = Counter("spd_points", "Points queried", registry=registry)
        self.batch = Histogram(
            "spd_encode_batch_images",
            "Photos per encoded batch",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=registry,
        )
        self.encode_seconds = Histogram(
            "spd_encode_seconds", "Seconds to encode a batch", buckets=_SECONDS, registry=registry
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; unknown methods share one label, so that clients cannot add labels."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Add a gauge; `value` is called whenever the metrics are read."""
        Gauge(name, help_text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)
