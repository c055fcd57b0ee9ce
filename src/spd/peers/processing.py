"""Preparation of a photo for a published network, and its map back in the photo's pixels.

Transformers' own processors (those without torchvision) prepare photos, with the settings
published beside the weights. Reading a map inverts the processor's resizing and padding, so that
every pixel of the photo gets the map's value at that pixel.
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from spd.checkpoints.folder import PREPROCESSOR
from spd.errors import CheckpointError, InputError, reason_of
from spd.files import read_json
from spd.geometry import resize_bicubic, resize_bilinear
from spd.peers.kinds import check_sizes
from spd.photos.reading import RGBImage
from spd.pixels import Size

MAX_INPUT_PX = 1536 * 1536
"""Largest input in pixels: Depth Pro's, the largest of all supported networks."""
_MOST_SIDE_PX = 4096  # largest number in the settings


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkInput:
    """A network's input, and the position of the photo in it."""

    pixel_values: Tensor
    """`[1, 3, h, w]` input of the network."""
    canvas: Size
    """(height, width) of the photo with its padding, before resizing."""
    margin: Size
    """Rows above and columns left of the photo in the canvas."""
    inner: Size
    """(height, width) of the photo in the canvas."""

    def read(self, depth: Tensor, size: Size) -> Tensor:
        """Map `[1, h, w]` of the network as `[H, W]` for the pixels of a photo of `size`."""
        full = resize_bicubic(depth[:, None].float(), self.canvas)
        (top, left), (height, width) = self.margin, self.inner
        full = full[..., top : top + height, left : left + width]
        return (full if self.inner == size else resize_bicubic(full, size))[0, 0]


class Processing(Protocol):
    """Preparation of photos and reading of maps for one model type."""

    def prepare(self, pixels: RGBImage) -> NetworkInput:
        """The network's input for a photo."""

    def read(
        self, output: Any, network_input: NetworkInput, size: Size, focal_px: float | None
    ) -> tuple[Tensor, float | None]:
        """Map of a photo of `size`, and the focal length that the network predicted, if any."""


class _ByProcessor:
    """Photos prepared by a processor of transformers; maps enlarged bicubically."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def _run(self, pixels: RGBImage, **changes: Any) -> Tensor:
        # Name the layout: a photo of three rows could be mistaken for three planes.
        return self._processor(
            pixels, input_data_format="channels_last", return_tensors="pt", **changes
        )["pixel_values"]

    def prepare(self, pixels: RGBImage) -> NetworkInput:
        size = (pixels.shape[0], pixels.shape[1])
        return NetworkInput(self._run(pixels), canvas=size, margin=(0, 0), inner=size)

    def read(
        self, output: Any, network_input: NetworkInput, size: Size, focal_px: float | None
    ) -> tuple[Tensor, float | None]:
        return network_input.read(output.predicted_depth, size), None


class _Dpt(_ByProcessor):
    """DPT and Depth Anything; some pad to whole patches, which transformers does not invert."""

    def prepare(self, pixels: RGBImage) -> NetworkInput:
        multiple = self._processor.size_divisor
        if not (self._processor.do_pad and multiple):
            return super().prepare(pixels)
        values = self._run(pixels, do_pad=False)
        inner = (values.shape[-2], values.shape[-1])
        (top, bottom), (left, right) = (_around(side, multiple) for side in inner)
        values = F.pad(values, (left, right, top, bottom))
        return NetworkInput(values, (values.shape[-2], values.shape[-1]), (top, left), inner)


class _Zoe(_ByProcessor):
    """ZoeDepth: the photo mirrored at its borders, then resized."""

    def prepare(self, pixels: RGBImage) -> NetworkInput:
        size = (pixels.shape[0], pixels.shape[1])
        margin = (0, 0)
        if self._processor.do_pad:
            margin = (_mirrored(size[0]), _mirrored(size[1]))
        canvas = (size[0] + 2 * margin[0], size[1] + 2 * margin[1])
        return NetworkInput(self._run(pixels), canvas, margin, inner=size)


class _DepthPro:
    """Depth Pro, whose own processor needs torchvision.

    The network answers inverse depth for a photo as wide as its focal length. The photo's focal
    length, or else the predicted one, converts it to metres.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        size = settings.get("size", {"height": 1536, "width": 1536})
        self._size: Size = (int(size["height"]), int(size["width"]))
        per_unit = 1.0 / settings.get("rescale_factor", 1 / 255)
        mean, deviation = (settings.get(key, [0.5] * 3) for key in ("image_mean", "image_std"))
        self._mean = torch.tensor(mean, dtype=torch.float32)[:, None, None] * per_unit
        self._deviation = torch.tensor(deviation, dtype=torch.float32)[:, None, None] * per_unit

    def prepare(self, pixels: RGBImage) -> NetworkInput:
        size = (pixels.shape[0], pixels.shape[1])
        values = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float()
        values = ((values - self._mean) / self._deviation)[None]
        return NetworkInput(resize_bilinear(values, self._size), size, margin=(0, 0), inner=size)

    def read(
        self, output: Any, network_input: NetworkInput, size: Size, focal_px: float | None
    ) -> tuple[Tensor, float | None]:
        predicted = None
        if focal_px is None and output.field_of_view is not None:
            half = 0.5 * torch.deg2rad(output.field_of_view.float())
            predicted = float(0.5 * size[1] / torch.tan(half))
        focal = focal_px or predicted
        if focal is None:
            raise InputError(
                "this Depth Pro model does not predict a field of view, so metric depth needs the "
                "photo's focal length; pass focal_px=... (spd query: --focal-px)"
            )
        inverse = resize_bilinear(output.predicted_depth[:, None].float() * (size[1] / focal), size)
        return 1.0 / inverse[0, 0].clamp(1e-4, 1e4), predicted


