"""A published model's map of one photo, read where somebody asks."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError
from spd.geometry import Intrinsics
from spd.peers.kinds import DepthKind
from spd.photos.focal import Focal
from spd.scenes.scene import PhotoScene

if TYPE_CHECKING:
    from spd.scenes.cameras import DistortionLike


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
        super().__init__((depth.shape[0], depth.shape[1]), focal)
        self._depth = depth
        self.kind = kind

    def range_at(
        self,
        points: ArrayLike,
        intrinsics: Intrinsics | None = None,
        distortion: "DistortionLike | None" = None,
    ) -> Float[np.ndarray, " k"]:
        """Distance in metres along the ray to each point, as of any photo.

        Raises:
            InputError: if the numbers are not metres, or no focal length is known.
        """
        if self.kind != "metric":
            raise InputError(f"range needs metres, and this model answers {self.kind}")
        return super().range_at(points, intrinsics, distortion)

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
