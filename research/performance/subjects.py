"""The measured networks: SPD, v15.1 and a dense peer, with random weights and inputs."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from research.performance.timing import Effort
from spd.config import PATCH, ModelConfig
from spd.cost import v15_1_macs
from spd.cost.local_macs import arrangements
from spd.cost.shared_macs import Grid, Size, encoder, shared
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

POINTS = 256
"""Points queried in a whole pipeline."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Settings of every process of a run."""

    config: ModelConfig
    """Configuration of the model; random weights cost the same as trained ones."""
    size: Size
    """(height, width) of the images."""
    threads: int
    """Threads of every runtime."""
    effort: Effort
    """How long to measure each case."""

    def enter(self) -> None:
        """Apply the settings in a new process."""
        torch.set_num_threads(self.threads)
        torch.manual_seed(0)

    def model(self, local_path: str = "cross_attention") -> SPD:
        """An SPD in evaluation mode."""
        return SPD(ModelConfig.from_dict(self.config.to_dict() | {"local_path": local_path})).eval()

    def at(self, size: Size) -> "Setup":
        """These settings with images of another size."""
        return dataclasses.replace(self, size=size)

    def image(self) -> Float[Tensor, "1 3 h w"]:
        """A photo of noise in 0..1."""
        return torch.rand(1, 3, *self.size)

    def maps(self) -> FeatureMaps:
        """Maps of noise with the shapes and memory layout that `encode` returns."""
        h, w = (side // PATCH for side in self.size)
        s8, l2, l1 = (torch.randn(1, self.config.dim, n * h, n * w) for n in (2, 2, 4))
        return FeatureMaps(s8, l2, l1, self.size).cells_together()

    def points(self, count: int) -> Float[Tensor, "1 k 2"]:
        """Points `(u, v)` anywhere in the image."""
        height, width = self.size
        return torch.rand(1, count, 2) * torch.tensor([width - 1.0, height - 1.0])


class Peer(nn.Module):
    """Depth Anything V2 with an encoder of the same size: an image in 0..1 to a dense map.

    It is the network of transformers with random weights; it normalises the image, as SPD does.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, attention: str | None = None) -> None:
        super().__init__()
        from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation

        vit = config.encoder
        backbone = {
            "model_type": "dinov2",
            "hidden_size": vit.hidden_size,
            "num_hidden_layers": vit.layers,
            "num_attention_heads": vit.heads,
            "mlp_ratio": vit.mlp_ratio,
            "image_size": vit.position_size_px,
            "patch_size": PATCH,
            "out_indices": [tap + 1 for tap in vit.taps],
            "apply_layernorm": True,
            "reshape_hidden_states": False,
        }
        settings = DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=vit.hidden_size,
        )
        self.network = DepthAnythingForDepthEstimation(settings).eval()
        if attention is not None:  # None: the choice of transformers
            self.network.backbone.set_attn_implementation(attention)
        for name, values in (("mean", _MEAN), ("std", _STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
        """The dense map, at the size of the image."""
        return self.network(pixel_values=(image - self.mean) / self.std).predicted_depth


class EncoderAlone(nn.Module):
    """The vision transformer of an SPD, a lower bound of the time of any network with it."""

    def __init__(self, model: SPD) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        """The tapped tokens."""
        return tuple(self.encoder(image))


def read_dense(dense: Any, points: Any) -> Any:
    """Depths of a dense map `[1, H, W]` at the nearest pixels."""
    u, v = points[0, :, 0].round(), points[0, :, 1].round()
    if isinstance(dense, Tensor):
        return dense[0, v.long(), u.long()]
    return dense[0, v.astype(int), u.astype(int)]


def pipeline_macs(networks: Sequence[str], setup: Setup) -> dict[str, int]:
    """Multiply-adds of matrix products and convolutions, from an image to the queried depths."""
    return {network: _pipeline_macs(network, setup) for network in networks}


def _pipeline_macs(network: str, setup: Setup) -> int:
    grid = Grid(setup.size)
    if network == "encoder":
        return encoder(setup.config, grid).sums[1]
    if network == "peer":
        return _counted(setup)
    once = shared(setup.config, grid).sums[1]
    if network == "v15.1":
        return once + POINTS * v15_1_macs.sparse(setup.config).sums[1]
    each, for_all = arrangements(setup.config, grid)["implemented"]
    return once + for_all + POINTS * each


def _counted(setup: Setup) -> int:
    """Multiply-adds of the peer by torch's counter, with attention as plain products."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad():
        peer, image = Peer(setup.config, attention="eager"), torch.empty(1, 3, *setup.size)
        with FlopCounterMode(display=False) as counter:
            peer(image)
    return counter.get_total_flops() // 2
