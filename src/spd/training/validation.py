"""The number a run watches: AbsRel at drawn native readings of the validation images."""

from collections.abc import Sequence

import numpy as np

from spd.data.sample import RGBDSample
from spd.evaluation.metrics.accuracy import depth_metrics
from spd.predictors.torch_predictor import Predictor
from spd.training.parallel import Parallel

POINTS_PER_IMAGE = 4096  # `spd evaluate` asks every reading


def validate(predictor: Predictor, samples: Sequence[RGBDSample], parallel: Parallel) -> float:
    """Mean AbsRel over the images that have a focal length and a reading; infinite without any.

    The processes share the images. Which readings are drawn depends on the image's number alone,
    so that the answer does not depend on how many processes there are.
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
    return depth_metrics(scene.depth_at(points), truth_m).abs_rel
