"""How accurate an export is in a runtime and a precision, and how long its encoder takes."""

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spd.evaluation.metrics.edges import edge_distance_px
from spd.photos.plan import ImagePlan
from spd.runtimes.engines import Engine
from spd.runtimes.export_predictor import RuntimeScene, network_input, plan_for
from spd.runtimes.folder import ExportFolder

if TYPE_CHECKING:
    from spd.data.sample import RGBDSample

NEAR_EDGE_PX = 2.0
"""Of the depth map: where what is asked lies beside another surface."""
_POINTS = 2000  # readings asked of a frame


@dataclasses.dataclass(frozen=True, slots=True)
class EngineScore:
    """Of one runtime and precision, over photos."""

    abs_rel: float
    """Mean over photos of the mean absolute relative error over readings."""
    near_edge_abs_rel: float | None
    """The same of readings at most `NEAR_EDGE_PX` from a depth edge; None without any."""
    encode_s: float
    """Median time of the encoder."""


def score_engine(
    folder: ExportFolder, engine: Engine, samples: Sequence["RGBDSample"], share: float = 1.0
) -> EngineScore:
    """Ask up to 2,000 readings of every photo.

    Args:
        folder: what the engine computes.
        engine: one of its runtimes and precisions.
        samples: photos with their truth and focal length.
        share: of the model's own pixels per radian that a photo is shown at: below 1 it is smaller
            and cheaper, and what is asked for looks farther away, which the answer is corrected by.
    """
    errors, near_edges, times = list[float](), list[float](), list[float]()
    for sample in samples:
        plan = working_plan(folder, sample, share)
        image = network_input(sample.image, plan)
        engine.encode(image)  # the first call of a size is slower
        start = time.perf_counter()
        maps = engine.encode(image)
        times.append(time.perf_counter() - start)
        scene = RuntimeScene(engine, maps, sample.image_size, plan)
        points, truth_m = sample.reading_points(), sample.depth_m[sample.valid]
        step = max(1, len(points) // _POINTS)
        distance_px = edge_distance_px(sample.depth_m, sample.valid)[sample.valid][::step]
        truth_m = truth_m[::step]
        error = np.abs(scene.depth_at(points[::step]) - truth_m) / truth_m
        errors.append(float(error.mean()))
        if (near := distance_px <= NEAR_EDGE_PX).any():
            near_edges.append(float(error[near].mean()))
    return EngineScore(
        float(np.mean(errors)),
        float(np.mean(near_edges)) if near_edges else None,
        float(np.median(times)),
    )


def working_plan(folder: ExportFolder, sample: "RGBDSample", share: float = 1.0) -> ImagePlan:
    """How a photo is shown to the model at a share of its pixels per radian."""
    focal_px = None if sample.intrinsics is None else sample.intrinsics.focal_px
    config = folder.config
    camera = config.camera.model_copy(update={"focal_px": config.camera.focal_px * share})
    shown = dataclasses.replace(folder, config=config.model_copy(update={"camera": camera}))
    plan = plan_for(shown, sample.image_size, focal_px)
    return dataclasses.replace(plan, depth_factor=plan.depth_factor * share)
