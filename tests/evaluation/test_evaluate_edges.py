"""Accuracy near edges, through the whole evaluation: rooms with one edge, errors known by hand."""

import json

import pytest

from helpers.fakes import FakePredictor, make_sample
from spd.evaluate import evaluate, format_report
from spd.evaluation.baselines import ConstantDepth
from spd.evaluation.metrics.edges import BandScore
from spd.evaluation.near_edges import format_bands, mean_bands


def test_bands_are_scored_in_both_modes_and_written(tmp_path):
    # 1 m left and 3 m right of the middle of 40 columns; the upper row is a hole. The fake answers
    # 10 % too far as points and 20 % as a map.
    sample = make_sample(0, size=(6, 40))
    report = evaluate(FakePredictor(), [sample], tmp_path / "out", data="rooms")
    bands = {band.band: band for band in report.near_edges}
    assert {name: band.pixels for name, band in bands.items()} == {
        "0-1 px": 4 * 5,
        "1-2 px": 2 * 5,
        "2-4 px": 4 * 5,
        "4-8 px": 8 * 5,
        ">8 px": 22 * 5,
    }
    for band in bands.values():
        assert band.images == 1
        assert band.sparse_abs_rel == pytest.approx(0.1, rel=1e-5)
        assert band.dense_abs_rel == pytest.approx(0.2, rel=1e-5)
        assert (band.sparse_delta1, band.dense_delta1) == (1, 1)
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())["near_edges"]
    assert written == [band.to_dict() for band in report.near_edges]
    assert "2-4 px" in format_report(report)


def test_baselines_are_scored_in_the_same_bands_image_by_image(tmp_path):
    # As above; every band has as many pixels at 1 m as at 3 m.
    constant = ConstantDepth(1.2, "the median of the training data", True)
    report = evaluate(FakePredictor(), [make_sample(0, size=(6, 40))], tmp_path, constant=constant)
    for band in report.near_edges:
        assert band.constant_abs_rel == pytest.approx((0.2 + 1.8 / 3) / 2, rel=1e-12)
        assert band.constant_delta1 == 0.5  # 1.2 / 1, but not 3 / 1.2
        assert band.image_median_abs_rel == pytest.approx((1 + 1 / 3) / 2, rel=1e-12)  # of 2 m
        assert band.image_median_delta1 == 0
    head = next(line for line in format_report(report).splitlines() if "pixels  sparse" in line)
    assert head.split() == ["pixels", *["sparse", "dense", "constant", "median"] * 2]


def test_an_image_counts_only_in_bands_it_has():
    one = tuple((BandScore(2, 0.1, 1.0), BandScore(2, 0.2, 0.5)) for _ in range(5))
    other = tuple((BandScore(0, None, None),) * 2 for _ in range(5))
    for band in mean_bands([one, other]):
        assert (band.images, band.pixels) == (1, 2)
        assert (band.sparse_abs_rel, band.dense_abs_rel) == (0.1, 0.2)
    nothing = mean_bands([other])
    assert nothing[0].to_dict()["sparse_abs_rel"] is None
    assert format_bands(nothing) == []


def test_pooled_bands_count_every_pixel_the_same():
    one = tuple((BandScore(30, 0.1, 1.0), BandScore(30, 0.2, 0.5)) for _ in range(5))
    other = tuple((BandScore(10, 0.5, 0.0), BandScore(10, 0.6, 0.1)) for _ in range(5))
    band = mean_bands([one, other], pooled=True)[0]
    assert (band.images, band.pixels) == (2, 40)
    assert band.sparse_abs_rel == pytest.approx((30 * 0.1 + 10 * 0.5) / 40, rel=1e-12)
    assert band.dense_delta1 == pytest.approx((30 * 0.5 + 10 * 0.1) / 40, rel=1e-12)
    assert mean_bands([one, other])[0].sparse_abs_rel == pytest.approx(0.3, rel=1e-12)


def test_baselines_near_edges_are_means_over_images():
    def image(pixels: int, constant: float, median: float):
        model = BandScore(pixels, 0.1, 1.0), BandScore(pixels, 0.2, 0.5)
        baselines = BandScore(pixels, constant, 0.25), BandScore(pixels, median, 0.75)
        return tuple((*model, *baselines) for _ in range(5))

    several = [image(30, 0.4, 0.3), image(10, 0.8, 0.5)]
    band = mean_bands(several)[0]
    assert (band.sparse_abs_rel, band.dense_delta1) == pytest.approx((0.1, 0.5), rel=1e-12)
    assert band.constant_abs_rel == pytest.approx(0.6, rel=1e-12)
    assert band.image_median_abs_rel == pytest.approx(0.4, rel=1e-12)
    assert (band.constant_delta1, band.image_median_delta1) == (0.25, 0.75)
    pooled = mean_bands(several, pooled=True)[0]
    assert pooled.constant_abs_rel == pytest.approx((30 * 0.4 + 10 * 0.8) / 40, rel=1e-12)
    assert mean_bands(several)[0].to_dict()["constant_abs_rel"] == band.constant_abs_rel


def test_baselines_stand_beside_both_modes_in_the_printed_bands():
    baselines = BandScore(123_456_789, 0.4, 0.25), BandScore(123_456_789, 0.3, 0.75)
    model = BandScore(123_456_789, 0.1, 1.0), BandScore(123_456_789, 0.2, 0.5)
    lines = format_bands(mean_bands([tuple((*model, *baselines) for _ in range(5))]))
    assert lines[2].split() == ["pixels", *["sparse", "dense", "constant", "median"] * 2]
    assert lines[3].split()[2:] == [
        "123,456,789", "0.1000", "0.2000", "0.4000", "0.3000", "1.0000", "0.5000", "0.2500",
        "0.7500",
    ]  # fmt: skip
    assert max(map(len, lines)) <= 80
    # Where baselines were not scored they have no column.
    without = format_bands(mean_bands([(model,) * 5]))
    assert without[2].split() == ["pixels", *["sparse", "dense"] * 2]
