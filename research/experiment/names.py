"""The variants compared, and the names, digits and verdicts of their numbers."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from research.experiment.config import VariantName
from spd.config import LocalPathName
from spd.evaluation.metrics.boundary_distance import REACH_PX

FOUND_EDGES = ("si_", "r1_", "r2_", "r3_")
"""Prefixes of the numbers that are shares of edges found."""
MEASURES = (*FOUND_EDGES, "dbe_")
"""Prefixes of all boundary measures."""
EDGELESS = {True: "0.0000", False: f"{REACH_PX:.2f}"}
"""Score of a map without edges where the truth has some: a share, or a distance in pixels."""
HIGHER_IS_BETTER = ("delta1", *FOUND_EDGES)
"""Prefixes of the numbers for which higher is better; for all others lower is."""
EQUAL, NO_EDGES = "equal", "no edges found by either"


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """One row of the tables."""

    name: VariantName
    about: str
    local_path: LocalPathName = "cross_attention"
    one_stage: bool = False
    objective: Literal["query", "dense"] = "query"
    share: float = 1.0
    """Share of a head's steps."""
    boundaries: Literal["sparse", "dense"] = "sparse"
    """Mode of the maps that boundaries are measured on."""

    @property
    def joint(self) -> bool:
        """Whether a model can have this local path, so that it can be trained with its trunk."""
        return not self.one_stage and self.share == 1


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("v15.2", "two cross-attention stages (specification, section 6)"),
        Variant(
            "v15.1",
            "convolutional refinenets (the baseline's document)",
            local_path="conv",
            boundaries="dense",  # 8.48 M MACs a pixel; both modes are one function on its grid
        ),
        Variant("bilinear", "bilinear features and an MLP", local_path="bilinear_mlp"),
        Variant("one stage", "v15.2 without its second stage, so without L1", one_stage=True),
        Variant("v15.2, a tenth", "v15.2 on a tenth of the images", share=0.1),
        Variant(
            "v15.2 dense, a tenth",
            "v15.2 with the specification's objective, on a tenth of the images",
            objective="dense",
            share=0.1,
        ),
    )
}


def decimals(number: str) -> int:
    """Digits after the decimal point: 2 for distances in pixels, else 4."""
    return 2 if number.startswith("dbe_") else 4


def verdict_words(number: str, verdict: str, interval: tuple[float, float], mean: float) -> str:
    """A verdict in words; numbers that are the same in every seed are equal, not undecided.

    Args:
        number: name of the number.
        verdict: of its interval.
        interval: of the difference.
        mean: of either variant, where they are equal.
    """
    if interval != (0.0, 0.0):
        return verdict
    return NO_EDGES if mean == 0 and number.startswith(FOUND_EDGES) else EQUAL


def busy_words(machine: Mapping[str, Any]) -> str | None:
    """A caution if the load average was above the number of cores, else None."""
    if "load_average" not in machine or "cores" not in machine:
        return None
    load, cores = float(machine["load_average"]), int(machine["cores"])
    if load <= cores:
        return None
    return (
        f"Caution: the load average was {load:.1f} on {cores} {'core' if cores == 1 else 'cores'}, "
        "so calls waited for other programs, some kinds of call more than others. The times and "
        "their ratios are not those of an idle machine."
    )
