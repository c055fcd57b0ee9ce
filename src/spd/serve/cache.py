"""Encoded photos in memory, limited in number, in bytes and in time.

Everything here belongs to one event loop: call nothing from another thread.
"""

import dataclasses
import secrets
import time
from collections.abc import Callable

import numpy as np
from cachetools import Cache, TTLCache
from jaxtyping import UInt8

from spd.scenes import Distortion
from spd.scenes.scene import PhotoScene
from spd.serve.refusals import too_large, unknown_image


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class EncodedPhoto:
    """A photo that can be queried."""

    scene: PhotoScene
    preview: UInt8[np.ndarray, "h w 3"]
    """Small copy of the photo, for pictures."""
    warnings: tuple[str, ...]
    """Warnings given when the photo was posted."""
    distortion: Distortion | None = None
    """Lens distortion; None: no distortion."""

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.preview.nbytes + self.scene.nbytes


class SceneCache(TTLCache[str, tuple[EncodedPhoto, float]]):
    """Encoded photos by id, each with the time it expires; evicts the least recently used.

    Args:
        most_images: photos held at a time.
        most_bytes: bytes held at a time.
        seconds: lifetime of a photo after its last query.
        clock: monotonic clock, in seconds.
    """

    def __init__(
        self,
        most_images: int,
        most_bytes: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(most_bytes, seconds, clock, getsizeof=lambda entry: entry[0].nbytes)
        self._most_images = most_images
        self.evicted = 0
        """Photos removed to make room for others."""
        self.expired = 0
        """Photos removed because their lifetime ended."""

    def put(self, photo: EncodedPhoto) -> str:
        """Store a photo; returns its new id, which cannot be guessed.

        Raises:
            RefusalError: if the photo alone is larger than the whole cache.
        """
        if photo.nbytes > self.maxsize:
            raise too_large(
                f"the photo's feature maps take {photo.nbytes / 1e6:.4g} MB, but the cache holds "
                f"at most {self.maxsize / 1e6:.4g} MB in total; post a smaller photo"
            )
        image_id = secrets.token_urlsafe(16)
        with self.timer:  # which stands still here, so that nothing expires meanwhile
            while len(self) >= self._most_images:
                self.popitem()
            self._store(image_id, photo)
        return image_id

    def use(self, image_id: str) -> EncodedPhoto:
        """The photo with this id; its lifetime starts again.

        Raises:
            RefusalError: if the cache does not hold it.
        """
        photo, _ = self.peek(image_id)
        self._store(image_id, photo)
        return photo

    def peek(self, image_id: str) -> tuple[EncodedPhoto, float]:
        """The photo with this id and the seconds until it expires; neither counts as a use.

        Raises:
            RefusalError: if the cache does not hold it.
        """
        if image_id not in self:
            raise unknown_image(image_id)
        photo, expires = Cache.__getitem__(self, image_id)  # TTLCache's would count as a use
        return photo, expires - self.timer()

    def remove(self, image_id: str) -> None:
        """Forget a photo.

        Raises:
            RefusalError: if the cache does not hold it.
        """
        if self.pop(image_id, None) is None:
            raise unknown_image(image_id)

    def _store(self, image_id: str, photo: EncodedPhoto) -> None:
        self[image_id] = (photo, self.timer() + self.ttl)

    def popitem(self) -> tuple[str, tuple[EncodedPhoto, float]]:
        """Evict the least recently used photo."""
        evicted = super().popitem()
        self.evicted += 1
        return evicted

    def expire(self, time: float | None = None) -> list[tuple[str, tuple[EncodedPhoto, float]]]:
        """Remove every photo whose lifetime has ended."""
        expired = list(super().expire(time))
        self.expired += len(expired)
        return expired
