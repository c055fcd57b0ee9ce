"""Parameters and multiply-adds of a model, computed from its configuration alone.

Pure arithmetic: neither torch nor transformers is imported. See `docs/cost.md`.
"""

import json

from spd.config import ModelConfig
from spd.cost import local_macs, totals
from spd.cost.parameters import parameter_tables as parameter_tables
from spd.cost.shared_macs import SPECIFICATION_SIZE, Grid, Size, shared
from spd.cost.table import Table, render, to_json
from spd.cost.v15_1_macs import v15_1_table


def mac_tables(config: ModelConfig, size: Size = SPECIFICATION_SIZE) -> list[Table]:
    """Every table of multiply-adds, for this configuration and image size.

    Args:
        config: the model.
        size: (height, width) of the image in pixels.

    Raises:
        InputError: if the encoder cannot take that size; it names the nearest valid sizes.
    """
    grid = Grid(size)
    before = shared(config, grid)
    return [
        before,
        local_macs.sparse(config),
        local_macs.dense(config, grid),
        totals.arrangements_table(config, grid),
        totals.table_by_queries(config, grid, before.sums[0]),
        totals.table_against_v15_1(config, grid, before.sums[0]),
        totals.memory_table(config, grid),
        v15_1_table(config, grid, before.sums[0]),
    ]


def cost_command(
    config: ModelConfig | None = None, size: Size = SPECIFICATION_SIZE, as_json: bool = False
) -> str:
    """The output of `spd cost`, without the last line break.

    Args:
        config: the model; by default the specification's.
        size: (height, width) of the image in pixels.
        as_json: JSON with the configuration and the size instead of tables.

    Raises:
        InputError: if the encoder cannot take that size.
    """
    config = config or ModelConfig()
    tables = [*parameter_tables(config), *mac_tables(config, size)]
    if not as_json:
        height, width = size
        title = f"Cost of SPD at {height}x{width} (height x width), D = {config.dim}"
        return f"{title}\n\n{render(tables).rstrip()}"
    data = {"config": config.to_dict(), "image_size": list(size), **to_json(tables)}
    return json.dumps(data, indent=2, ensure_ascii=False)
