"""Depth in the output format of transformers' depth-estimation pipeline.

estimate = spd.pipeline("somebody/model")
found = estimate("photo.jpg", focal_px=519.0)
found["predicted_depth"]           # [H, W] tensor, metres, as large as the photo
found["depth"].save("depth.png")   # 16-bit grey, millimetres
"""

from typing import TYPE_CHECKING, Any, TypedDict, overload

from PIL import Image

from spd.errors import missing_extras_named
from spd.outputs.steps import STEPS_PER_METRE, to_steps
from spd.photos.reading import ImageLike
from spd.predictors.loading import load
from spd.scenes.depth_kind import refuse_relative

if TYPE_CHECKING:  # at run time this loads torch
    import torch

    from spd.predictors.model_options import AnyPredictor


class Estimate(TypedDict):
    """Depth of one photo."""

    predicted_depth: "torch.Tensor"
    """`[H, W]` depth in metres (camera z), float32 on the CPU, of the photo's size."""
    depth: Image.Image
    """Depth as 16-bit grey (mode `I;16`), in millimetres by default."""


class DepthPipeline:
    """A callable that maps a photo to its depth, or a list of photos to a list.

    Its picture differs from transformers': theirs has 8 bits and is scaled to the range of each
    photo, so it has no unit and pictures of two photos cannot be compared.

    Args:
        predictor: a predictor from `spd.load`.
        steps_per_metre: unit of the picture; 1000 is millimetres, up to 65 m; 256 reaches 255 m.

    Raises:
        InputError: if the model is relative.
    """

    def __init__(self, predictor: "AnyPredictor", steps_per_metre: float = STEPS_PER_METRE) -> None:
        refuse_relative(predictor.kind, predictor.source)
        self.predictor = predictor
        self.steps_per_metre = steps_per_metre

    @overload
    def __call__(self, inputs: "list[ImageLike]", **camera: Any) -> list[Estimate]: ...

    @overload
    def __call__(self, inputs: ImageLike, **camera: Any) -> Estimate: ...

    def __call__(
        self, inputs: "ImageLike | list[ImageLike]", **camera: Any
    ) -> Estimate | list[Estimate]:
        """Depth of a photo, or of each photo of a list.

        Args:
            inputs: a photo as `encode` takes it, or a list; URLs are not fetched.
            camera: `focal_px`, `fov_deg` or `intrinsics`, and `channels` of `encode`, for all.

        Raises:
            InputError: as `encode`, or if depths do not fit the picture.
        """
        if isinstance(inputs, list):
            return [self._estimate(image, camera) for image in inputs]
        return self._estimate(inputs, camera)

    @missing_extras_named()
    def _estimate(self, image: ImageLike, camera: dict[str, Any]) -> Estimate:
        import torch

        # The resized dense map: querying every pixel takes minutes on a CPU.
        depth_m = self.predictor.encode(image, **camera).depth_map(fast=True)
        steps = to_steps(
            depth_m, self.steps_per_metre, what="depth", remedy="steps_per_metre=256 reaches 255 m"
        )
        return {"predicted_depth": torch.from_numpy(depth_m), "depth": Image.fromarray(steps)}


def pipeline(
    model: str | None = None, *, steps_per_metre: float = STEPS_PER_METRE, **loaded: Any
) -> DepthPipeline:
    """Load a model, in the form of transformers' depth-estimation pipeline.

    Args:
        model: path or hub id of the model; None is the shipped model.
        steps_per_metre: unit of the picture `depth`.
        loaded: `device`, `runtime`, `precision` and `calibration` of `spd.load`.

    Raises:
        CheckpointError: as `spd.load`.
        ConfigError: as `spd.load`.
        InputError: as `spd.load`, or if the model is relative.
    """
    return DepthPipeline(load(model, **loaded), steps_per_metre)
