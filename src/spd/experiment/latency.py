"""What a question costs on this machine: medians of each local path, in one run."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from spd.experiment.progress import Told, untold
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

COUNTS = (1, 64, 1024)
REPEATS = 15
Milliseconds = dict[str, float]


def measure_latency(
    models: dict[str, SPD], maps: FeatureMaps, told: Told = untold
) -> dict[str, Milliseconds]:
    """Median milliseconds of `query` at K = 1, 64, 1024 and of `dense`, for every model.

    All of them in plain torch, because only v15.2 has a compiled kernel, of maps that lie in
    memory as `SPD.encode` leaves them.

    The models take turns, so that a slow minute meets all of them. That does not help where the
    machine has more to do than cores: then calls of one kind wait more than those of another.
    """
    jobs: dict[tuple[str, str], Callable[[], object]] = {}
    maps = maps.cells_together()
    height, width = maps.image_size
    rng = np.random.default_rng(0)
    for name, model in models.items():
        for count in COUNTS:
            points = torch.from_numpy(rng.random((1, count, 2)) * (width - 1, height - 1)).float()
            jobs[name, f"K={count}"] = _asking(model, maps, points)
        jobs[name, "dense"] = _dense(model, maps)
    seconds: dict[tuple[str, str], list[float]] = {job: [] for job in jobs}
    with torch.inference_mode():
        for repeat in range(REPEATS + 1):
            told(repeat, REPEATS + 1)
            for job, work in jobs.items():
                started = time.perf_counter()
                work()
                if repeat:  # the first is a warm-up
                    seconds[job].append(time.perf_counter() - started)
        told(REPEATS + 1, REPEATS + 1)
    return {
        name: {kind: _median_ms(seconds[name, kind]) for owner, kind in jobs if owner == name}
        for name in models
    }


def _asking(model: SPD, maps: FeatureMaps, points: torch.Tensor) -> Callable[[], object]:
    return lambda: model.query(maps, points, form="folded")


def _dense(model: SPD, maps: FeatureMaps) -> Callable[[], object]:
    return lambda: model.dense(maps, form="torch")


def _median_ms(seconds: Sequence[float]) -> float:
    return float(np.median(seconds)) * 1000
