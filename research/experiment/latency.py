"""Time of a query and of a dense map: medians for each local path, all timed in one process."""

import math
from collections.abc import Callable

import numpy as np
import torch

from research.performance.timing import Effort, take_turns
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

COUNTS = (1, 64, 1024)
EFFORT = Effort(repeats=15, seconds=math.inf, short_s=0)
Milliseconds = dict[str, float]


def measure_latency(models: dict[str, SPD], maps: FeatureMaps) -> dict[str, Milliseconds]:
    """Median milliseconds of `query` at K = 1, 64, 1024 and of `dense`, for every model.

    All models run in plain torch, because only v15.2 has a compiled kernel, on maps in the memory
    layout that `SPD.encode` returns. The models take turns, so a slow minute slows all of them. A
    machine with more work than cores still does not slow every kind of call alike.
    """
    jobs: dict[tuple[str, str], Callable[[], object]] = {}
    maps = maps.cells_together()
    height, width = maps.image_size
    rng = np.random.default_rng(0)
    for name, model in models.items():
        for count in COUNTS:
            points = torch.from_numpy(rng.random((1, count, 2)) * (width - 1, height - 1)).float()
            jobs[name, f"K={count}"] = _query(model, maps, points)
        jobs[name, "dense"] = _dense(model, maps)
    with torch.inference_mode():
        timed = take_turns(jobs, EFFORT)
    return {
        name: {
            kind: 1000 * times["median_s"]
            for (owner, kind), times in timed.items()
            if owner == name
        }
        for name in models
    }


def _query(model: SPD, maps: FeatureMaps, points: torch.Tensor) -> Callable[[], object]:
    return lambda: model.query(maps, points, form="torch")


def _dense(model: SPD, maps: FeatureMaps) -> Callable[[], object]:
    return lambda: model.dense(maps, form="torch")
