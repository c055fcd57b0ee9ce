"""Scores of one head by `spd.evaluate`: accuracy, edges, boundaries, gap of the modes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from research.experiment.config import ExperimentConfig
from research.experiment.heads import Head
from research.experiment.joint import JointModel
from spd.data.sources import open_samples
from spd.evaluate import evaluate
from spd.evaluation.baselines import ConstantDepth
from spd.evaluation.metrics.edges import BANDS_PX, band_name
from spd.evaluation.predict import MapMode
from spd.files import write_text
from spd.models.spd import SPD
from spd.predictors.torch_predictor import Predictor

SCORES = "scores.json"
EXTRA_POINTS = 5_000
BOUNDARY_NUMBERS = ("si_precision", "si_recall", "si_f1", "r1_f1", "r2_f1", "r3_f1")
DISTANCES = ("dbe_tum_accuracy_px", "dbe_tum_completeness_px", "dbe_sharpnet_completeness_px")
ScoredModel = Head | JointModel
"""A head on the frozen trunk, or a model whose trunk was trained with it."""


def score_head(
    head: ScoredModel,
    trunk: SPD,
    rooms: Path,
    config: ExperimentConfig,
    constant: ConstantDepth,
    extra: Sequence[str],
) -> None:
    """Evaluate one head on held-out rooms, on rooms for boundaries, and on further data.

    Further data gives boundaries too, for frames whose depth has the photo's resolution; every
    pixel of them is queried.
    """
    predictor = Predictor(head.model(trunk), torch.device("cpu"), head.title)
    points = config.held_out_points
    sets: dict[str, tuple[str, int, MapMode | None]] = {
        "held_out": (f"{rooms / 'held_out'}:val", points, None),
        "edges": (f"{rooms / 'edges'}:val", points, head.variant.boundaries),
    }
    for number, data in enumerate(extra):
        sets[f"extra_{number}"] = (data, EXTRA_POINTS, head.variant.boundaries)
    found = {
        name: evaluate(
            predictor,
            open_samples([data], metric_only=True),
            head.folder / name,
            data=name,
            max_points=most,
            boundaries=boundaries,
            constant=constant,
            protocol="native",
        ).to_dict()
        for name, (data, most, boundaries) in sets.items()
    }
    write_text(head.folder / SCORES, json.dumps(found, indent=1) + "\n")


def numbers_of(head: ScoredModel) -> dict[str, float | None]:
    """The numbers of one head by name; names of further data end in ` extra_0` and so on."""
    found = json.loads((head.folder / SCORES).read_text(encoding="utf-8"))
    rooms = found["held_out"]
    numbers: dict[str, float | None] = {
        "AbsRel": rooms["sparse"]["abs_rel"],
        "RMSE (m)": rooms["sparse"]["rmse"],
        "delta1": rooms["sparse"]["delta1"],
        "AbsRel dense": rooms["dense"]["abs_rel"],
        **_gap(rooms),
        **_bands(rooms),
        **_boundaries(found["edges"], head.variant.boundaries),
    }
    for key in (key for key in sorted(found) if key.startswith("extra_")):
        of_set = {
            "AbsRel": found[key]["sparse"]["abs_rel"],
            "delta1": found[key]["sparse"]["delta1"],
            **_gap(found[key]),
            **_bands(found[key]),
            **_boundaries(found[key], head.variant.boundaries),
        }
        numbers |= {f"{name} {key}": value for name, value in of_set.items()}
    return numbers


def _gap(scored: dict[str, Any]) -> dict[str, float | None]:
    return {
        "gap, mean (m)": scored["gap"]["mean_m"],
        "gap, mean (share)": scored["gap"]["mean_rel"],
    }


def _bands(scored: dict[str, Any], who: str = "sparse") -> dict[str, float | None]:
    """AbsRel and delta1 of each band; empty for a baseline that was not scored there."""
    numbers: dict[str, float | None] = {}
    for limits, band in zip(BANDS_PX, scored["near_edges"], strict=True):
        for kind, key in (("AbsRel", "abs_rel"), ("delta1", "delta1")):
            if f"{who}_{key}" in band:
                numbers[f"{kind} {band_name(limits)}"] = band[f"{who}_{key}"]
    return numbers


def _boundaries(scored: dict[str, Any], mode: MapMode) -> dict[str, float | None]:
    """Boundary measures of whole maps; empty if no frame has any."""
    maps = (scored["boundaries"] or {}).get(mode) or {}
    return {name: maps[name] for name in (*BOUNDARY_NUMBERS, *DISTANCES) if name in maps}


def baselines_of(head: ScoredModel) -> dict[str, dict[str, Any]]:
    """Floors of every data set, near edges too; they do not depend on the head."""
    found = json.loads((head.folder / SCORES).read_text(encoding="utf-8"))
    return {
        name: {
            key: baseline | ({"bands": bands} if (bands := _known(_bands(scored, key))) else {})
            for key, baseline in scored["floors"].items()
        }
        for name, scored in found.items()
    }


def _known(numbers: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if value is not None}
