"""Depth in the form of transformers' depth-estimation pipeline, for code that expects that.

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
    """`[H, W]` metres along the viewing direction, float32 on the CPU, as large as the photo."""
    depth: Image.Image
    """Depth as 16-bit grey (mode `I;16`), in millimetres unless other steps were requested."""


class DepthPipeline:
    """Called with a photo it gives its depth; called with a list of photos, a list.

    It differs from transformers' pipeline in its picture: theirs has 8 bits and is stretched from
    each photo's nearest to its farthest, so it says no metres, and no two photos compare.

    Args:
        predictor: what `spd.load` gives.
        steps_per_metre: of the picture; 1000 is millimetres and holds 65 m, 256 holds 255 m.

    Raises:
        InputError: if the model answers no metres.
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
        """The depth of a photo, or of each of a list of them, one after the other.

        Args:
            inputs: a photo as `encode` takes it, or a list; links are not fetched.
            camera: `focal_px`, `fov_deg` or `intrinsics`, and `channels`, as for `encode`, of all
                of them.

        Raises:
            InputError: as `encode`, or if depths do not fit the picture.
        """
        if isinstance(inputs, list):
            return [self._estimate(image, camera) for image in inputs]
        return self._estimate(inputs, camera)

    @missing_extras_named()
    def _estimate(self, image: ImageLike, camera: dict[str, Any]) -> Estimate:
        import torch

        # The network's own map, enlarged: asking every pixel takes minutes on a CPU.
        depth_m = self.predictor.encode(image, **camera).depth_map(fast=True)
        steps = to_steps(
            depth_m, self.steps_per_metre, what="depth", remedy="steps_per_metre=256 holds 255 m"
        )
        return {"predicted_depth": torch.from_numpy(depth_m), "depth": Image.fromarray(steps)}


def pipeline(
    model: str | None = None, *, steps_per_metre: float = STEPS_PER_METRE, **loaded: Any
) -> DepthPipeline:
    """`spd.load`, and its answers in the form of transformers' depth-estimation pipeline.

    Args:
        model: as for `spd.load`; None is the model that comes with the package.
        steps_per_metre: of the picture `depth`.
        loaded: `device`, `runtime`, `precision` and `calibration` of `spd.load`.

    Raises:
        CheckpointError: as `spd.load`.
        ConfigError: likewise.
        InputError: likewise, or if the model answers no metres.
    """
    return DepthPipeline(load(model, **loaded), steps_per_metre)
