"""A published model's map of one photo, read where somebody asks."""

import numpy as np
from jaxtyping import Float

from spd.photos.focal import Focal
from spd.scenes.depth_kind import DepthKind
from spd.scenes.scene import PhotoScene


class PeerScene(PhotoScene):
    """One photo and the map that a network made of it, as large as the photo.

    At whole pixels an answer is the map's own value; between them it is blended bilinearly, and
    beyond the outermost centres the border is repeated. Numbers are metres if `kind` is metric,
    and without a scale otherwise.

    Args:
        depth: the map, `[H, W]`.
        kind: what its numbers are.
        focal: the photo's focal length, or what the network predicted instead; else None.
    """

    def __init__(
        self, depth: Float[np.ndarray, "h w"], kind: DepthKind, focal: Focal | None
    ) -> None:
        super().__init__((depth.shape[0], depth.shape[1]), focal, kind)
        self._depth = depth

    @property
    def nbytes(self) -> int:
        """Memory held by the map, in bytes."""
        return self._depth.nbytes

    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """The network's map at every pixel of the photo; `fast` or not, it is the same."""
        return self._depth.copy()

    def _ask(self, points: np.ndarray) -> np.ndarray:
        last = np.array(self._depth.shape[::-1]) - 1
        points = points.clip(0, last)
        column, row = np.floor(points).astype(np.int64).T
        right, below = np.minimum(column + 1, last[0]), np.minimum(row + 1, last[1])
        x, y = points[:, 0] - column, points[:, 1] - row
        upper = self._depth[row, column] * (1 - x) + self._depth[row, right] * x
        lower = self._depth[below, column] * (1 - x) + self._depth[below, right] * x
        return (upper * (1 - y) + lower * y).astype(np.float32)
