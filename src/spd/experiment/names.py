"""What is compared, in names and words; without torch, so that a report page can use them."""

import dataclasses
from typing import Literal

from spd.config import LocalPathName
from spd.experiment.config import VariantName

HIGHER_IS_BETTER = ("delta1", "si_", "r1_", "r2_", "r3_")
"""How the names of numbers begin of which more is better; less is of all others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """One row of the tables."""

    name: VariantName
    about: str
    local_path: LocalPathName = "cross_attention"
    one_stage: bool = False
    objective: Literal["query", "dense"] = "query"
    share: float = 1.0
    """Of the steps that a head gets."""
    boundaries: Literal["sparse", "dense"] = "sparse"
    """Whose map the boundary metrics are taken from."""


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
