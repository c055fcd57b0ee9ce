"""Worker threads for everything that takes time, so that the event loop only waits.

Each kind of work has its own threads: a picture of a large photo takes seconds and gigabytes, and
no query for points should wait for it.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from spd.processes import usable_cpus
from spd.scenes.scene import PhotoScene
from spd.serve.config import ServeConfig
from spd.serve.encoding import EncodeQueue
from spd.serve.metrics import Metrics
from spd.serve.photo import PhotoInput
from spd.serve.refusals import stopping, too_slow

if TYPE_CHECKING:
    from spd.predictors.model_options import AnyPredictor

P = ParamSpec("P")
T = TypeVar("T")

_READERS = 2  # each decodes one photo at a time
_DRAWERS = 1  # maps of whole photos; and matplotlib is not thread-safe


class Workers:
    """The worker threads of a service.

    Args:
        predictor: encodes photos.
        config: limits on waiting photos and on time.
        metrics: receives the encode queue's metrics.
    """

    def __init__(self, predictor: "AnyPredictor", config: ServeConfig, metrics: Metrics) -> None:
        self.encodes = EncodeQueue(
            predictor, config.max_encodes_waiting, config.batch_images, metrics
        )
        self._seconds = config.request_seconds
        self._closed = threading.Event()
        self._askers = _pool(min(32, usable_cpus() + 4), "ask")
        self._readers = _pool(_READERS, "read")
        self._drawers = _pool(_DRAWERS, "draw")
        self.encodes.start()

    @contextlib.asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Limit the time of a block; what it waits for is cancelled.

        Raises:
            RefusalError: if the time is over.
        """
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError:
            raise too_slow(self._seconds) from None

    async def ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Answer a query."""
        return await self._run(self._askers, function, *args, **kwargs)

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Decode a photo or a mask."""
        return await self._run(self._readers, function, *args, **kwargs)

    async def draw(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write the map or the picture of a whole photo."""
        return await self._run(self._drawers, function, *args, **kwargs)

    async def _run(
        self,
        pool: ThreadPoolExecutor,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self._closed.is_set():
            raise stopping()
        future = pool.submit(function, *args, **kwargs)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._closed.is_set() and future.cancelled():
                raise stopping() from None
            raise

    async def encode(self, photo: PhotoInput) -> PhotoScene:
        """Encode a photo when its turn comes.

        Raises:
            RefusalError: if too many photos wait.
        """
        return await asyncio.wrap_future(self.encodes.submit(photo))

    def close(self) -> None:
        """Refuse waiting work; running work continues to its end."""
        self._closed.set()
        self.encodes.close()
        for pool in (self._askers, self._readers, self._drawers):
            pool.shutdown(wait=False, cancel_futures=True)


def _pool(threads: int, name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=f"spd-{name}")
