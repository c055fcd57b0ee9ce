"""A finished experiment whose every number is known, written by the experiment's own summary."""

from pathlib import Path

import numpy as np
from PIL import Image

from spd.experiment.config import ExperimentConfig
from spd.experiment.summary import Comparison, Spread, Summary
from spd.files import write_text

PICTURES = (
    "seeds.png", "edges.png", "latency.png", "attention.png", "attention_at_an_edge.png",
)  # fmt: skip
SHORT, SHORT_DENSE = "v15.2, a while", "v15.2 dense, a while"
"""No names that the experiment knows: a page does not depend on what variants are called."""
MEANS = {
    "AbsRel": (0.10, 0.20, 0.15, 0.30, 0.40),
    "RMSE (m)": (0.50, 0.60, 0.70, 0.80, 0.90),
    "delta1": (0.90, 0.80, 0.70, 0.60, 0.50),
    "AbsRel 0-1 px": (0.30, 0.25, 0.50, 0.60, 0.70),
    "AbsRel 1-2 px": (0.20, 0.10, 0.15, 0.40, 0.45),
    "AbsRel >8 px": (0.05, 0.06, 0.07, 0.08, 0.09),
    "si_f1": (0.50, 0.25, None, 0.125, 0.0625),
    "dbe_tum_accuracy_px": (12.34, 3.0, 4.0, 5.0, 6.0),
}
"""Of v15.2, v15.1, bilinear, and the two short ones; bilinear has no F1."""
VARIANTS = ("v15.2", "v15.1", "bilinear", SHORT, SHORT_DENSE)
VERDICTS = {
    ("v15.2", "v15.1"): {
        "AbsRel": "ahead", "RMSE (m)": "undecided", "delta1": "ahead", "AbsRel 0-1 px": "behind",
        "AbsRel 1-2 px": "behind", "AbsRel >8 px": "undecided", "si_f1": "ahead",
        "dbe_tum_accuracy_px": "behind",
    },
    ("v15.2", "bilinear"): {
        "AbsRel": "ahead", "RMSE (m)": "ahead", "delta1": "ahead", "AbsRel 0-1 px": "ahead",
        "AbsRel 1-2 px": "behind", "AbsRel >8 px": "ahead", "dbe_tum_accuracy_px": "ahead",
    },
    (SHORT, SHORT_DENSE): {"AbsRel": "ahead", "si_f1": "undecided"},
}  # fmt: skip
FLOORS = {
    "constant": {
        "name": "constant (training)", "metres": 2.5, "origin": "the median of the rooms",
        "abs_rel": 0.35, "rmse": 1.5, "delta1": 0.4,
    },
    "image_median": {
        "name": "image median", "origin": "each image's own true median",
        "abs_rel": 0.25, "rmse": 1.25, "delta1": 0.45,
    },
}  # fmt: skip


def known_summary(variants=VARIANTS, extra=(), attention=True) -> Summary:
    """Means as above, 0.01 either side of them in two seeds; an interval of 0.02 either side."""
    numbers = {
        name: {
            number: Spread(mean, 0.01, (mean - 0.01, mean + 0.01))
            for number, means in MEANS.items()
            if (mean := means[place]) is not None
        }
        for place, name in enumerate(variants)
    }
    for place, of in enumerate(numbers.values()):
        for data in range(len(extra)):
            of[f"AbsRel extra_{data}"] = Spread(0.5 + place / 10, 0.0, (0.5, 0.5))
            of[f"delta1 extra_{data}"] = Spread(0.25, 0.0, (0.25, 0.25))
    comparisons = []
    for (ours, other), verdicts in VERDICTS.items():
        if not {ours, other} <= set(numbers):
            continue
        for number, verdict in verdicts.items():
            off = numbers[ours][number].mean - numbers[other][number].mean
            comparisons.append(
                Comparison(number, ours, other, off, off - 0.02, off + 0.02, verdict)
            )
    masses = [
        (0, None, 0.40),
        (0, 0, 0.30),
        (0, 1, 0.50),
        (1, None, 0.60),
        (1, 0, 0.50),
        (1, 1, 0.70),
    ]
    return Summary(
        config=ExperimentConfig(seeds=2, held_out_rooms=7, edge_rooms=3).to_dict(),
        extra=tuple(extra),
        numbers=numbers,
        training={name: {"parameters": 1234, "steps": 625, "seconds": 2.5} for name in numbers},
        comparisons=tuple(comparisons),
        floors=dict.fromkeys(("held_out", *(f"extra_{n}" for n in range(len(extra)))), FLOORS),
        latency={
            "machine": {"processor": "a processor", "cores": 2, "torch_threads": 1, "spd": "0.1.0"},
            "milliseconds": {name: {"K=1": 1.5, "K=64": 2.25, "dense": 30.0} for name in numbers},
        },
        attention=[
            {"seed": seed, "stage": 2, "head": head, "band": "0-1 px", "queries": 60, "mass": mass,
             "uniform": 0.25} for seed, head, mass in masses
        ] if attention else [],
    )  # fmt: skip


def write_experiment(folder: Path, summary: Summary | None = None) -> Path:
    """As `spd experiment` leaves it, as far as a page needs it."""
    write_text(folder / "experiment.json", "{}\n")
    (summary or known_summary()).write(folder / "summary.json")
    for number, name in enumerate(PICTURES):
        noise = np.random.default_rng(number).integers(0, 256, (60, 160, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / name)
    return folder
