"""Registry of the local paths: the name in a configuration, and the class (`local_path.py`)."""

from collections.abc import Callable

from spd.config import ModelConfig
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.decoder.local_bilinear import BilinearPath
from spd.models.decoder.local_conv import ConvPath
from spd.models.decoder.local_path import LocalPath

LOCAL_PATHS: dict[str, Callable[[ModelConfig], LocalPath]] = {
    "cross_attention": CrossAttentionPath,
    "conv": ConvPath,
    "bilinear_mlp": BilinearPath,
}


def build_local_path(config: ModelConfig) -> LocalPath:
    """Build the local path that the configuration names, with random weights."""
    return LOCAL_PATHS[config.local_path](config)
