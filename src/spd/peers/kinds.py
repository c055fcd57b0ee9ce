"""Which published depth model lies in a folder, and whether it answers in metres.

Decided by `config.json` alone, before torch is loaded and before a weight is read. What each rule
rests on is in `docs/peers.md`.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from spd.checkpoints.folder import CONFIG
from spd.errors import CheckpointError
from spd.scenes.depth_kind import DepthKind

STATED = "depth_estimation_type"
"""The key of `config.json` that says so: transformers' for Depth Anything, ours for the rest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """A published depth model on this machine."""

    folder: Path
    """Where its files are."""
    model_type: str
    """Its family, as transformers calls it."""
    kind: DepthKind
    """Kind of its predictions: metres, or depth or inverse depth without a scale."""
    config: dict[str, Any]
    """`config.json`."""


def read_peer(folder: Path) -> Peer | None:
    """The published depth model in a folder; None where its `config.json` is not transformers'.

    Raises:
        CheckpointError: if it is a model of transformers, but not a depth model that is supported.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # whoever reads a checkpoint of ours says what is wrong with it
    if not isinstance(config, dict) or "spd" in config or "model_type" not in config:
        return None
    model_type = str(config["model_type"])
    if model_type not in _KIND_OF or not _is_depth_model(config):
        raise CheckpointError(
            f"{path}: {_named(config)} is not a supported depth model; supported are SPD "
            f"models and transformers' ForDepthEstimation models of type "
            f"{', '.join(sorted(_KIND_OF))}"
        )
    return Peer(folder, model_type, _KIND_OF[model_type](config, path), config)


def _is_depth_model(config: Mapping[str, Any]) -> bool:
    """A file without `architectures` names its family only; those with it say for what task."""
    named = config.get("architectures") or ["ForDepthEstimation"]
    return any(str(name).endswith("ForDepthEstimation") for name in named)


def _named(config: Mapping[str, Any]) -> str:
    architectures = ", ".join(map(str, config.get("architectures") or []))
    return f"a model of type {config['model_type']}" + f" ({architectures})" * bool(architectures)


def _depth_anything(config: Mapping[str, Any], path: Path) -> DepthKind:
    kind = _stated(config, path, otherwise="relative-disparity")
    most = config.get("max_depth", 1)  # a factor of every answer, of a relative model too
    if kind != "metric" and not (isinstance(most, int | float) and most > 0):
        raise CheckpointError(
            f"{path}: max_depth is {json.dumps(most)}; expected a number above 0 (of a relative "
            "model 1), or leave the key out"
        )
    # A config without it is built with 1 m, which no published metric model means.
    if kind == "metric" and not config.get("max_depth"):
        raise CheckpointError(f"{path} says metric but no max_depth in metres; add it (indoor: 20)")
    return kind


def _dpt(config: Mapping[str, Any], path: Path) -> DepthKind:
    backbone = (config.get("backbone_config") or {}).get("model_type")
    return _stated(
        config, path, otherwise="metric" if backbone == "dinov2" else "relative-disparity"
    )


def _metric(config: Mapping[str, Any], path: Path) -> DepthKind:
    return _stated(config, path, otherwise="metric")


def _stated(config: Mapping[str, Any], path: Path, otherwise: DepthKind) -> DepthKind:
    """Kind of prediction that `config.json` states, else the documented kind of its family."""
    kinds = get_args(DepthKind)
    said = config.get(STATED, otherwise)
    if said == "relative":
        return "relative-disparity"
    if said not in kinds:
        raise CheckpointError(
            f"{path}: {STATED} is {said!r}; expected relative, {', '.join(kinds)}"
        )
    return said


_KIND_OF: dict[str, Callable[[Mapping[str, Any], Path], DepthKind]] = {
    "depth_anything": _depth_anything,
    "depth_pro": _metric,
    "dpt": _dpt,
    "glpn": _metric,
    "zoedepth": _metric,
}
