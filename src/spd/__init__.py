"""SPD: metric depth at exactly the pixels you query.

`encode` is paid once per image, `query` once per pixel asked. Importing this package imports
neither torch nor transformers; the names below load on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spd._version import __version__
from spd.errors import missing_extras_named

if TYPE_CHECKING:
    from spd.config import ModelConfig
    from spd.models.feature_maps import FeatureMaps
    from spd.models.spd import SPD
    from spd.photos.example import example_photo
    from spd.predictors.loading import load
    from spd.predictors.pipeline import pipeline
    from spd.predictors.torch_predictor import Predictor, Scene

_HOMES = {
    "ModelConfig": "spd.config",
    "FeatureMaps": "spd.models.feature_maps",
    "SPD": "spd.models.spd",
    "Predictor": "spd.predictors.torch_predictor",
    "Scene": "spd.predictors.torch_predictor",
    "example_photo": "spd.photos.example",
    "load": "spd.predictors.loading",
    "pipeline": "spd.predictors.pipeline",
}

__all__ = [
    "SPD",
    "FeatureMaps",
    "ModelConfig",
    "Predictor",
    "Scene",
    "__version__",
    "example_photo",
    "load",
    "pipeline",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spd' has no attribute {name!r}")
    with missing_extras_named():
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
