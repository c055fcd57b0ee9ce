"""Mean absolute relative error (AbsRel) during a run."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from spd.data.loader import Batch
from spd.data.sample import RGBDSample
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M, depth_metrics
from spd.models.spd import SPD
from spd.predictors.torch_predictor import Predictor
from spd.training.parallel import Parallel

POINTS_PER_IMAGE = 4096
"""Readings drawn from each validation image; `spd evaluate` uses every reading."""


def validate(predictor: Predictor, samples: Sequence[RGBDSample], parallel: Parallel) -> float:
    """Mean AbsRel over the images with a focal length and a reading; infinite without any.

    The processes share the images. The readings drawn from an image depend on its number alone,
    so the result does not depend on the number of processes.
    """
    shard = parallel.shard
    mine = range(shard.process, len(samples), shard.processes)
    errors = [(number, _abs_rel(predictor, samples[number], number)) for number in mine]
    found = sorted((n, error) for n, error in parallel.gather(errors) if error is not None)
    return sum(error for _, error in found) / len(found) if found else float("inf")


def _abs_rel(predictor: Predictor, sample: RGBDSample, number: int) -> float | None:
    if sample.intrinsics is None or not sample.valid.any():
        return None
    points, truth_m = sample.reading_points(), sample.depth_m[sample.valid]
    if len(points) > POINTS_PER_IMAGE:
        drawn = np.random.default_rng(number).permutation(len(points))[:POINTS_PER_IMAGE]
        points, truth_m = points[drawn], truth_m[drawn]
    scene = predictor.encode(sample.image, focal_px=sample.intrinsics.focal_px)
    return depth_metrics(scene.depth_at(points), truth_m, max_m=sample.max_depth_m).abs_rel


def batch_abs_rel(model: SPD, batches: Iterable[Batch], device: torch.device) -> float:
    """Mean AbsRel over the images of training batches, at their drawn points."""
    errors = []
    for batch in batches:
        tensors = tensors_on(device, batch)
        with torch.no_grad():
            predicted_m = model.query(model.encode(tensors["image"]), tensors["points"])
        for p, t, v in zip(
            predicted_m, tensors["point_depth_m"], tensors["point_valid"], strict=True
        ):
            truth_m = t[v].cpu().numpy()
            max_m = max(MAX_DEPTH_M, float(truth_m.max(initial=0)))  # as max_depth_m may allow
            errors.append(depth_metrics(p[v].cpu().numpy(), truth_m, max_m=max_m).abs_rel)
    return sum(errors) / len(errors)


def tensors_on(device: torch.device, batch: Batch) -> dict[str, Tensor]:
    """The tensors of a batch, on a device."""
    return {name: v.to(device) for name, v in batch.items() if isinstance(v, Tensor)}
