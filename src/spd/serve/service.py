"""Everything one running service holds."""

import dataclasses
from typing import TYPE_CHECKING

from spd import __version__
from spd.config import ModelConfig
from spd.cost import parameters
from spd.memory import available_bytes
from spd.serve.bodies import BodyReader
from spd.serve.cache import SceneCache
from spd.serve.config import ServeConfig
from spd.serve.metrics import Metrics
from spd.serve.schemas import Limits, ModelInfo
from spd.serve.work import Workers

if TYPE_CHECKING:
    from spd.predictors.model_options import AnyPredictor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """The predictor, and its description for clients."""

    predictor: "AnyPredictor"
    name: str
    runtime: str
    precision: str = "float32"

    def describe(self, config: ServeConfig) -> ModelInfo:
        """The answer to `GET /v1/model`."""
        network = self.predictor.config
        return ModelInfo(
            name=self.name,
            version=__version__,
            parameters=parameters.model(network) if isinstance(network, ModelConfig) else None,
            runtime=self.runtime,
            precision=self.precision,
            limits=Limits(**{name: getattr(config, name) for name in Limits.model_fields}),
        )


class Service:
    """A model, its limits, the cached photos and the worker threads.

    Args:
        model: answers queries.
        config: limits.
        token: token that requests must carry; None: requests need no token.
    """

    def __init__(self, model: ServedModel, config: ServeConfig, token: str | None) -> None:
        self.model = model
        self.config = config
        self.token = token
        self.metrics = Metrics()
        self.cache = SceneCache(config.keep_images, config.keep_bytes, 60 * config.keep_minutes)
        self.bodies = BodyReader(_buffer_bytes(config), config.body_seconds)
        self._work: Workers | None = None
        self.requests = 0
        """Admitted requests being answered; pages and refused requests do not count."""
        self.stopping = False
        """Whether new requests are refused."""
        self._watch()

    @property
    def work(self) -> Workers:
        """The workers; in a mounted application, the first use starts them."""
        if self._work is None:
            self.start()
        assert self._work is not None
        return self._work

    def start(self) -> None:
        """Start the workers; also after `close`."""
        self._work = Workers(self.model.predictor, self.config, self.metrics)
        self.stopping = False

    def close(self) -> None:
        """Refuse waiting requests and forget every photo."""
        self.stopping = True
        self.work.close()
        self.cache.clear()

    def _watch(self) -> None:
        watch, cache, bodies = self.metrics.watch, self.cache, self.bodies
        watch("spd_requests_now", "Requests being answered", lambda: self.requests)
        watch("spd_encodes_waiting", "Photos waiting to be encoded", lambda: len(self.work.encodes))
        watch("spd_body_bytes", "Bytes of request and response bodies", lambda: bodies.held)
        watch("spd_images", "Photos in the cache", lambda: len(cache))
        watch("spd_images_bytes", "Memory of the cached photos", lambda: cache.currsize)
        watch("spd_images_evicted", "Photos evicted to make room", lambda: cache.evicted)
        watch("spd_images_expired", "Photos that expired", lambda: cache.expired)


def _buffer_bytes(config: ServeConfig) -> int:
    """Memory for bodies: at most a third of what is left, so that it suffices to answer them."""
    left = available_bytes()
    return config.max_buffered_bytes if left is None else min(config.max_buffered_bytes, left // 3)
