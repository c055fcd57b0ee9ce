"""What an engine is scored by: readings, those beside an edge, and photos shown smaller."""

import dataclasses

import numpy as np
import pytest

from helpers import exports
from helpers.samples import slanted_sample
from spd.export.scoring import score_engine, working_plan
from spd.runtimes import open_export
from spd.runtimes.engines import open_engine
from spd.runtimes.folder import ExportFolder


@pytest.fixture(scope="module")
def export() -> ExportFolder:
    return ExportFolder.read(exports.exported())


@pytest.fixture(scope="module")
def engine(export):
    return open_engine(export, "onnxruntime", "float32", 1)


def step_sample():
    """28 columns at 1 m, 36 at 3 m, and no reading in the first row."""
    sample = slanted_sample()
    depth_m = np.where(np.arange(64) < 28, 1.0, 3.0).astype(np.float32) + np.zeros_like(
        sample.depth_m
    )
    valid = sample.valid.copy()
    valid[0] = False
    return dataclasses.replace(sample, depth_m=depth_m, valid=valid)


def test_the_scores_are_the_errors_of_the_predictor(export, engine):
    sample = step_sample()
    answer_m = open_export(export.path, "onnxruntime", threads=1).encode(
        sample.image, focal_px=sample.intrinsics.focal_px
    )
    # 47 x 64 readings are more than 2,000: every one is asked, since 3,008 // 2,000 is 1.
    rows, columns = np.mgrid[1:48, :64]
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    truth_m = np.where(columns.ravel() < 28, 1.0, 3.0)
    error = np.abs(answer_m.depth_at(points) - truth_m) / truth_m
    # Columns 27 and 28 are the edge's; two pixels from it are 25 to 30.
    near = np.abs(columns.ravel() - 27.5) < 3
    score = score_engine(export, engine, [sample])
    assert score.abs_rel == pytest.approx(error.mean(), rel=1e-6)
    assert score.near_edge_abs_rel == pytest.approx(error[near].mean(), rel=1e-6)
    assert score.encode_s > 0


def test_without_a_depth_edge_there_is_no_score_near_edges(export, engine):
    flat = slanted_sample()  # neighbouring rows differ by 6 % at most
    assert score_engine(export, engine, [flat]).near_edge_abs_rel is None


def test_answers_on_a_photo_of_half_the_size_are_corrected(export, engine):
    sample = step_sample()
    whole, half = working_plan(export, sample), working_plan(export, sample, 0.5)
    assert half.scale == pytest.approx(whole.scale / 2)
    assert (whole.depth_factor, half.depth_factor) == (1.0, 0.5)
    assert half.focal.px == whole.focal.px
    assert score_engine(export, engine, [sample], 0.5).abs_rel != pytest.approx(
        score_engine(export, engine, [sample]).abs_rel, rel=1e-3
    )
