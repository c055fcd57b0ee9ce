"""Exported models whose points the compiled kernel queries (`spd.models.kernel`), without torch.

Without a C compiler the export's query graph answers instead.
"""

import numpy as np
from jaxtyping import Float

from spd.config import PATCH
from spd.errors import CheckpointError
from spd.models.kernel.ask import ask
from spd.models.kernel.build import kernel, shape_of, weight_count
from spd.pixels import Size, inside_image
from spd.processes import threads_to_use
from spd.runtimes.engines import Engine, Maps
from spd.runtimes.folder import QUERY_WEIGHTS, ExportFolder


class KernelEngine:
    """An engine that encodes in a runtime and queries in the compiled kernel."""

    def __init__(
        self, runtime: Engine, folder: ExportFolder, weights: np.ndarray, threads: int
    ) -> None:
        self._runtime = runtime
        self._shape = shape_of(folder.config)
        self._weights = weights
        self._threads = threads

    def encode(self, images: Float[np.ndarray, "b 3 h w"]) -> Maps:
        """Encode RGB images in 0..1."""
        return self._runtime.encode(images)

    def query(self, maps: Maps, points: Float[np.ndarray, "b k 2"]) -> Float[np.ndarray, "b k"]:
        """Depth in metres at points in pixels of the encoded images; NaN outside."""
        rows, columns = maps[0].shape[1:3]  # the stride-8 map has two cells per patch
        size: Size = (rows * PATCH // 2, columns * PATCH // 2)
        inside = inside_image(points[..., 0], points[..., 1], size)
        asked = np.where(inside[..., None], points, np.float32(0))
        depth_m = ask(self._shape, self._weights, maps, size, asked, self._threads)
        return np.where(inside, depth_m, np.float32(np.nan))


def with_kernel(engine: Engine, folder: ExportFolder, threads: int | None = None) -> Engine:
    """Let the kernel answer an engine's queries; returns the engine itself without a kernel.

    Raises:
        CheckpointError: if the export's weights for the kernel are missing, truncated, changed or
            not finite.
    """
    if QUERY_WEIGHTS not in folder.digests:
        return engine  # an export of a version without the kernel
    path = folder.file(QUERY_WEIGHTS)
    if isinstance(kernel(shape_of(folder.config)), str):
        return engine
    if path.stat().st_size % 4:
        raise CheckpointError(f"{path} is not a file of float32 numbers; export the model again")
    weights = np.fromfile(path, dtype="<f4").astype(np.float32, copy=False)
    wanted = weight_count(shape_of(folder.config))
    if len(weights) != wanted:
        raise CheckpointError(
            f"{path} contains {len(weights)} numbers, expected {wanted}; export the model again"
        )
    if not np.isfinite(weights).all():
        raise CheckpointError(f"{path} contains non-finite numbers; export the model again")
    return KernelEngine(engine, folder, weights, threads_to_use(threads))
