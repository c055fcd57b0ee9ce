"""A published depth model that takes photos of any size and answers at the pixels asked."""

import dataclasses
from typing import Any

import torch

from spd.errors import InputError
from spd.focal import Focal, IntrinsicsLike, choose_focal
from spd.geometry import Size
from spd.images import Channels, ImageLike, RGBImage, read_photo
from spd.peers.kinds import DepthKind
from spd.peers.processing import Prepared, Processing, check_input
from spd.peers.scene import PeerScene


@dataclasses.dataclass(frozen=True, slots=True)
class PeerConfig:
    """What decides a published model's answers, beside its weights."""

    model_type: str
    """Its family, as transformers calls it."""
    kind: DepthKind
    """What its numbers are."""
    network: dict[str, Any]
    """Its `config.json`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return dataclasses.asdict(self)


class PeerPredictor:
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
        self._network = network.to(device).eval()
        self._processing = processing
        self.config = config
        self.device = device
        self.source = source

    @property
    def kind(self) -> DepthKind:
        """Whether it answers metres, or numbers without a scale."""
        return self.config.kind

    def encode(
        self,
        image: ImageLike,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        intrinsics: IntrinsicsLike | None = None,
        channels: Channels = "rgb",
    ) -> PeerScene:
        """Read a photo and run the network once.

        Args:
            image: a path, bytes, an open file, a PIL image, an array or a tensor
                (`spd.images.read_photo`).
            focal_px: the photo's focal length in its own pixels. Depth Pro's metres follow it;
                the other models do not know it, and only `range_at` needs it. Where nothing is
                given the file's EXIF is taken.
            fov_deg: instead, its field of view along the longer side, in degrees.
            intrinsics: instead, its whole camera, or the 3x3 matrix of it.
            channels: order of an array's or tensor's channels; "bgr" is OpenCV's.

        Raises:
            InputError: if the image cannot be read or prepared, more than one of `focal_px`,
                `fov_deg` and `intrinsics` is given or it cannot be, or the model can say no metres
                without it.
        """
        photo = read_photo(image, channels=channels)
        focal = choose_focal(
            photo.size,
            photo.exif_focal_px,
            focal_px=focal_px,
            fov_deg=fov_deg,
            intrinsics=intrinsics,
        )
        size, known_px = photo.size, None if focal is None else focal.px
        prepared = self._prepare(photo.pixels, size)
        with torch.inference_mode():
            output = self._network(pixel_values=prepared.pixel_values.to(self.device))
            depth, predicted_px = self._processing.read(output, prepared, size, known_px)
        if focal is None and predicted_px is not None:
            focal = Focal.centred(predicted_px, "predicted", size)
        return PeerScene(depth.cpu().numpy(), self.kind, focal)

    def _prepare(self, pixels: RGBImage, size: Size) -> Prepared:
        try:
            prepared = self._processing.prepare(pixels)
        except Exception as error:  # processors raise many kinds for a side that becomes nothing
            reason = " ".join(f"{error}".split()) or type(error).__name__
            raise InputError(
                f"a photo of {size[1]}x{size[0]} pixels cannot be prepared for a "
                f"{self.config.model_type}: {reason}"
            ) from None
        check_input(prepared.pixel_values, size)
        return prepared
