"""Global path: fuse L4 and L3 into the stride-8 map, once per image (specification, section 5)."""

from jaxtyping import Float
from torch import Tensor, nn

from spd.geometry import resize_bilinear
from spd.pixels import Size


class ResidualConvUnit(nn.Module):
    """`RCU(x) = x + Conv3x3(GELU(Conv3x3(GELU(x))))` (specification, 5.1)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, dim, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(dim, dim, kernel_size=3, padding=1)
        self.activation = nn.GELU()

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Apply the unit; the shape stays the same."""
        hidden = self.conv1(self.activation(x))
        return x + self.conv2(self.activation(hidden))


class GlobalPath(nn.Module):
    """refinenet4 and refinenet3 of a DPT head (specification, 5.2).

        r4           = Conv1x1(up(RCU(L4)))                to L3's size
        stride_8_map = Conv1x1(up(RCU(RCU(L3) + r4)))      to L2's size

    `up` resizes bilinearly to the size of the next map, not by a factor of 2: an L3 of 25x34 has an
    L4 of 13x17, whose double (26x34) would not fit.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.rcu_l4 = ResidualConvUnit(dim)
        self.out_l4 = nn.Conv2d(dim, dim, kernel_size=1)
        self.rcu_l3 = ResidualConvUnit(dim)
        self.rcu_merge = ResidualConvUnit(dim)
        self.out_l3 = nn.Conv2d(dim, dim, kernel_size=1)

    def forward(
        self, l3: Float[Tensor, "b d h w"], l4: Float[Tensor, "b d h28 w28"], out_size: Size
    ) -> Float[Tensor, "b d h8 w8"]:
        """The stride-8 map at `out_size`, which is L2's."""
        size_l3: Size = (l3.shape[-2], l3.shape[-1])
        r4 = self.out_l4(resize_bilinear(self.rcu_l4(l4), size_l3))
        merged = self.rcu_merge(self.rcu_l3(l3) + r4)
        return self.out_l3(resize_bilinear(merged, out_size))
