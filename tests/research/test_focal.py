"""The comparison of focal lengths: its page shows the committed numbers, and they are right."""

import numpy as np
import pytest
import torch

from helpers.paths import ROOT
from research.focal import (
    FocalRow,
    focal_table,
    format_table,
    from_json,
    promise,
    summarize,
    to_json,
)
from spd.predictors.torch_predictor import Predictor

PAGE = (ROOT / "research" / "focal.md").read_text(encoding="utf-8")


def test_the_pages_table_is_that_of_the_committed_numbers():
    rows = from_json((ROOT / "research" / "focal.json").read_text(encoding="utf-8"))
    assert format_table(rows) in PAGE
    assert promise(rows) in PAGE.replace("\n", " ")
    assert f"--rooms {rows[0].rooms} " in PAGE


def row(factor: float, known: float) -> FocalRow:
    return FocalRow(factor, 60.0, 4, known, 0.01, 0.021, known * 1.2, known * 0.9, 0.5)


def test_the_promise_is_judged_by_the_numbers():
    held = [row(0.5, 0.9), row(0.7, 0.219), row(1.0, 0.2), row(1.4, 0.21)]
    assert (
        "stays within 10% of that at the training one: the worst is +9.5% ± 2.1, at 0.7"
        in promise(held)
    )
    broken = [row(0.7, 0.21), row(1.0, 0.2), row(1.4, 0.23)]
    assert "does not stay within 10%" in promise(broken)
    assert "+15.0% ± 2.1, at 1.4" in promise(broken)
    assert from_json(to_json(held, "shipped")) == held


def test_a_quotient_over_the_same_rooms_is_as_sure_as_leaving_each_out_says():
    generator = np.random.default_rng(0)
    own = generator.uniform(0.1, 0.3, 200)
    other = own * generator.uniform(0.9, 1.4, 200)
    left_out = [np.delete(other, n).mean() / np.delete(own, n).mean() for n in range(200)]
    jackknife = np.sqrt(199 * np.var(left_out))

    found = summarize(1.4, 48.0, np.stack([other, other, other, other], 1), own)
    assert found.against_deviation == pytest.approx(jackknife, rel=0.02)
    assert found.known_deviation == pytest.approx(np.std(other) / 200**0.5)
    # Rooms that are hard are hard through both lenses: the quotient is surer than its parts.
    same = summarize(1.4, 48.0, np.stack([1.1 * own] * 4, 1), own)
    assert same.against_deviation == pytest.approx(0, abs=1e-12)
    assert same.known_abs_rel == pytest.approx(1.1 * own.mean())


def test_rooms_are_scored_with_and_without_the_focal_length(small_model):
    pytest.importorskip("embreex", reason="rooms need it")
    predictor = Predictor(small_model, torch.device("cpu"), "small")
    at_one, longer = focal_table(predictor, 1, factors=(1.0, 1.4), size=(48, 64))
    assert at_one.known_abs_rel == pytest.approx(at_one.unknown_abs_rel, rel=1e-3)  # the same view
    assert longer.known_abs_rel != pytest.approx(longer.unknown_abs_rel, rel=1e-3)
    assert at_one.fov_deg == pytest.approx(63.3, abs=0.1)
    assert np.isfinite([at_one.floor_abs_rel, longer.floor_abs_rel]).all()
