"""What the service counts, in Prometheus's form."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

__all__ = ["CONTENT_TYPE", "Metrics"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """The counters of one service; two in a process do not add up."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "spd_requests",
            "Answers by route and status",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "spd_request_seconds",
            "From a request's head to the last byte of its answer",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.points = Counter("spd_points", "Points answered", registry=self._registry)
        self.batch = Histogram(
            "spd_encode_batch_images",
            "Photos that went through the network together",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self._registry,
        )
        self.encode_seconds = Histogram(
            "spd_encode_seconds",
            "The network's time for a batch",
            buckets=_SECONDS,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; a client that invents methods does not make the counters grow."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Show a number that is asked when somebody looks."""
        Gauge(name, help_text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)
