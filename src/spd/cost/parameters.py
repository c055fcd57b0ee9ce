"""Parameter counts from the configuration alone, term by term.

`tests/cost/test_live_counts.py` compares them with the live modules.
"""

from spd.config import PATCH, EncoderConfig, ModelConfig

Terms = dict[str, int]


def linear(inputs: int, outputs: int) -> int:
    """Weights and bias of a linear layer or a 1x1 convolution."""
    return conv(inputs, outputs, kernel=1)


def conv(inputs: int, outputs: int, kernel: int) -> int:
    """Weights and bias of a square convolution, transposed or not."""
    return inputs * outputs * kernel**2 + outputs


def norm(channels: int) -> int:
    """Scale and shift of a LayerNorm."""
    return 2 * channels


def residual_conv_unit(dim: int) -> int:
    """Two 3x3 convolutions (specification, 5.1)."""
    return 2 * conv(dim, dim, kernel=3)


def encoder(config: EncoderConfig) -> Terms:
    """DINOv2: the stem, the blocks and the final norm (specification, section 3).

    A block has two norms, four attention projections, two LayerScale vectors and the MLP. The
    frozen `mask_token` is in the checkpoint, so it is counted.
    """
    width, hidden = config.hidden_size, config.mlp_ratio * config.hidden_size
    positions = (config.position_size_px // PATCH) ** 2 + 1
    attention = 4 * linear(width, width)
    mlp = linear(width, hidden) + linear(hidden, width)
    return {
        "patch_embedding": conv(3, width, kernel=PATCH),
        "class_and_mask_tokens": 2 * width,
        "position_table": positions * width,
        "attention": config.layers * attention,
        "mlp": config.layers * mlp,
        "norms_and_scales": config.layers * (2 * norm(width) + 2 * width),
        "final_norm": norm(width),
    }


def neck(config: ModelConfig) -> Terms:
    """Projections, norms and resizes of the four levels (specification, 4.3)."""
    levels = len(config.encoder.taps)
    return {
        "projections": levels * linear(config.encoder.hidden_size, config.dim),
        "norms": levels * norm(config.dim),
        "l1_resize": conv(config.dim, config.dim, kernel=4),
        "l2_resize": conv(config.dim, config.dim, kernel=2),
        "l4_resize": conv(config.dim, config.dim, kernel=3),
    }


def global_path(config: ModelConfig) -> Terms:
    """One RCU and a 1x1 convolution on L4, two RCUs and one on L3 (specification, 5.3)."""
    unit, out = residual_conv_unit(config.dim), linear(config.dim, config.dim)
    return {"refinenet4": unit + out, "refinenet3": 2 * unit + out}


def stage(config: ModelConfig) -> Terms:
    """One cross-attention stage of the local path (specification, 6.9)."""
    dim, hidden = config.dim, config.ffn_ratio * config.dim
    projection = linear(dim, dim)
    return {
        "q_projection": projection,
        "k_projection": projection,
        "v_projection": projection,
        "out_projection": projection,
        "norms": 2 * norm(dim),
        "ffn": linear(dim, hidden) + linear(hidden, dim),
    }


def local_path(config: ModelConfig) -> Terms:
    """The cross-attention local path (specification, 6.9)."""
    one_stage = sum(stage(config).values())
    return {
        "scale_embedding": 3 * config.dim,
        "position_embedding": config.window**2 * config.dim,
        "stage1": one_stage,
        "stage2": one_stage,
        "head": linear(config.dim, config.head_width) + linear(config.head_width, 1),
    }


def local_path_v15_1(config: ModelConfig) -> Terms:
    """The convolutional local path: two refinenets and a head that halves the channels."""
    dim, half = config.dim, config.dim // 2
    refinenet = 2 * residual_conv_unit(dim) + linear(dim, dim)
    return {
        "refinenet2": refinenet,
        "refinenet1": refinenet,
        "head.conv1": conv(dim, half, kernel=3),
        "head.conv2": conv(half, half, kernel=3),
        "head.conv3": linear(half, 1),
    }


LOCAL_PATHS = {"cross_attention": local_path, "conv": local_path_v15_1}
"""Formulas by the name of a local path; `bilinear_mlp` has none."""


def model(config: ModelConfig) -> int | None:
    """Parameters of the whole model; None if there is no formula for its local path."""
    local = LOCAL_PATHS.get(config.local_path)
    if local is None:
        return None
    parts = (encoder(config.encoder), neck(config), global_path(config), local(config))
    return sum(total(terms) for terms in parts)


def total(terms: Terms) -> int:
    """Sum of the terms."""
    return sum(terms.values())
