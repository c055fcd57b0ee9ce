"""Which of several exactly equal ways a call of `query` takes, and its multiply-adds.

`docs/cost.md` has the counts.
"""

import dataclasses
import functools
from typing import Literal

from spd.config import ModelConfig
from spd.cost.grids import Grid, Size
from spd.cost.local_macs import arrangements
from spd.errors import InputError
from spd.models.feature_maps import FeatureMaps

QueryForm = Literal["native", "folded", "projected"]
DenseForm = Literal["native", "torch"]


@dataclasses.dataclass(frozen=True, slots=True)
class QueryPlan:
    """How a call will be answered, and what that costs in multiply-adds."""

    form: QueryForm
    """`folded`: the projections moved to the query, nothing precomputed. `native`: the same as one
    compiled kernel (`spd.models.kernel`). `projected`: keys and values of every cell of the maps
    projected first."""
    macs_per_query: int
    """What each point costs."""
    macs_once: int
    """What the call costs besides, whatever its number of points."""
    reason: str
    """Why this form, in a few words."""


def plan_query(
    config: ModelConfig,
    maps: FeatureMaps,
    points: int,
    *,
    projects: bool,
    no_kernel: str | None,
    form: QueryForm | None = None,
) -> QueryPlan:
    """The form for `points` of each image.

    That is `projected` where the maps are, `native` where there is a kernel, else `folded`.
    Nothing is projected unasked, however many points there are. By count it would pay; as plain
    torch operations it reads twice the cells' width and takes longer (`research/performance.md`).

    Args:
        config: the model's.
        maps: of the images.
        points: asked of each.
        projects: whether the local path has keys and values.
        no_kernel: why the kernel cannot answer, None where it can.
        form: asked for by the caller.

    Raises:
        InputError: if a form is asked for that the local path has not, or this machine.
    """
    if form == "native" and no_kernel is not None:
        raise no_native(no_kernel)
    if not projects:
        if form == "projected":
            raise no_projection(config)
        return QueryPlan("folded", 0, 0, f"{config.local_path} has one form")
    folded_each, folded_once, each, once = _costs(config, maps.image_size)
    folded = QueryPlan("folded", folded_each, folded_once, "asked for")
    projected = QueryPlan("projected", each, 0 if maps.projected is not None else once, "asked for")
    native = QueryPlan("native", *_native_costs(config, maps.image_size), "asked for")
    if form is not None:
        return {"folded": folded, "projected": projected, "native": native}[form]
    if maps.projected is not None:
        return dataclasses.replace(projected, reason="these maps are projected")
    if no_kernel is None:
        return dataclasses.replace(native, reason="the compiled kernel is the fastest")
    saved = points * (folded_each - each) - once
    counted = f"{saved:,} multiply-adds saved" if saved > 0 else "no multiply-adds saved"
    return dataclasses.replace(
        folded, reason=f"projecting first is slower ({counted}); no kernel: {no_kernel}"
    )


@functools.lru_cache(maxsize=64)
def _costs(config: ModelConfig, size: Size) -> tuple[int, int, int, int]:
    """Folded and projected: multiply-adds per query and once, for images of one size."""
    costs = arrangements(config, Grid(size))
    return *costs["implemented"], *costs["projected"]


@functools.lru_cache(maxsize=64)
def _native_costs(config: ModelConfig, size: Size) -> tuple[int, int]:
    """As `folded`, but neighbours are blended in place of four products for each token."""
    each, _ = arrangements(config, Grid(size))["blended"]
    return each, 0  # embeddings are projected once for the weights, not for a call


def no_projection(config: ModelConfig) -> InputError:
    """For a local path that projects nothing."""
    return InputError(
        f"{config.local_path} has no keys and values to project; only cross_attention has"
    )


def no_native(reason: str) -> InputError:
    """For a kernel that is asked for and cannot answer."""
    return InputError(f"there is no compiled query here: {reason}; leave form out")
