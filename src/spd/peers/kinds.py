"""Detection of a published depth model in a folder, and of the kind of its answers.

`config.json` alone decides, before torch is loaded. `docs/peers.md` gives the source of each rule.
"""

import dataclasses
import json
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from spd.checkpoints.folder import CONFIG
from spd.errors import CheckpointError
from spd.files import read_json
from spd.scenes.depth_kind import DepthKind

_MOST_LAYERS = 1000
STATED = "depth_estimation_type"
"""Key of `config.json` for the kind: transformers' own for Depth Anything, ours for the rest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """A published depth model on this machine."""

    folder: Path
    """Folder of its files."""
    model_type: str
    """Model type in transformers."""
    kind: DepthKind
    """Kind of its answers."""
    config: dict[str, Any]
    """`config.json`."""


def read_peer(folder: Path) -> Peer | None:
    """Read the published depth model in a folder; None where `config.json` is not transformers'.

    Raises:
        CheckpointError: if it is a model of transformers, but not a supported depth model.
    """
    path = folder / CONFIG
    try:
        config = read_json(path)
    except (OSError, ValueError):
        return None  # the reader of SPD checkpoints reports the error
    if not isinstance(config, dict) or "spd" in config or "model_type" not in config:
        return None
    check_sizes(config, path)
    model_type = str(config["model_type"])
    if model_type not in _KIND_OF or not _is_depth_model(config):
        raise CheckpointError(
            f"{path}: {_named(config)} is not a supported depth model; expected SPD or a "
            f"transformers ForDepthEstimation model of type {', '.join(sorted(_KIND_OF))}"
        )
    return Peer(folder, model_type, _KIND_OF[model_type](config, path), config)


def check_sizes(config: Any, path: Path, most: int = 2**20, key: str = "") -> None:
    """Refuse numbers that no published model has, before transformers allocates for them.

    Args:
        config: JSON data from `path`.
        path: the file, for the message.
        most: largest number.
        key: key of `config`, for the message.

    Raises:
        CheckpointError: naming the first key with a larger number.
    """
    if isinstance(config, dict):
        for name, value in config.items():
            check_sizes(value, path, most, name)
    elif isinstance(config, list):
        for value in config:
            check_sizes(value, path, most, key)
    elif isinstance(config, int | float):
        largest = min(most, _MOST_LAYERS) if "layer" in key or "depths" in key else most
        if not -largest <= config <= largest:
            raise CheckpointError(
                f"{path}: {reprlib.repr(key)} is {reprlib.repr(config)}; expected at most {largest}"
            )


def _is_depth_model(config: Mapping[str, Any]) -> bool:
    """A file without `architectures` names only its type; with it, also the task."""
    named = config.get("architectures") or ["ForDepthEstimation"]
    named = named if isinstance(named, list) else []
    return any(str(name).endswith("ForDepthEstimation") for name in named)


def _named(config: Mapping[str, Any]) -> str:
    named = config.get("architectures")
    architectures = ", ".join(map(str, named[:3])) if isinstance(named, list) else ""
    model_type = reprlib.repr(config["model_type"]).strip("'")
    return f"a model of type {model_type}" + f" ({architectures})" * bool(architectures)


def _depth_anything(config: Mapping[str, Any], path: Path) -> DepthKind:
    kind = _stated(config, path, otherwise="relative-disparity")
    most = config.get("max_depth", 1)  # a factor of every answer, also for a relative model
    if kind != "metric" and not (isinstance(most, int | float) and most > 0):
        raise CheckpointError(
            f"{path}: max_depth is {json.dumps(most)}; expected a number above 0 (1 for a relative "
            "model); alternatively, remove the key"
        )
    # Without the key transformers builds a maximum of 1 m, which fits no published metric model.
    if kind == "metric" and not config.get("max_depth"):
        raise CheckpointError(
            f"{path}: a metric model needs max_depth in metres; add it (20 for indoor models)"
        )
    return kind


def _dpt(config: Mapping[str, Any], path: Path) -> DepthKind:
    inner = config.get("backbone_config")
    backbone = inner.get("model_type") if isinstance(inner, dict) else None
    return _stated(
        config, path, otherwise="metric" if backbone == "dinov2" else "relative-disparity"
    )


def _metric(config: Mapping[str, Any], path: Path) -> DepthKind:
    return _stated(config, path, otherwise="metric")


def _stated(config: Mapping[str, Any], path: Path, otherwise: DepthKind) -> DepthKind:
    """Kind from `config.json`, or else the documented kind of the model type."""
    kinds = get_args(DepthKind)
    stated = config.get(STATED, otherwise)
    if stated == "relative":
        return "relative-disparity"
    if isinstance(stated, dict | list) or stated not in kinds:
        raise CheckpointError(
            f"{path}: {STATED} is {reprlib.repr(stated)}; expected relative, {', '.join(kinds)}"
        )
    return stated


_KIND_OF: dict[str, Callable[[Mapping[str, Any], Path], DepthKind]] = {
    "depth_anything": _depth_anything,
    "depth_pro": _metric,
    "dpt": _dpt,
    "glpn": _metric,
    "zoedepth": _metric,
}
