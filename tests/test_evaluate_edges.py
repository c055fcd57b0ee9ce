"""Accuracy near edges, through the whole evaluation: rooms with one edge, errors known by hand."""

import json

import pytest

from fakes import FakePredictor, make_sample
from spd.evaluate import evaluate, format_report
from spd.evaluation.near_edges import format_bands, mean_bands
from spd.metrics.edges import BandScore


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
