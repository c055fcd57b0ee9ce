"""The predictor of an SPD in torch: photos in, metres out, in pixels of the photo.

p = spd.load("runs/rooms")
scene = p.encode("room.jpg")                    # runs the encoder, once a photo
scene.depth_at([(320, 240), (15.5, 200.25)])    # metres; (u, v), integers are pixel centres
scene.depth_map()                               # [H, W] metres
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spd.checkpoints.checkpoint import load_checkpoint
from spd.config import ModelConfig
from spd.geometry import resize_bilinear
from spd.memory import memory_for
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.photos.plan import ImagePlan as ImagePlan
from spd.pixels import Size, read_lattice
from spd.predictors.devices import choose_device
from spd.scenes.photo_predictor import NetworkPhoto, PlannedPredictor, plans_of
from spd.scenes.reloading import Source
from spd.scenes.scene import PhotoScene

if TYPE_CHECKING:  # at run time it imports other models of transformers
    from spd.peers.kinds import Peer
    from spd.peers.peer_predictor import PeerPredictor


class Scene(PhotoScene):
    """One photo, encoded by torch."""

    def __init__(self, model: SPD, maps: FeatureMaps, size: Size, plan: ImagePlan) -> None:
        super().__init__(size, plan.focal, plan=plan)
        self._plan = plan
        self._model = model
        self._maps = maps
        self._encoded_by: Predictor | None = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle the encoded photo and the model's source, not the loaded model."""
        if self._encoded_by is None or self._encoded_by.origin is None:
            return super().__reduce_ex__(protocol)
        # As arrays, because tensors are sent through files that are deleted with this process.
        maps = [one.float().cpu().numpy() for one in self._maps.maps]
        return Predictor.restore_scene, (
            self._encoded_by.origin, maps, self._maps.image_size, self._plan,
        )  # fmt: skip

    @property
    def nbytes(self) -> int:
        """Memory held by the maps, in bytes."""
        return self._maps.nbytes

    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """Depth in metres at every pixel: `depth_map()[v, u] == depth_at([(u, v)])[0]`.

        Args:
            fast: evaluate the dense grid and resize it bilinearly instead of querying every pixel;
                `docs/evaluation.md` reports the difference.
        """
        if not fast:
            return self._every_pixel()
        with self._memory_for_map(), torch.inference_mode():
            return self._fast_map()

    def _fast_map(self) -> Float[np.ndarray, "h w"]:
        height, width = self.size
        advice = "free some, or query points, or every pixel (fast=False)"
        with memory_for(f"the {height}x{width} depth map", advice):
            full = resize_bilinear(self._model.dense(self._maps), self._maps.image_size)
        rows, columns = (self._plan.to_model(np.arange(pixels)) for pixels in (height, width))
        depth_m = read_lattice(full[0, 0].float().cpu().numpy(), rows, columns)
        return depth_m * np.float32(self._plan.depth_factor)

    def _ask(self, points: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            depth_m = self._model.query(self._maps, self._to_model(points)[None])[0]
        return depth_m.float().cpu().numpy() * np.float32(self._plan.depth_factor)

    def _to_model(self, points: np.ndarray) -> Tensor:
        """Points in pixels of the network's input, on the model's device."""
        return torch.from_numpy(self._plan.to_model(points)).to(self._maps.l1.device, torch.float32)


class Predictor(PlannedPredictor[Scene]):
    """An SPD in torch that takes photos of any size."""

    def __init__(
        self,
        model: SPD,
        device: torch.device,
        source: str,
        training_median_m: float | None = None,
    ) -> None:
        super().__init__()
        self._model = model.to(device).eval()
        self.device = device
        self.source = source
        self.training_median_m = training_median_m

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self._model.config

    def encode_many(self, photos: Sequence[NetworkPhoto]) -> list[Scene]:
        """Encode photos whose inputs have the same size (`plan.model_size`) in one batch."""
        pixels = np.stack([photo.pixels for photo in photos])
        count, height, width, _ = pixels.shape
        what = f"encoding {count} image(s) of {height}x{width} on {self.device}"
        advice = "free some, or crop the photo"
        with self._memory_for(photos, "torch"), torch.inference_mode(), memory_for(what, advice):
            tensor = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
            maps = self._model.encode(tensor.to(self._model.dtype) / 255)
            return [self._scene(maps.of_image(n), plan) for n, plan in enumerate(plans_of(photos))]

    @staticmethod
    def restore_scene(
        source: Source, arrays: Sequence[np.ndarray], image_size: Size, plan: ImagePlan
    ) -> Scene:
        """Restore a pickled scene with the model of its source."""
        predictor: Predictor = source.shared()
        model = predictor._model
        s8, l2, l1 = (torch.from_numpy(one).to(predictor.device, model.dtype) for one in arrays)
        return predictor._scene(FeatureMaps(s8, l2, l1, image_size).cells_together(), plan)

    def _scene(self, maps: FeatureMaps, plan: ImagePlan) -> Scene:
        scene = Scene(self._model, maps, plan.photo_size, plan)
        scene._encoded_by = self
        return scene


def open_torch(
    folder: Path, peer: "Peer | None", source: str, device: str | torch.device | None = None
) -> "Predictor | PeerPredictor":
    """A predictor that computes with torch.

    Args:
        folder: folder of the checkpoint.
        peer: published depth model in that folder; None for an SPD.
        source: name of the model, for messages and reports.
        device: device; by default CUDA or MPS where present, else the CPU.

    Raises:
        CheckpointError: if no usable checkpoint is found.
        ConfigError: if this machine has no such device.
    """
    chosen = choose_device(device)
    if peer is not None:
        from spd.peers.loading import load_peer  # imports other models of transformers

        return load_peer(peer, chosen, source)
    model, about = load_checkpoint(folder)
    return Predictor(model, chosen, source, about.get("training_median_m"))
