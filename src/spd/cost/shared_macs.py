"""MACs of encoder, neck and global path, once per image (specification, 10.1).

A MAC is one multiply-add of a matrix product or a convolution. Biases, norms, softmax, activations,
the resize of the position table and the two bilinear resizes of the global path are not counted.
"""

from spd.config import PATCH, ModelConfig
from spd.cost.grids import Grid
from spd.cost.parameters import Terms


def encoder(config: ModelConfig, grid: Grid) -> Terms:
    """MACs of the vision transformer on all patches and the class token."""
    width, layers = config.encoder.hidden_size, config.encoder.layers
    return {
        "patch_embedding": grid.patches * 3 * PATCH**2 * width,
        "qkv_projections": layers * grid.tokens * 3 * width**2,
        "attention": layers * 2 * grid.tokens**2 * width,
        "out_projections": layers * grid.tokens * width**2,
        "mlp": layers * grid.tokens * 2 * config.encoder.mlp_ratio * width**2,
    }


def neck(config: ModelConfig, grid: Grid) -> Terms:
    """MACs of the neck: one kernel per input cell for L1 and L2, per output cell for L4."""
    dim = config.dim
    return {
        "projections": len(config.encoder.taps) * grid.patches * config.encoder.hidden_size * dim,
        "l1_resize": grid.patches * 4**2 * dim**2,
        "l2_resize": grid.patches * 2**2 * dim**2,
        "l4_resize": grid.l4 * 3**2 * dim**2,
    }


def global_path(config: ModelConfig, grid: Grid) -> Terms:
    """MACs of one RCU on L4 and two on L3; each 1x1 convolution follows its upsampling."""
    area = config.dim**2
    unit = 2 * 3**2 * area
    return {
        "refinenet4": grid.l4 * unit + grid.patches * area,
        "refinenet3": grid.patches * 2 * unit + grid.l2 * area,
    }


def shared(config: ModelConfig, grid: Grid) -> int:
    """MACs of everything before the local path."""
    parts = (encoder(config, grid), neck(config, grid), global_path(config, grid))
    return sum(sum(part.values()) for part in parts)
