"""The numbers of one head: accuracy, edges and both modes' gap, through the usual evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spd.data.sources import open_samples
from spd.evaluate import evaluate
from spd.evaluation.floors import Constant
from spd.evaluation.predict import MapMode
from spd.experiment.config import ExperimentConfig
from spd.experiment.heads import Head
from spd.files import write_text
from spd.metrics.edges import BANDS_PX, band_name
from spd.models.spd import SPD
from spd.predictor import Predictor

SCORES = "scores.json"
EXTRA_POINTS = 20_000
BOUNDARY_NUMBERS = ("si_precision", "si_recall", "si_f1", "r1_f1", "r2_f1", "r3_f1")
DISTANCES = ("dbe_tum_accuracy_px", "dbe_tum_completeness_px", "dbe_sharpnet_completeness_px")


def score_head(
    head: Head,
    trunk: SPD,
    rooms: Path,
    config: ExperimentConfig,
    constant: Constant,
    extra: Sequence[str],
) -> None:
    """Evaluate one head on held-out rooms, on maps of others, and on whatever else is named."""
    predictor = Predictor(head.model(trunk), torch.device("cpu"), head.title)
    points = config.held_out_points
    sets: dict[str, tuple[str, int, MapMode | None]] = {
        "held_out": (f"{rooms / 'held_out'}:val", points, None),
        "edges": (f"{rooms / 'edges'}:val", points, head.variant.boundaries),
    }
    for number, data in enumerate(extra):
        sets[f"extra_{number}"] = (data, EXTRA_POINTS, None)
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
            progress=False,
        ).to_dict()
        for name, (data, most, boundaries) in sets.items()
    }
    write_text(head.folder / SCORES, json.dumps(found, indent=1) + "\n")


def numbers_of(head: Head) -> dict[str, float | None]:
    """One head's numbers by the names they have in the tables."""
    found = json.loads((head.folder / SCORES).read_text(encoding="utf-8"))
    rooms = found["held_out"]
    numbers: dict[str, float | None] = {
        "AbsRel": rooms["sparse"]["abs_rel"],
        "RMSE (m)": rooms["sparse"]["rmse"],
        "delta1": rooms["sparse"]["delta1"],
        "AbsRel dense": rooms["dense"]["abs_rel"],
        "gap, mean (m)": rooms["gap"]["mean_m"],
        "gap, mean (share)": rooms["gap"]["mean_rel"],
    }
    names = [band_name(band) for band in BANDS_PX]
    for name, band in zip(names, rooms["near_edges"], strict=True):
        numbers[f"AbsRel {name}"] = band["sparse_abs_rel"]
        numbers[f"delta1 {name}"] = band["sparse_delta1"]
    maps = found["edges"]["boundaries"][head.variant.boundaries]
    numbers |= {name: maps[name] for name in (*BOUNDARY_NUMBERS, *DISTANCES)}
    for key in sorted(found):
        if key.startswith("extra_"):
            numbers[f"AbsRel {key}"] = found[key]["sparse"]["abs_rel"]
            numbers[f"delta1 {key}"] = found[key]["sparse"]["delta1"]
    return numbers


def floors_of(head: Head) -> dict[str, dict[str, Any]]:
    """The floors of every data set: they do not depend on the head."""
    found = json.loads((head.folder / SCORES).read_text(encoding="utf-8"))
    return {key: value["floors"] for key, value in found.items()}
