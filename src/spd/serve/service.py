"""Everything one running service holds."""

import dataclasses
from typing import TYPE_CHECKING

from spd import __version__
from spd.config import ModelConfig
from spd.cost import parameters
from spd.serve.bodies import Bodies
from spd.serve.cache import SceneCache
from spd.serve.config import ServeConfig
from spd.serve.metrics import Metrics
from spd.serve.schemas import Limits, ModelInfo
from spd.serve.work import Work

if TYPE_CHECKING:
    from spd.predictors.loading import AnyPredictor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """What answers, and what clients are told of it."""

    predictor: "AnyPredictor"
    name: str
    runtime: str
    precision: str = "float32"

    def describe(self, config: ServeConfig) -> ModelInfo:
        """For clients."""
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
    """A model, what is kept of photos, and who works.

    Args:
        model: answers.
        config: limits.
        token: that requests must bear; None: none.
    """

    def __init__(self, model: ServedModel, config: ServeConfig, token: str | None) -> None:
        self.model = model
        self.config = config
        self.token = token
        self.metrics = Metrics()
        self.cache = SceneCache(config.keep_images, config.keep_bytes, 60 * config.keep_minutes)
        self.bodies = Bodies(config.max_buffered_bytes, config.body_seconds)
        self.work: Work
        """There while the service runs."""
        self.requests = 0
        """That are being answered."""
        self.stopping = False
        """Whether new requests are refused."""
        self._watch()

    def start(self) -> None:
        """Begin to work; after `close` once more if need be."""
        self.work = Work(self.model.predictor, self.config, self.metrics)
        self.stopping = False

    def close(self) -> None:
        """Refuse who waits, and let go of every photo."""
        self.stopping = True
        self.work.close()
        self.cache.clear()

    def _watch(self) -> None:
        watch, cache = self.metrics.watch, self.cache
        watch("spd_requests_now", "Requests being answered", lambda: self.requests)
        watch("spd_encodes_waiting", "Photos waiting", lambda: len(self.work.encodes))
        watch("spd_body_bytes", "Bodies held in memory", lambda: self.bodies.held)
        watch("spd_images", "Photos kept", lambda: len(cache))
        watch("spd_images_bytes", "Memory of the photos kept", lambda: cache.nbytes)
        watch("spd_images_evicted", "Photos that made room for others", lambda: cache.evicted)
        watch("spd_images_expired", "Photos nobody asked any more", lambda: cache.expired)
