"""The predictor of an exported model: photos in, metres out, without torch.

In float32, an export for any size gives the depths of `Predictor` to float32 rounding. An export
for one size pads smaller photos to it.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spd.config import PATCH, ModelConfig
from spd.errors import CheckpointError, InputError
from spd.photos.focal import Focal
from spd.photos.plan import ImagePlan
from spd.photos.reading import RGBImage, resample
from spd.pixels import MAX_INPUT_PIXELS, Size, lattice, read_lattice, side_centres
from spd.runtimes.engines import Engine, Maps, open_engine
from spd.runtimes.folder import EXPORT, MAP_NAMES, ExportFolder
from spd.runtimes.kernel_engine import with_kernel
from spd.scenes.photo_predictor import NetworkPhoto, PlannedPredictor, plans_of
from spd.scenes.reloading import Source
from spd.scenes.scene import PhotoScene


class RuntimeScene(PhotoScene):
    """One photo, encoded by an export."""

    def __init__(self, engine: Engine, maps: Maps, size: Size, plan: ImagePlan) -> None:
        super().__init__(size, plan.focal, plan=plan)
        self._plan = plan
        self._engine = engine
        self._maps = maps
        self._encoded_by: RuntimePredictor | None = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle the encoded photo and the model's source, not the loaded model."""
        if self._encoded_by is None or self._encoded_by.origin is None:
            return super().__reduce_ex__(protocol)
        return RuntimePredictor.restore_scene, (self._encoded_by.origin, self._maps, self._plan)

    @property
    def nbytes(self) -> int:
        """Memory held by the maps, in bytes."""
        return sum(feature_map.nbytes for feature_map in self._maps)

    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """Depth in metres at every pixel: `depth_map()[v, u] == depth_at([(u, v)])[0]`.

        Args:
            fast: query the centres of L1's cells and resize that grid bilinearly instead of
                querying every pixel; `docs/evaluation.md` reports the difference.
        """
        if not fast:
            return self._every_pixel()
        with self._memory_for_map():
            return self._fast_map()

    def _fast_map(self) -> Float[np.ndarray, "h w"]:
        (rows, columns), model_size = self._maps[2].shape[1:3], self._plan.model_size
        cells = lattice(side_centres(columns, model_size[1]), side_centres(rows, model_size[0]))
        grid_m = self._engine.query(self._maps, cells.astype(np.float32)[None])
        grid_m = grid_m.reshape(rows, columns)
        full_m = read_lattice(
            grid_m, side_centres(model_size[0], rows), side_centres(model_size[1], columns)
        )
        asked = (self._plan.to_model(np.arange(pixels)) for pixels in self.size)
        return read_lattice(full_m, *asked) * np.float32(self._plan.depth_factor)

    def _ask(self, points: np.ndarray) -> np.ndarray:
        seen = self._plan.to_model(points).astype(np.float32)
        return self._engine.query(self._maps, seen[None])[0] * np.float32(self._plan.depth_factor)


