"""MACs of what is paid once per image: encoder, neck, global path (specification, 10.1).

A MAC is one multiply-add. Counted are matrix products and convolutions; biases, norms, softmax,
activations, the resize of the position table and the global path's two bilinear resizes are not.
"""

from spd.config import PATCH, ModelConfig
from spd.cost.grids import Grid
from spd.cost.parameters import Terms


def encoder(config: ModelConfig, grid: Grid) -> Terms:
    """The vision transformer on all patches and the class token.

    Each block projects every token four times, compares every token with every token, mixes
    their values, and runs the MLP.
    """
    width, layers = config.encoder.hidden_size, config.encoder.layers
    return {
        "patch_embedding": grid.patches * 3 * PATCH**2 * width,
        "qkv_projections": layers * grid.tokens * 3 * width**2,
        "attention": layers * 2 * grid.tokens**2 * width,
        "out_projections": layers * grid.tokens * width**2,
        "mlp": layers * grid.tokens * 2 * config.encoder.mlp_ratio * width**2,
    }


def neck(config: ModelConfig, grid: Grid) -> Terms:
    """Projections per patch, then one kernel per input cell (L1, L2) or output cell (L4)."""
    dim = config.dim
    return {
        "projections": len(config.encoder.taps) * grid.patches * config.encoder.hidden_size * dim,
        "l1_resize": grid.patches * 4**2 * dim**2,
        "l2_resize": grid.patches * 2**2 * dim**2,
        "l4_resize": grid.l4 * 3**2 * dim**2,
    }


def global_path(config: ModelConfig, grid: Grid) -> Terms:
    """One RCU on L4's cells and two on L3's; each 1x1 convolution after its upsampling."""
    area = config.dim**2
    unit = 2 * 3**2 * area
    return {
        "refinenet4": grid.l4 * unit + grid.patches * area,
        "refinenet3": grid.patches * 2 * unit + grid.l2 * area,
    }


def shared(config: ModelConfig, grid: Grid) -> int:
    """Everything before the local path."""
    parts = (encoder(config, grid), neck(config, grid), global_path(config, grid))
    return sum(sum(part.values()) for part in parts)
