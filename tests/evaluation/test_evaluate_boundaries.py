"""Boundaries through the whole evaluation: whole maps to disk, numbers of them in every file."""

import csv
import json

import numpy as np
import pytest

from helpers.fakes import MapPredictor, make_sample, map_sample
from spd.evaluate import evaluate, format_report, score, score_all
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.metrics.boundary import BOUNDARY_NAMES, boundary_scores
from spd.evaluation.predictions import ImageMaps


def box_map(shift: int = 0, size=(60, 80)) -> np.ndarray:
    """A box 1 m away before a wall at 3 m, so many columns to the right."""
    depth_m = np.full(size, 3.0, np.float32)
    depth_m[15:45, 20 + shift : 60 + shift] = 1.0
    return depth_m


class TwoModes(MapPredictor):
    """Right as points, two columns off as a map."""

    def encode(self, image, *, focal_px):
        scene = super().encode(image, focal_px=focal_px)
        scene.depth_map = lambda *, fast: np.roll(scene.depth_m, 2, axis=1)
        return scene


def test_boundaries_of_both_modes_are_those_of_their_maps(tmp_path):
    truth = box_map()
    truth[30, 20] = 0.0  # a hole beside the edge
    report = evaluate(
        TwoModes([box_map(), box_map()]),
        [map_sample(0, truth), map_sample(1, np.full((60, 80), 2.0, np.float32))],
        tmp_path,
        boundaries="sparse",
    )
    valid = truth > 0
    for mode, shift in (("sparse", 0), ("dense", 2)):
        expected = boundary_scores(box_map(shift), truth, valid).to_dict()
        assert getattr(report.boundaries, mode) == pytest.approx(expected)
    assert report.boundaries.sparse["si_f1"] > report.boundaries.dense["si_f1"]
    # The flat wall of the second image has no edge, so the means are the first image's.
    assert report.boundaries.images == 2
    assert report.boundaries.counts["si_f1"] == 1
    lines = format_report(report).splitlines()
    assert any(line.startswith("boundary metrics of 60x80 maps") for line in lines)
    line = next(line for line in lines if line.startswith("si_f1"))
    values = (report.boundaries.sparse["si_f1"], report.boundaries.dense["si_f1"])
    assert line.split() == ["si_f1", "1", "higher", *(f"{value:.4f}" for value in values)]


def test_boundaries_are_in_the_files_and_are_scored_again_from_them(tmp_path):
    report = evaluate(
        TwoModes([box_map()]), [map_sample(0, box_map())], tmp_path, boundaries="sparse"
    )
    written = json.loads((tmp_path / "metrics.json").read_text())["boundaries"]
    assert written["sizes"] == ["60x80"]
    assert written["sparse"] == report.boundaries.sparse
    with (tmp_path / "per_image.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    for name in BOUNDARY_NAMES:
        assert float(row[f"dense_{name}"]) == report.boundaries.dense[name]
    assert score(tmp_path) == report
    assert score(tmp_path, boundaries=False).boundaries is None


def test_the_dense_map_alone_asks_no_point_more(tmp_path):
    asked = []

    class Counting(TwoModes):
        def encode(self, image, *, focal_px):
            scene = super().encode(image, focal_px=focal_px)
            plain = scene.depth_at
            scene.depth_at = lambda points: asked.append(len(points)) or plain(points)
            return scene

    sample = map_sample(0, box_map())
    report = evaluate(Counting([box_map()]), [sample], tmp_path, max_points=10, boundaries="dense")
    assert asked == [10]
    assert report.boundaries.sparse is None
    assert report.boundaries.dense["si_f1"] is not None
    assert " -" in next(x for x in format_report(report).splitlines() if x.startswith("si_f1"))
    # The sparse map is added where it is asked for later, and the answers are kept.
    more = evaluate(Counting([box_map()]), [sample], tmp_path, max_points=10, boundaries="sparse")
    assert asked == [10, 60 * 80]
    assert more.boundaries.dense == report.boundaries.dense
    assert more.boundaries.sparse["si_recall"] is not None


def test_without_the_option_there_are_no_maps_and_no_boundaries(tmp_path):
    report = evaluate(TwoModes([box_map()]), [map_sample(0, box_map())], tmp_path)
    assert report.boundaries is None
    assert not (tmp_path / "maps").exists()
    assert "boundaries" not in format_report(report)


def test_depth_of_another_resolution_has_no_boundaries(tmp_path):
    sample = make_sample(0, depth_size=(3, 4))
    report = evaluate(
        MapPredictor([np.ones((6, 8), np.float32)]), [sample], tmp_path, boundaries="sparse"
    )
    assert report.boundaries is None


def test_boundaries_lie_inside_the_protocols_crop_and_range(tmp_path):
    truth = np.full((480, 640), 3.0, np.float32)
    truth[20:40, 100:300] = 1.0  # outside the Eigen crop
    evaluate(MapPredictor([truth]), [map_sample(0, truth)], tmp_path, boundaries="dense")
    native, bts = score_all(tmp_path, ["native", "bts"])
    assert native.boundaries.dense["si_recall"] is not None
    assert bts.boundaries.sizes == ((426, 560),)
    assert bts.boundaries.dense["si_recall"] is None
    assert bts.boundaries.counts["si_recall"] == 0
    assert "boundary metrics of 426x560 maps" in format_report(bts)


def test_boundaries_are_of_aligned_maps(tmp_path):
    truth = box_map()
    relative = 0.1 * truth + 5.0  # edges of 5 %, which an alignment makes whole
    evaluate(MapPredictor([relative]), [map_sample(0, truth)], tmp_path, boundaries="dense")
    native, aligned = score_all(tmp_path, ["native", "native-lsq"])
    assert native.boundaries.dense["si_f1"] == 0
    perfect = boundary_scores(truth, truth, truth > 0)
    assert aligned.boundaries.dense["si_f1"] == pytest.approx(perfect.si_f1, rel=1e-9)


def test_maps_cover_the_part_that_the_network_saw(tmp_path):
    truth = box_map()
    evaluate(MapPredictor([truth]), [map_sample(0, truth)], tmp_path, boundaries="sparse")
    maps = ImageMaps.read(PredictionFolder(tmp_path).maps_path("map/0"))
    np.testing.assert_array_equal(maps.truth_m, truth)
    np.testing.assert_array_equal(maps.sparse_m, truth)


def test_maps_without_edges_are_reported(tmp_path):
    flat, truth = np.full((60, 80), 2.0, np.float32), box_map()
    report = evaluate(
        MapPredictor([flat]), [map_sample(0, truth)], tmp_path / "flat", boundaries="sparse"
    )
    words = (
        "sparse and dense: no edges are predicted where the ground truth has edges, so precision"
    )
    table = " ".join(format_report(report).split())
    assert words in table
    assert "distances are at their maximum of 10 px" in table
    assert max(map(len, format_report(report).splitlines())) <= 80
    report = evaluate(
        TwoModes([truth]), [map_sample(0, truth)], tmp_path / "right", boundaries="sparse"
    )
    assert "no such edges" not in format_report(report)
