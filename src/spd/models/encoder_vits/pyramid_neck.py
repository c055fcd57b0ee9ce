"""Projection neck: encoder features to a pyramid of D channels (specification, section 4)."""

from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels at every position of a `[B, C, h, w]` map."""

    def forward(self, feature_map: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise the channels of each position."""
        return super().forward(feature_map.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PyramidNeck(nn.Module):
    """`L_i = resize_i(LN(Conv1x1(F_i)))` for four encoder maps `F_i` of one resolution h x w.

    | level | resize                          | output          |
    |-------|---------------------------------|-----------------|
    | L1    | transposed 4x4, stride 4        | [B, D, 4h, 4w]  |
    | L2    | transposed 2x2, stride 2        | [B, D, 2h, 2w]  |
    | L3    | none                            | [B, D, h, w]    |
    | L4    | 3x3, stride 2, padding 1        | [B, D, ⌈h/2⌉, ⌈w/2⌉] |
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, dim = config.encoder.hidden_size, config.dim
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, dim, kernel_size=1), ChannelNorm(dim))
            for _ in config.encoder.taps
        )
        self.resizes = nn.ModuleList(
            [
                nn.ConvTranspose2d(dim, dim, kernel_size=4, stride=4),
                nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2),
                nn.Identity(),
                nn.Conv2d(dim, dim, kernel_size=3, stride=2, padding=1),
            ]
        )

    def forward(
        self, features: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(L1, L2, L3, L4) from the encoder's taps, shallow to deep."""
        l1, l2, l3, l4 = (
            resize(project(feature))
            for feature, project, resize in zip(
                features, self.projections, self.resizes, strict=True
            )
        )
        return l1, l2, l3, l4