class RuntimePredictor(PlannedPredictor[RuntimeScene]):
    """An exported model that takes photos.

    Args:
        folder: the export.
        engine: the loaded graphs.
        device: device, runtime and precision, for messages and reports.
        source: name of the model, for messages and reports.
        runtime: `onnxruntime` or `openvino`, to predict the memory of encoding.
    """

    def __init__(
        self,
        folder: ExportFolder,
        engine: Engine,
        device: str,
        source: str,
        runtime: str = "onnxruntime",
    ) -> None:
        super().__init__()
        self._runtime = runtime
        self._folder = folder
        self._engine = engine
        self.device = device
        self.source = source
        self.training_median_m = folder.training_median_m

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self._folder.config

    @property
    def image_size(self) -> Size | None:
        """(height, width) of the encoder's input; None: any."""
        return self._folder.image_size

    def encode_many(self, photos: Sequence[NetworkPhoto]) -> list[RuntimeScene]:
        """Encode photos whose inputs have the same size (`plan.model_size`) in one batch.

        Raises:
            CheckpointError: if the graph fails, or its maps are not those of the model.
        """
        with self._memory_for(photos, self._runtime):
            images = np.concatenate([as_input(photo.pixels) for photo in photos])
            maps = self._engine.encode(images)
        self._check_maps(maps, images)
        return [self._scene(_one_of(maps, n), plan) for n, plan in enumerate(plans_of(photos))]

    @staticmethod
    def restore_scene(source: Source, maps: Maps, plan: ImagePlan) -> RuntimeScene:
        """Restore a pickled scene with the model of its source."""
        predictor: RuntimePredictor = source.shared()
        return predictor._scene(maps, plan)

    def _scene(self, maps: Maps, plan: ImagePlan) -> RuntimeScene:
        scene = RuntimeScene(self._engine, maps, plan.photo_size, plan)
        scene._encoded_by = self
        return scene

    def _check_maps(self, maps: Maps, images: Float[np.ndarray, "b 3 h w"]) -> None:
        count, _, height, width = images.shape
        for name, one, cells in zip(MAP_NAMES, maps, (2, 2, 4), strict=True):
            rows, columns = (cells * side // PATCH for side in (height, width))
            expected = (count, rows, columns, self.config.dim)
            if one.dtype != np.float32 or one.shape != expected:
                raise CheckpointError(
                    f"{self._folder.path} encodes {name} as {one.dtype} {list(one.shape)}, but its "
                    f"configuration makes it float32 {list(expected)}; export the model again"
                )

    def _plan(self, size: Size, focal: Focal | None) -> ImagePlan:
        return plan_for(self._folder, size, focal, self.limits.max_input_pixels)


def open_export(
    folder: str | Path | ExportFolder,
    runtime: str = "onnxruntime",
    precision: str = "float32",
    threads: int | None = None,
    source: str | None = None,
) -> RuntimePredictor:
    """Open a folder that `spd export onnx` wrote.

    Args:
        folder: the folder, its `export.json`, or the export as read.
        runtime: `onnxruntime` or `openvino`.
        precision: precision of the encoder: `float32`; `bfloat16` (OpenVINO, on CPUs that have it);
            `int8` where it was exported.
        threads: number of CPU threads; by default `OMP_NUM_THREADS`, else one per usable CPU.
        source: name of the model, for messages and reports; by default the folder.

    Raises:
        CheckpointError: if a file is missing, truncated, changed, or of another version.
        ConfigError: if the runtime cannot compute that precision here.
        MissingExtraError: if the runtime is not installed.
    """
    export = folder if isinstance(folder, ExportFolder) else ExportFolder.read(folder)
    engine = with_kernel(open_engine(export, runtime, precision, threads), export, threads)
    device = f"cpu, {runtime} {precision}"
    predictor = RuntimePredictor(export, engine, device, source or str(export.path), runtime)
    path = export.path.absolute()
    load = functools.partial(open_export, path, runtime, precision, threads, predictor.source)
    predictor.loaded_from(Source.of(load, path / EXPORT))
    return predictor


def plan_for(
    folder: ExportFolder,
    size: Size,
    focal: Focal | float | None,
    max_input_pixels: int = MAX_INPUT_PIXELS,
) -> ImagePlan:
    """Resampling plan for a photo of `size` and this export.

    Raises:
        InputError: if the photo needs a larger input than was exported, or the exported size is
            larger than `max_input_pixels`.
    """
    plan = ImagePlan.make(size, folder.config.camera, focal, max_input_pixels)
    folder.check_size(plan.model_size, size)
    if folder.image_size is not None and math.prod(folder.image_size) > max_input_pixels:
        rows, columns = folder.image_size
        raise InputError(
            f"{folder.path} was exported for {rows} rows and {columns} columns, more than the "
            f"{max_input_pixels / 1e6:g} megapixels allowed; raise --max-input-megapixels "
            "(spd.load: max_input_megapixels), or export for a smaller size"
        )
    return dataclasses.replace(plan, model_size=folder.image_size or plan.model_size)


def network_input(pixels: RGBImage, plan: ImagePlan) -> Float[np.ndarray, "1 3 h w"]:
    """The encoder's input of a photo: RGB in 0..1, channels first, borders repeated."""
    return as_input(resample(pixels, plan.scale, plan.model_size))


def as_input(resampled: RGBImage) -> Float[np.ndarray, "1 3 h w"]:
    """The encoder's input of resampled pixels: RGB in 0..1, channels first."""
    return np.ascontiguousarray(resampled.transpose(2, 0, 1)[None], dtype=np.float32) / 255


def _one_of(maps: Maps, number: int) -> Maps:
    """Maps of one image, copied: a view would keep the whole batch in memory."""
    if len(maps[0]) == 1:
        return maps
    s8, l2, l1 = (feature_map[number : number + 1].copy() for feature_map in maps)
    return s8, l2, l1
