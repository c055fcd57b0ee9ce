"""Tables of parameter counts: sections 3, 4.3, 5.3, 6.9 and 9 of the specification, and v15.1."""

from collections.abc import Mapping

from spd.config import ModelConfig
from spd.cost import parameters
from spd.cost.table import Rows, Table

NAMES = {
    "3": {
        "patch_embedding": "Patch embedding",
        "class_and_mask_tokens": "Class token and mask token",
        "position_table": "Position table",
        "attention": "Attention projections, all blocks",
        "mlp": "MLPs, all blocks",
        "norms_and_scales": "LayerNorms and LayerScales, all blocks",
        "final_norm": "Final LayerNorm",
        "encoder": "Encoder",
    },
    "4.3": {
        "projections": "Conv1x1 of the four levels",
        "norms": "LayerNorms",
        "l1_resize": "ConvTranspose 4x4, L1",
        "l2_resize": "ConvTranspose 2x2, L2",
        "l4_resize": "Conv3x3 stride 2, L4",
        "total": "Neck",
    },
    "5.3": {
        "rcu": "One RCU",
        "refinenet4": "RCU and Conv1x1 of L4",
        "refinenet3": "Two RCUs and Conv1x1 of L3",
        "total": "Global path",
    },
    "6.9": {
        "scale_embedding": "Scale embeddings",
        "position_embedding": "Position embeddings",
        "q_projection": "Stage 1: Q projection",
        "k_projection": "Stage 1: K projection",
        "v_projection": "Stage 1: V projection",
        "out_projection": "Stage 1: output projection",
        "norms": "Stage 1: LayerNorms",
        "ffn": "Stage 1: FFN",
        "stage2": "Stage 2, the same structure",
        "head": "Depth MLP",
        "total": "Local path",
    },
    "9": {
        "encoder": "Encoder",
        "neck": "Neck",
        "global": "Global path",
        "local": "Local path",
        "total": "Whole model",
        "decoder": "Decoder: neck, global and local path",
        "local_v15_1": "v15.1: local path",
        "decoder_v15_1": "v15.1: decoder",
    },
    "v15.1": {
        "rcu": "One of four RCUs",
        "out": "One of two Conv1x1",
        "head.conv1": "Head: first Conv3x3",
        "head.conv2": "Head: second Conv3x3",
        "head.conv3": "Head: Conv1x1",
        "total": "Local path",
        "decoder": "Decoder",
    },
}
"""Names of the rows by section and key, in the order of the tables."""
TITLES = {
    "3": "Encoder parameters",
    "4.3": "Neck parameters",
    "5.3": "Global path parameters",
    "6.9": "Local path parameters",
    "9": "Parameter summary",
    "v15.1": "Parameters of the convolutional baseline",
}


def parameter_tables(config: ModelConfig) -> list[Table]:
    """Every table of parameter counts, for this configuration."""
    encoder, neck = parameters.encoder(config.encoder), parameters.neck(config)
    global_path, stage = parameters.global_path(config), parameters.stage(config)
    local, local_v15_1 = parameters.local_path(config), parameters.local_path_v15_1(config)
    unit = parameters.residual_conv_unit(config.dim)
    totals = {
        "encoder": sum(encoder.values()),
        "neck": sum(neck.values()),
        "global": sum(global_path.values()),
        "local": sum(local.values()),
    }
    decoder = totals["neck"] + totals["global"] + totals["local"]
    decoder_v15_1 = totals["neck"] + totals["global"] + sum(local_v15_1.values())
    summary = totals | {
        "total": totals["encoder"] + decoder,
        "decoder": decoder,
        "local_v15_1": sum(local_v15_1.values()),
        "decoder_v15_1": decoder_v15_1,
    }
    out = parameters.linear(config.dim, config.dim)
    local_change = percent_change(totals["local"], summary["local_v15_1"])
    return [
        _table("3", encoder | {"encoder": totals["encoder"]}),
        _table("4.3", neck | {"total": totals["neck"]}),
        _table("5.3", global_path | {"rcu": unit, "total": totals["global"]}),
        _table(
            "6.9",
            local | stage | {"total": totals["local"]},
            {"change": ("Change from v15.1's local path", local_change)},
        ),
        _table(
            "9",
            summary,
            {
                "local_change": ("Change of the local path", local_change),
                "decoder_change": (
                    "Change of the decoder",
                    percent_change(decoder, decoder_v15_1),
                ),
            },
        ),
        _table(
            "v15.1",
            local_v15_1
            | {"rcu": unit, "out": out}
            | {"total": summary["local_v15_1"], "decoder": decoder_v15_1},
        ),
    ]


def _table(
    section: str,
    counts: Mapping[str, int],
    changes: Mapping[str, tuple[str, float]] | None = None,
) -> Table:
    rows = Rows(section, "parameters")
    for key, name in NAMES[section].items():
        rows.add(key, name, counts[key])
    for key, (name, change) in (changes or {}).items():
        rows.add(key, name, change, unit="percent")
    return rows.table(TITLES[section], ["exact"])


def percent_change(new: float, old: float) -> float:
    """How much more (or, negative, less) `new` is than `old`, in percent."""
    return 100 * (new - old) / old
