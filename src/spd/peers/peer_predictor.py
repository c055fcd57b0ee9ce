"""A published depth model that takes photos of any size and answers at the pixels asked."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from spd.errors import InputError
from spd.geometry import Size
from spd.peers.processing import NetworkInput, Processing, check_input
from spd.peers.scene import PeerScene
from spd.photos.focal import Focal
from spd.photos.reading import RGBImage
from spd.scenes.depth_kind import DepthKind
from spd.scenes.photo_predictor import NetworkPhoto, PhotoPredictor


@dataclasses.dataclass(frozen=True, slots=True)
class PeerConfig:
    """Settings, besides the weights, that determine a published model's predictions."""

    model_type: str
    """Its family, as transformers calls it."""
    kind: DepthKind
    """Kind of its predictions: metres, or depth or inverse depth without a scale."""
    network: dict[str, Any]
    """Its `config.json`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return dataclasses.asdict(self)


class PeerPredictor(PhotoPredictor[PeerScene]):
    """A published model behind the door of ours; `kind` says what its numbers are.

    Args:
        network: the model of transformers.
        processing: how its photos are prepared and its maps are read.
        config: what it is.
        device: where to compute.
        source: where its weights come from.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        processing: Processing,
        config: PeerConfig,
        device: torch.device,
        source: str,
    ) -> None:
        super().__init__()
        self._network = network.to(device).eval()
        self._processing = processing
        self._config = config
        self.kind = config.kind
        self.device = device
        self.source = source

    @property
    def config(self) -> PeerConfig:
        """The model's family, kind and `config.json`."""
        return self._config

    def encode_many(self, photos: Sequence[NetworkPhoto]) -> list[PeerScene]:
        """Encode photos one after the other; their inputs may have any sizes."""
        return [self._encode(photo.pixels, photo.focal) for photo in photos]

    def _encode(self, pixels: RGBImage, focal: Focal | None) -> PeerScene:
        size = (pixels.shape[0], pixels.shape[1])
        network_input = self._network_input(pixels, size)
        with torch.inference_mode():
            output = self._network(pixel_values=network_input.pixel_values.to(self.device))
            known_px = None if focal is None else focal.px
            depth, predicted_px = self._processing.read(output, network_input, size, known_px)
        if focal is None and predicted_px is not None:
            focal = Focal.centred(predicted_px, "predicted", size)
        return PeerScene(depth.cpu().numpy(), self.kind, focal)

    def _network_input(self, pixels: RGBImage, size: Size) -> NetworkInput:
        try:
            network_input = self._processing.prepare(pixels)
        except Exception as error:  # processors raise many kinds for a side that becomes nothing
            reason = " ".join(f"{error}".split()) or type(error).__name__
            raise InputError(
                f"a photo of {size[1]}x{size[0]} pixels cannot be prepared for a "
                f"{self.config.model_type}: {reason}"
            ) from None
        check_input(network_input.pixel_values, size)
        return network_input
