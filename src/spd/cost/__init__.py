"""Parameters and multiply-adds of a model, computed from its configuration alone.

Pure arithmetic: neither torch nor transformers is imported. See `docs/cost.md`.
"""

import json

from spd.config import ModelConfig
from spd.cost.grids import SPECIFICATION_SIZE, Size
from spd.cost.mac_tables import mac_tables as mac_tables
from spd.cost.parameter_tables import parameter_tables as parameter_tables
from spd.cost.table import render, to_json


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
