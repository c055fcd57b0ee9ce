"""The specification's parameter tables: sections 3, 4.3, 5.3, 6.9, 9, and v15.1's."""

from spd.config import ModelConfig
from spd.cost import parameters
from spd.cost.rows import Section, is_specification
from spd.cost.table import Row, Table

COLUMNS = ("exact",)


def parameter_tables(config: ModelConfig) -> list[Table]:
    """Every parameter table of the specification, for this configuration.

    Printed figures stand beside the exact ones where the configuration is the specification's.
    """
    reference = is_specification(config)
    return [
        _encoder(config, Section("3", reference)),
        _neck(config, Section("4.3", reference)),
        _global_path(config, reference),
        _local_path(config, Section("6.9", reference)),
        _summary(config, Section("9", reference)),
        _v15_1(config, Section("v15.1", reference)),
    ]


def _encoder(config: ModelConfig, section: Section) -> Table:
    names = {
        "patch_embedding": "Patch embedding",
        "class_and_mask_tokens": "Class token and mask token",
        "position_table": "Position table",
        "attention": "Attention projections, all blocks",
        "mlp": "MLPs, all blocks",
        "norms_and_scales": "LayerNorms and LayerScales, all blocks",
        "final_norm": "Final LayerNorm",
    }
    terms = parameters.encoder(config.encoder)
    rows = [section.row(key, names[key], "parameters", count) for key, count in terms.items()]
    rows.append(section.row("encoder", "Encoder", "parameters", sum(terms.values())))
    return Table("Encoder parameters", "3", COLUMNS, tuple(rows))


def _neck(config: ModelConfig, section: Section) -> Table:
    names = {
        "projections": "Conv1x1 of the four levels",
        "norms": "LayerNorms",
        "l1_resize": "ConvTranspose 4x4, L1",
        "l2_resize": "ConvTranspose 2x2, L2",
        "l4_resize": "Conv3x3 stride 2, L4",
    }
    terms = parameters.neck(config)
    rows = [section.row(key, names[key], "parameters", count) for key, count in terms.items()]
    rows.append(section.row("total", "Neck", "parameters", sum(terms.values())))
    return Table("Neck parameters", "4.3", COLUMNS, tuple(rows))


def _global_path(config: ModelConfig, reference: bool) -> Table:
    section = Section("5.3", reference)
    terms = parameters.global_path(config)
    unit = parameters.residual_conv_unit(config.dim)
    rows = (
        Section("5.1", reference).row("rcu", "One RCU", "parameters", unit),
        section.row("refinenet4", "RCU and Conv1x1 of L4", "parameters", terms["refinenet4"]),
        section.row("refinenet3", "Two RCUs and Conv1x1 of L3", "parameters", terms["refinenet3"]),
        section.row("total", "Global path", "parameters", sum(terms.values())),
    )
    return Table("Global path parameters", "5.3", COLUMNS, rows)


def _local_path(config: ModelConfig, section: Section) -> Table:
    names = {
        "q_projection": "Stage 1: Q projection",
        "k_projection": "Stage 1: K projection",
        "v_projection": "Stage 1: V projection",
        "out_projection": "Stage 1: output projection",
        "norms": "Stage 1: LayerNorms",
        "ffn": "Stage 1: FFN",
    }
    terms = parameters.local_path(config)
    stage = parameters.stage(config)
    count = sum(terms.values())
    change = percent_change(count, parameters.total(parameters.local_path_v15_1(config)))

    def row(key: str, name: str, value: int) -> Row:
        return section.row(key, name, "parameters", value)

    rows = (
        row("scale_embedding", "Scale embeddings", terms["scale_embedding"]),
        row("position_embedding", "Position embeddings", terms["position_embedding"]),
        *(row(key, names[key], value) for key, value in stage.items()),
        row("stage2", "Stage 2, the same structure", terms["stage2"]),
        row("head", "Depth MLP", terms["head"]),
        row("total", "Local path", count),
        section.row("change", "Change from v15.1's local path", "percent", change),
    )
    return Table("Local path parameters", "6.9", COLUMNS, rows)


def _summary(config: ModelConfig, section: Section) -> Table:
    encoder = parameters.total(parameters.encoder(config.encoder))
    neck = parameters.total(parameters.neck(config))
    global_path = parameters.total(parameters.global_path(config))
    local = parameters.total(parameters.local_path(config))
    local_v15_1 = parameters.total(parameters.local_path_v15_1(config))
    decoder = neck + global_path + local
    decoder_v15_1 = neck + global_path + local_v15_1
    counts = {
        "encoder": ("Encoder", encoder),
        "neck": ("Neck", neck),
        "global": ("Global path", global_path),
        "local": ("Local path", local),
        "total": ("Whole model", encoder + decoder),
        "decoder": ("Decoder: neck, global and local path", decoder),
        "decoder_rounded": ("Decoder, as the text rounds it", decoder),
        "local_v15_1": ("v15.1: local path", local_v15_1),
        "decoder_v15_1": ("v15.1: decoder", decoder_v15_1),
    }
    rows = [section.row(key, name, "parameters", n) for key, (name, n) in counts.items()]
    for key, name, new, old in (
        ("local_change", "Change of the local path", local, local_v15_1),
        ("decoder_change", "Change of the decoder", decoder, decoder_v15_1),
    ):
        rows.append(section.row(key, name, "percent", percent_change(new, old)))
    return Table("Parameter summary", "9", COLUMNS, tuple(rows))


def _v15_1(config: ModelConfig, section: Section) -> Table:
    terms = parameters.local_path_v15_1(config)
    local = parameters.total(terms)
    decoder = (
        local
        + parameters.total(parameters.neck(config))
        + parameters.total(parameters.global_path(config))
    )
    counts = {
        "rcu": ("One of four RCUs", parameters.residual_conv_unit(config.dim)),
        "out": ("One of two Conv1x1", parameters.linear(config.dim, config.dim)),
        "head.conv1": ("Head: first Conv3x3", terms["head.conv1"]),
        "head.conv2": ("Head: second Conv3x3", terms["head.conv2"]),
        "head.conv3": ("Head: Conv1x1", terms["head.conv3"]),
        "total": ("Local path", local),
        "decoder": ("Decoder", decoder),
    }
    rows = tuple(section.row(key, name, "parameters", n) for key, (name, n) in counts.items())
    return Table("Parameters of the convolutional baseline", "v15.1", COLUMNS, rows)


def percent_change(new: float, old: float) -> float:
    """How much more (or, negative, less) `new` is than `old`, in percent."""
    return 100 * (new - old) / old
