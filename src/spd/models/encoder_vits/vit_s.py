"""DINOv2 encoder: four tapped feature maps at one resolution (specification, section 3)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.models.dinov2.configuration_dinov2 import Dinov2Config
from transformers.models.dinov2.modeling_dinov2 import Dinov2Backbone

from spd.config import PATCH, EncoderConfig

# Statistics of ImageNet that DINOv2 was trained with, RGB in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def backbone_config(config: EncoderConfig) -> Dinov2Config:
    """The transformers configuration of an encoder.

    `out_indices` are the taps plus one, because transformers counts the stem as 0. The final
    LayerNorm follows every tap and the class token is dropped (`docs/conventions.md`).
    """
    return Dinov2Config(
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        image_size=config.position_size_px,
        patch_size=PATCH,
        out_indices=[tap + 1 for tap in config.taps],
        apply_layernorm=True,
        reshape_hidden_states=True,
    )


class Encoder(nn.Module):
    """Normalise an RGB image and tap DINOv2 at four blocks.

    The position embeddings are resized as transformers does it: bicubic, by size, no antialiasing.
    `mask_token` belongs to DINOv2's pretraining; it stays in the checkpoint and is frozen.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.backbone = Dinov2Backbone(backbone_config(config))
        self.backbone.embeddings.mask_token.requires_grad_(False)
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            exact = torch.tensor(values, dtype=torch.float32)  # whatever torch's default dtype is
            self.register_buffer(name, exact.view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Four maps `[B, hidden_size, H/14, W/14]`, shallow to deep, of images in 0..1."""
        l1, l2, l3, l4 = self.backbone((images - self.mean) / self.std).feature_maps
        return l1, l2, l3, l4
