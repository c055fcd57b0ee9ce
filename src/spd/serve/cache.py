"""Encoded photos that are kept: so many, so many bytes, so long; the longest unasked goes first.

Of one event loop: nothing here may be called from another thread.
"""

import dataclasses
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

from spd.scenes import Distortion
from spd.scenes.scene import PhotoScene
from spd.serve.refusals import too_large, unknown_image


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A photo to be asked."""

    scene: PhotoScene
    small: UInt8[np.ndarray, "h w 3"]
    """The photo as pictures show it."""
    warnings: tuple[str, ...]
    """What its user was told."""
    distortion: Distortion | None = None
    """Of the lens; None: none."""

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        height, width = self.scene.size
        whole_map = 4 * height * width  # what a scene holds that does not say
        return self.small.nbytes + int(getattr(self.scene, "nbytes", whole_map))


@dataclasses.dataclass(slots=True)
class _Entry:
    kept: Kept
    expires: float


class SceneCache:
    """Photos by id, least recently asked first.

    Args:
        most_images: kept at a time.
        most_bytes: kept at a time.
        seconds: a photo is kept after it was last asked.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        most_images: int,
        most_bytes: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_images = most_images
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self.nbytes = 0
        """Of all that is kept."""
        self.evicted = 0
        """Photos that made room for others."""
        self.expired = 0
        """Photos that nobody asked any more."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, kept: Kept) -> str:
        """Keep a photo under a new id that cannot be guessed.

        Raises:
            RefusalError: if it alone is larger than all that may be kept.
        """
        if kept.nbytes > self._most_bytes:
            raise too_large(
                f"the photo's maps take {kept.nbytes / 1e6:.4g} MB and the service keeps "
                f"{self._most_bytes / 1e6:.4g} MB of all photos; post a smaller photo"
            )
        self.forget_expired()
        while self._entries and (
            len(self) >= self._most_images or self.nbytes + kept.nbytes > self._most_bytes
        ):
            self._drop(next(iter(self._entries)))
            self.evicted += 1
        image_id = secrets.token_urlsafe(16)
        self._entries[image_id] = _Entry(kept, self._clock() + self._seconds)
        self.nbytes += kept.nbytes
        return image_id

    def ask(self, image_id: str) -> Kept:
        """The photo of that id, which is kept longer for it.

        Raises:
            RefusalError: if it is not here, or no more.
        """
        entry = self._find(image_id)
        entry.expires = self._clock() + self._seconds
        self._entries.move_to_end(image_id)
        return entry.kept

    def look(self, image_id: str) -> tuple[Kept, float]:
        """The photo of that id and the seconds left to it, which stay as they are.

        Raises:
            RefusalError: as `ask`.
        """
        entry = self._find(image_id)
        return entry.kept, entry.expires - self._clock()

    def remove(self, image_id: str) -> None:
        """Forget a photo.

        Raises:
            RefusalError: as `ask`.
        """
        self._find(image_id)
        self._drop(image_id)

    def forget_expired(self) -> None:
        """Let go of what nobody asked for too long."""
        now = self._clock()
        # What is asked moves to the end with a later end, so the first to expire come first.
        while self._entries and next(iter(self._entries.values())).expires <= now:
            self._drop(next(iter(self._entries)))
            self.expired += 1

    def clear(self) -> None:
        """Let go of everything."""
        self._entries.clear()
        self.nbytes = 0

    def _find(self, image_id: str) -> _Entry:
        self.forget_expired()
        entry = self._entries.get(image_id)
        if entry is None:
            raise unknown_image(image_id)
        return entry

    def _drop(self, image_id: str) -> None:
        self.nbytes -= self._entries.pop(image_id).kept.nbytes
