"""Parameter counts from the configuration alone: sections 3, 4.3, 5.3, 6.9, 9, and v15.1.

Every function gives the table of one part of the model; `sums` of a table is the part's count.
`tests/cost/test_live_counts.py` compares them with the live modules.
"""

from spd.config import PATCH, EncoderConfig, ModelConfig
from spd.cost.table import Table, percent_change


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


def _table(section: str, title: str) -> Table:
    return Table(section, title, "parameters", ("exact",))


def encoder(config: EncoderConfig) -> Table:
    """DINOv2: the stem, the blocks and the final norm (specification, section 3).

    A block has two norms, four attention projections, two LayerScale vectors and the MLP. The
    frozen `mask_token` is in the checkpoint, so it is counted.
    """
    layers, width, hidden = config.layers, config.hidden_size, config.mlp_ratio * config.hidden_size
    positions = (config.position_size_px // PATCH) ** 2 + 1
    attention = 4 * linear(width, width)
    mlp = linear(width, hidden) + linear(hidden, width)
    scales = 2 * norm(width) + 2 * width
    table = _table("3", "Encoder parameters")
    table.add("patch_embedding", "Patch embedding", conv(3, width, kernel=PATCH))
    table.add("class_and_mask_tokens", "Class token and mask token", 2 * width)
    table.add("position_table", "Position embeddings", positions * width)
    table.add("attention", "Attention projections, all blocks", layers * attention)
    table.add("mlp", "MLPs, all blocks", layers * mlp)
    table.add("norms_and_scales", "LayerNorms and LayerScales, all blocks", layers * scales)
    table.add("final_norm", "Final LayerNorm", norm(width))
    table.add_sums("encoder", "Encoder")
    return table


def neck(config: ModelConfig) -> Table:
    """Projections, norms and resizes of the four levels (specification, 4.3)."""
    dim, levels = config.dim, len(config.encoder.taps)
    projections = levels * linear(config.encoder.hidden_size, dim)
    table = _table("4.3", "Neck parameters")
    table.add("projections", "Conv1x1 of the four levels", projections)
    table.add("norms", "LayerNorms", levels * norm(dim))
    table.add("l1_resize", "ConvTranspose 4x4, L1", conv(dim, dim, kernel=4))
    table.add("l2_resize", "ConvTranspose 2x2, L2", conv(dim, dim, kernel=2))
    table.add("l4_resize", "Conv3x3 stride 2, L4", conv(dim, dim, kernel=3))
    table.add_sums("total", "Neck")
    return table


def global_path(config: ModelConfig) -> Table:
    """One RCU and a 1x1 convolution on L4, two RCUs and one on L3 (specification, 5.3)."""
    unit, out = residual_conv_unit(config.dim), linear(config.dim, config.dim)
    table = _table("5.3", "Global path parameters")
    table.add("rcu", "One RCU", unit, times=0)
    table.add("refinenet4", "RCU and Conv1x1 of L4", unit + out)
    table.add("refinenet3", "Two RCUs and Conv1x1 of L3", 2 * unit + out)
    table.add_sums("total", "Global path")
    return table


def stage(config: ModelConfig) -> Table:
    """One cross-attention stage of the local path (specification, 6.9)."""
    dim, hidden = config.dim, config.ffn_ratio * config.dim
    table = _table("6.9", "One stage")
    table.add("q_projection", "Stage 1: Q projection", linear(dim, dim))
    table.add("k_projection", "Stage 1: K projection", linear(dim, dim))
    table.add("v_projection", "Stage 1: V projection", linear(dim, dim))
    table.add("out_projection", "Stage 1: output projection", linear(dim, dim))
    table.add("norms", "Stage 1: LayerNorms", 2 * norm(dim))
    table.add("ffn", "Stage 1: FFN", linear(dim, hidden) + linear(hidden, dim))
    return table


def local_path(config: ModelConfig) -> Table:
    """The cross-attention local path (specification, 6.9)."""
    dim, one_stage = config.dim, stage(config)
    head = linear(dim, config.head_width) + linear(config.head_width, 1)
    table = _table("6.9", "Local path parameters")
    table.add("scale_embedding", "Scale embeddings", 3 * dim)
    table.add("position_embedding", "Position embeddings", config.window**2 * dim)
    table.rows += one_stage.rows
    table.add("stage2", "Stage 2: same structure as stage 1", *one_stage.sums)
    table.add("head", "Depth MLP", head)
    table.add_sums("total", "Local path")
    return table


def local_path_v15_1(config: ModelConfig) -> Table:
    """The convolutional local path: two refinenets and a head that halves the channels."""
    dim, half = config.dim, config.dim // 2
    table = _table("v15.1", "Parameters of the convolutional baseline")
    table.add("rcu", "Each of the four RCUs", residual_conv_unit(dim), times=4)
    table.add("out", "Each of the two Conv1x1", linear(dim, dim), times=2)
    table.add("head.conv1", "Head: first Conv3x3", conv(dim, half, kernel=3))
    table.add("head.conv2", "Head: second Conv3x3", conv(half, half, kernel=3))
    table.add("head.conv3", "Head: Conv1x1", linear(half, 1))
    table.add_sums("total", "Local path")
    return table


def model(config: ModelConfig) -> int | None:
    """Parameters of the whole model; None for a local path without a formula (`bilinear_mlp`)."""
    local_paths = {"cross_attention": local_path, "conv": local_path_v15_1}
    local = local_paths.get(config.local_path)
    if local is None:
        return None
    parts = (encoder(config.encoder), neck(config), global_path(config), local(config))
    return sum(part.sums[0] for part in parts)


def parameter_tables(config: ModelConfig) -> list[Table]:
    """Every table of parameter counts, for this configuration."""
    parts = [encoder(config.encoder), neck(config), global_path(config), local_path(config)]
    backbone, levels, maps, local = (part.sums[0] for part in parts)
    v15_1 = local_path_v15_1(config)
    (local_v15_1,) = v15_1.sums
    decoder, decoder_v15_1 = levels + maps + local, levels + maps + local_v15_1
    local_change = percent_change(local, local_v15_1)
    decoder_change = percent_change(decoder, decoder_v15_1)
    parts[-1].add("change", "Change from v15.1's local path", local_change, unit="percent")
    v15_1.add("decoder", "Decoder", decoder_v15_1, times=0)

    summary = _table("9", "Parameter summary")
    summary.add("encoder", "Encoder", backbone)
    summary.add("neck", "Neck", levels)
    summary.add("global", "Global path", maps)
    summary.add("local", "Local path", local)
    summary.add_sums("total", "Whole model")
    summary.add("decoder", "Decoder: neck, global and local path", decoder)
    summary.add("local_v15_1", "v15.1: local path", local_v15_1)
    summary.add("decoder_v15_1", "v15.1: decoder", decoder_v15_1)
    summary.add("local_change", "Change of the local path", local_change, unit="percent")
    summary.add("decoder_change", "Change of the decoder", decoder_change, unit="percent")
    return [*parts, summary, v15_1]
