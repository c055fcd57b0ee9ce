"""Where the two modes of a model give the same metres, in words, to print beside their gap."""

from collections.abc import Mapping
from typing import Any


def agreement(config: Mapping[str, Any], alignment: str) -> str:
    """Words that follow the gap between sparse and dense predictions.

    Args:
        config: the model's configuration; that of an SPD names its local path.
        alignment: the protocol's; each mode is aligned on its own.

    Returns:
        The words, empty for other networks: their points are read from their map.
    """
    if "local_path" not in config:
        return ""
    on_grid = "both agree to 1e-5 m" if alignment == "none" else "both agree before alignment"
    return (
        f"; at the cells of the dense grid {on_grid}, and between them, most of all at depth "
        "edges, the fast map interpolates"
    )
