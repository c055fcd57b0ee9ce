"""Beside the gap between the modes stands where they agree, for the models of which it is true."""

import re

import pytest

from helpers.fakes import FakePredictor, make_sample
from spd.config import ModelConfig
from spd.evaluate import evaluate, format_report
from spd.evaluation.mode_agreement import agreement
from spd.report.write import write_report

ON_GRID = "at the cells of the dense grid both agree to 1e-5 m"


class PublishedConfig:
    """The configuration of a published network."""

    def to_dict(self):
        return {"model_type": "depth_anything", "max_depth": 20}


class PublishedPredictor(FakePredictor):
    """A predictor that is no SPD."""

    config = PublishedConfig()


@pytest.mark.parametrize("path", ["cross_attention", "conv", "bilinear_mlp"])
def test_an_spd_agrees_on_its_grid_to_a_tolerance_only_before_alignment(path):
    config = ModelConfig.tiny().to_dict() | {"local_path": path}
    assert ON_GRID in agreement(config, "none")
    assert "agree before alignment" in agreement(config, "median")
    assert "1e-5" not in agreement(config, "median")


def test_a_network_that_answers_points_from_its_map_is_not_said_to_agree():
    assert agreement({"model_type": "depth_anything", "max_depth": 20}, "none") == ""


@pytest.mark.parametrize(
    ("predictor", "said"), [(FakePredictor, True), (PublishedPredictor, False)]
)
def test_the_table_and_the_report_say_it_beside_the_gap(tmp_path, predictor, said):
    report = evaluate(predictor("runs/fake"), [make_sample(0)], tmp_path / "out", data="rooms:test")
    table = re.sub(r"\s+", " ", format_report(report))
    assert re.search(r"gap between sparse and dense: .*max \S+ m \(\S+%\)", table)
    assert (f"; {ON_GRID}" in table) is said
    page = write_report([tmp_path / "out"]).read_text(encoding="utf-8")
    assert "Sparse and dense predictions differ by" in page
    assert (f"; {ON_GRID}" in page) is said
