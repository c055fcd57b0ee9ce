"""Accuracy and encoder time of an export in a runtime and a precision."""

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
"""Distance to a depth edge, in pixels of the depth map, up to which a reading is near it."""
_POINTS = 2000  # readings queried in a frame


@dataclasses.dataclass(frozen=True, slots=True)
class EngineScore:
    """Accuracy and encoder time of one runtime and precision."""

    abs_rel: float
    """Mean absolute relative error over readings, averaged over frames."""
    near_edge_abs_rel: float | None
    """`abs_rel` of readings at most `NEAR_EDGE_PX` from a depth edge; None without any."""
    encode_s: float
    """Median time of the encoder in seconds."""


def score_engine(
    folder: ExportFolder, engine: Engine, samples: Sequence["RGBDSample"], share: float = 1.0
) -> EngineScore:
    """Query up to 2,000 readings of every frame.

    Args:
        folder: the export.
        engine: the export in one runtime and precision.
        samples: frames with depth and focal length.
        share: pixels per radian of the photo, relative to the model's own. Below 1 the photo is
            smaller and cheaper, and objects look farther away; the answers are corrected for that.
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
    """Plan a photo's resampling to a share of the model's pixels per radian."""
    focal_px = None if sample.intrinsics is None else sample.intrinsics.focal_px
    config = folder.config
    camera = config.camera.model_copy(update={"focal_px": config.camera.focal_px * share})
    shown = dataclasses.replace(folder, config=config.model_copy(update={"camera": camera}))
    plan = plan_for(shown, sample.image_size, focal_px)
    return dataclasses.replace(plan, depth_factor=plan.depth_factor * share)
