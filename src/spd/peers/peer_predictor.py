"""The predictor of a published depth model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from spd.errors import InputError
from spd.memory import memory_for, reserved
from spd.peers.processing import NetworkInput, Processing, check_input
from spd.photos.focal import Focal
from spd.photos.peaks import peer_bytes
from spd.photos.reading import RGBImage
from spd.pixels import Size
from spd.scenes.depth_kind import DepthKind
from spd.scenes.photo_predictor import NetworkPhoto, PhotoPredictor
from spd.scenes.scene import PhotoScene


@dataclasses.dataclass(frozen=True, slots=True)
class PeerConfig:
    """Configuration of a published model."""

    model_type: str
    """Model type in transformers."""
    kind: DepthKind
    """Kind of its answers."""
    network: dict[str, Any]
    """Content of `config.json`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return dataclasses.asdict(self)


class PeerScene(PhotoScene):
    """One photo and a network's depth map of its size.

    Whole pixels get the map's own value, other points are interpolated bilinearly, and the border
    is repeated beyond the outermost centres. Values are metres if `kind` is metric, and have no
    scale otherwise.

    Args:
        depth: the map, `[H, W]`.
        kind: kind of its values.
        focal: focal length of the photo, or the network's prediction; else None.
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
        """The network's map at every pixel of the photo; `fast` makes no difference."""
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


class PeerPredictor(PhotoPredictor[PeerScene]):
    """A published depth model with the interface of a predictor.

    Args:
        network: model of transformers.
        processing: preparation of its photos and reading of its maps.
        config: its configuration.
        device: device that computes.
        source: name or path of the model.
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
        what, advice = f"encoding a photo of {size[1]}x{size[0]}", "scale it down"
        with reserved(peer_bytes(size), what, advice), memory_for(what, advice):
            return self._encode_one(pixels, size, focal)

    def _encode_one(self, pixels: RGBImage, size: Size, focal: Focal | None) -> PeerScene:
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
        except MemoryError:
            raise
        except Exception as error:  # processors raise many types for a side that becomes 0
            reason = " ".join(f"{error}".split()) or type(error).__name__
            raise InputError(
                f"cannot preprocess a {size[1]}x{size[0]} photo for "
                f"{self.config.model_type}: {reason}"
            ) from None
        check_input(network_input.pixel_values, size)
        return network_input
