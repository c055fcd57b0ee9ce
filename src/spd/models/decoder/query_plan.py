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

QueryForm = Literal["folded", "projected"]


@dataclasses.dataclass(frozen=True, slots=True)
class QueryPlan:
    """How a call will be answered, and what that costs in multiply-adds."""

    form: QueryForm
    """`folded`: the projections moved to the query, nothing precomputed. `projected`: keys and
    values of every cell of the maps projected first."""
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
    form: QueryForm | None = None,
) -> QueryPlan:
    """The form for `points` of each image: `projected` where it is asked for or done already.

    Nothing is projected unasked, however many points there are. By count it would pay; as plain
    torch operations it reads twice the cells' width and takes longer: 1.7 times as long at K =
    1,024, 3.7 times at 16,384 and 3.2 times at a million (two CPU cores, `docs/performance.md`).

    Raises:
        InputError: if a form is asked for that the local path has not.
    """
    if not projects:
        if form == "projected":
            raise no_projection(config)
        return QueryPlan("folded", 0, 0, f"{config.local_path} has one form")
    folded_each, folded_once, each, once = _costs(config, maps.image_size)
    folded = QueryPlan("folded", folded_each, folded_once, "asked for")
    projected = QueryPlan("projected", each, 0 if maps.projected is not None else once, "asked for")
    if form is not None:
        return folded if form == "folded" else projected
    if maps.projected is not None:
        return dataclasses.replace(projected, reason="these maps are projected")
    saved = points * (folded_each - each) - once
    counted = f"{saved:,} multiply-adds saved" if saved > 0 else "no multiply-adds saved"
    return dataclasses.replace(folded, reason=f"projecting first is slower ({counted})")


@functools.lru_cache(maxsize=64)
def _costs(config: ModelConfig, size: Size) -> tuple[int, int, int, int]:
    """Folded and projected: multiply-adds per query and once, for images of one size."""
    costs = arrangements(config, Grid(size))
    return *costs["implemented"], *costs["projected"]


def no_projection(config: ModelConfig) -> InputError:
    """For a local path that projects nothing."""
    return InputError(
        f"{config.local_path} has no keys and values to project; only cross_attention has"
    )