def open_processing(folder: Path, model_type: str) -> Processing:
    """Processing of a model, from the settings published beside its weights.

    Raises:
        CheckpointError: if the settings are missing, damaged, or of another processor.
    """
    settings = _read_settings(folder / PREPROCESSOR)
    wanted = "DPT" if model_type in ("depth_anything", "dpt") else _NAMES[model_type]
    named = str(settings.get("image_processor_type") or settings.get("feature_extractor_type"))
    if not named.startswith((f"{wanted}ImageProcessor", f"{wanted}FeatureExtractor")):
        raise CheckpointError(
            f"{folder / PREPROCESSOR} is for {named}; {model_type} needs {wanted}ImageProcessor"
        )
    try:
        return _build(wanted, settings)
    except Exception as error:  # transformers raises many types for wrong settings
        raise CheckpointError(
            f"{folder / PREPROCESSOR} has invalid settings ({reason_of(error)})"
        ) from None


def check_input(pixel_values: Tensor, size: Size) -> None:
    """Refuse an input that is too large: some processors keep a photo's size.

    Raises:
        InputError: naming the size to shrink the photo to.
    """
    height, width = pixel_values.shape[-2:]
    if height * width > MAX_INPUT_PX:
        fits = (MAX_INPUT_PX / (height * width)) ** 0.5 * max(size)
        raise InputError(
            f"this model processes photos at full resolution, and {size[1]}x{size[0]} is too large "
            f"for it; resize the photo to {int(fits)} pixels along its longer side"
        )


def _around(side: int, multiple: int) -> tuple[int, int]:
    """Padding of DPT's processor before and after a side, up to a multiple."""
    padding = -side % multiple
    return padding // 2, padding - padding // 2


def _mirrored(side: int) -> int:
    """Mirrored padding of ZoeDepth's processor at either end of a side."""
    return int(math.sqrt(side / 2) * 3)


_NAMES = {"depth_pro": "DepthPro", "glpn": "GLPN", "zoedepth": "ZoeDepth"}


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = read_json(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing, but the model needs its preprocessing settings; download it "
            "from the same place as the weights"
        ) from None
    except (OSError, ValueError):
        settings = None
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} is not a JSON object with image processor settings")
    check_sizes(settings, path, _MOST_SIDE_PX)
    return settings


def _build(wanted: str, settings: Mapping[str, Any]) -> Processing:
    """Import each class from its own module: the short names mean torchvision's classes."""
    if wanted == "DepthPro":
        return _DepthPro(settings)
    if wanted == "GLPN":
        from transformers.models.glpn.image_processing_pil_glpn import GLPNImageProcessorPil

        return _ByProcessor(GLPNImageProcessorPil.from_dict(dict(settings)))
    if wanted == "ZoeDepth":
        from transformers.models.zoedepth.image_processing_pil_zoedepth import (
            ZoeDepthImageProcessorPil,
        )

        return _Zoe(ZoeDepthImageProcessorPil.from_dict(dict(settings)))
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    return _Dpt(DPTImageProcessorPil.from_dict(dict(settings)))
