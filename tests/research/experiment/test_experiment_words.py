"""What the experiment says of its numbers: digits, verdicts of equals, and a busy machine."""

import pytest

from research.command import stage
from research.experiment.config import ExperimentConfig
from research.experiment.names import busy_words, decimals, verdict_words
from research.experiment.summary import Comparison, Spread, Summary
from research.experiment.text import results_text
from spd.errors import ConfigError

NUMBERS = {
    "v15.2": {
        "AbsRel": Spread(0.2385, 0.0519, (0.2, 0.3)),
        "si_f1": Spread(0.0, 0.0, (0.0, 0.0)),
        "dbe_tum_accuracy_px": Spread(6.981, 4.2695, (4.0, 10.0)),
    },
    "bilinear": {
        "AbsRel": Spread(0.2161, 0.0017, (0.2, 0.2)),
        "si_f1": Spread(0.0, 0.0, (0.0, 0.0)),
        "dbe_tum_accuracy_px": Spread(41.2345, 44.1, (10.0, 72.0)),
    },
}


def page(load: str = "0.5", numbers=NUMBERS, extra=(), bands=None, joint=()) -> str:
    pair = ("v15.2", "bilinear")
    baseline = {"name": "f", "abs_rel": 0.3, "rmse": 1.0, "delta1": 0.4}
    baseline |= {"bands": bands} if bands else {}
    sets = ["held_out", *(f"extra_{n}" for n in range(len(extra)))]
    return results_text(
        Summary(
            config=ExperimentConfig().to_dict(),
            extra=extra,
            numbers=numbers,
            training={name: {"parameters": 1, "steps": 2, "seconds": 3.0} for name in NUMBERS},
            comparisons=(
                Comparison("AbsRel", *pair, 0.0224, -0.4, 0.4, "undecided"),
                Comparison("si_f1", *pair, 0.0, 0.0, 0.0, "undecided"),
            ),
            baselines={key: {"constant": baseline, "image_median": baseline} for key in sets},
            latency={
                "machine": {
                    "processor": "a processor", "cores": 2, "torch_threads": 1, "torch": "2",
                    "load_average": load,
                },
                "milliseconds": {name: {"K=1": 1.0, "dense": 2.0} for name in NUMBERS},
            },
            attention=[],
            joint=dict(joint),
            joint_comparisons=(
                (Comparison("AbsRel", *pair, -0.1, -0.2, -0.05, "ahead"),) if joint else ()
            ),
        )
    )  # fmt: skip


def test_digits_are_those_of_the_column_and_not_of_the_value():
    assert [decimals(n) for n in ("AbsRel", "si_f1", "dbe_tum_accuracy_px")] == [4, 4, 2]
    assert "| v15.2 | 0.0000 ± 0.0000 | 6.98 ± 4.27 |" in page()
    assert "| bilinear | 0.0000 ± 0.0000 | 41.23 ± 44.10 |" in page()


def test_what_is_the_same_in_every_seed_is_said_to_be():
    assert verdict_words("si_f1", "undecided", (0.0, 0.0), 0.0) == "no edges found by either"
    assert verdict_words("si_f1", "undecided", (0.0, 0.0), 0.5) == "equal"
    assert verdict_words("dbe_tum_accuracy_px", "undecided", (0.0, 0.0), 10.0) == "equal"
    assert verdict_words("si_f1", "undecided", (-0.1, 0.1), 0.0) == "undecided"
    assert verdict_words("si_f1", "ahead", (0.1, 0.1), 0.1) == "ahead"
    said = "AbsRel +0.0224 (-0.4000 to +0.4000): undecided. At edges: "
    assert f"{said}si_f1: no edges found by either." in page()


def test_models_trained_jointly_stand_beside_the_baselines():
    joint = {name: {"AbsRel": Spread(0.1, 0.01, (0.09, 0.11))} for name in NUMBERS}
    part = page(joint=joint).partition("### Trained jointly")[2].partition("###")[0]
    assert "for 400 more steps from the heads of 2 seeds" in part
    assert "| bilinear | 0.1000 ± 0.0100 |" in part
    assert "| baseline: f | 0.3000 | 1.0000 | 0.4000 |" in part
    assert "**v15.2 against bilinear**: AbsRel -0.1000 (-0.2000 to -0.0500): ahead." in part
    assert "jointly" not in page()


def test_a_load_beyond_the_cores_is_cautioned_of_beside_the_times():
    assert busy_words({"cores": 2, "load_average": "2.0"}) is None
    assert busy_words({"cores": 2}) is None
    caution = busy_words({"cores": 2, "load_average": "7.0"})
    assert caution.startswith("Caution: the load average was 7.0 on 2 cores, so calls waited")
    assert "Caution" not in page("2.0")
    times = page("7.0").partition("### Milliseconds")[2]
    assert times.index(caution) < times.index("| v15.2 | 1.00 | 2.00 |")


def test_a_bare_word_is_a_string_as_for_spd_train():
    changed = ExperimentConfig.with_changes(["trunk_weights=shipped"])
    assert changed.trunk_weights == "shipped"
    assert changed == ExperimentConfig.with_changes(['trunk_weights="shipped"'])


@pytest.mark.parametrize("given", ["v15.2", '"v15.2"', "[v15.2]", "v15.2,bilinear"])
def test_a_list_that_is_none_is_answered_with_how_to_quote_one(given):
    with pytest.raises(ConfigError) as caught:
        ExperimentConfig.with_changes([f"variants={given}"])
    answer = str(caught.value).rpartition("quoted for the shell: ")[2]
    assert answer.startswith("""'variants=["v15.2","bilinear",""")
    changed = ExperimentConfig.with_changes([answer.strip("'")])
    assert changed.variants == ExperimentConfig().variants


def test_where_there_is_no_terminal_a_stage_is_one_line_when_it_begins(capsys):
    with stage("measuring latency") as told:
        assert capsys.readouterr().err == "measuring latency\n"
        for done in range(3):
            told(done, 3)
    assert capsys.readouterr().err == ""


def test_real_frames_are_tabled_by_distance_to_the_edge_with_the_baselines():
    numbers = {
        name: of
        | {
            f"{number} extra_0": Spread(mean, 0.01, (mean, mean))
            for number, mean in (
                ("AbsRel", 0.5), ("delta1", 0.25), ("gap, mean (m)", 0.0625),
                ("AbsRel 0-1 px", 0.75), ("delta1 >8 px", 0.125), ("si_f1", 0.375),
            )
        }
        for name, of in NUMBERS.items()
    }  # fmt: skip
    text = page(numbers=numbers, extra=("frames:val",), bands={"AbsRel 0-1 px": 0.875})
    edges = text.partition("### Real frames, by distance to the edge")[2].partition("###")[0]
    assert "Of `frames:val`; a hole has no edge." in edges
    assert "| v15.2 | 0.7500 ± 0.0100 |  |  |  |  |  |  |  |  | 0.1250 ± 0.0100 |" in edges
    assert "| baseline: f | 0.8750 |  |" in edges
    more = text.partition("### Real frames, gap of the modes and boundaries")[2].partition("###")[0]
    assert "|  | gap, mean (m) | si_f1 |" in more
    assert "| bilinear | 0.0625 ± 0.0100 | 0.3750 ± 0.0100 |" in more
    assert "Both baselines are constant maps without edges" in more
    # The tables of the rooms stay the rooms' own.
    rooms = text.partition("### Held-out rooms")[2].partition("###")[0]
    assert "AbsRel extra_0 | delta1 extra_0 |" in rooms
    assert rooms.count("extra_0") == 2
    boundaries = text.partition("### Boundaries of whole maps")[2].partition("###")[0]
    assert "extra_0" not in boundaries
    nearest = text.partition("### By distance to the nearest true edge")[2].partition("###")[0]
    assert "| baseline: f | 0.8750 |" in nearest


def test_a_summary_from_before_has_no_table_of_real_frames_edges():
    numbers = {
        name: of | {f"{n} extra_0": Spread(0.5, 0.01, (0.5, 0.5)) for n in ("AbsRel", "delta1")}
        for name, of in NUMBERS.items()
    }
    text = page(numbers=numbers, extra=("frames:val",))
    assert "Real frames" not in text
    assert "AbsRel extra_0" in text
    assert "\n\n\n" not in text


def test_the_page_holds_every_setting_the_machine_and_every_comparison():
    text = page("1.5", extra=("frames:val",))
    for row in (
        "| seeds | 5 |", "| held out rooms | 100 |", "| data | frames:val |",
        "| processor | a processor |", "| load_average | 1.5 |",
    ):  # fmt: skip
        assert row in text.partition("### What was trained")[0]
    every = text.partition("### Every comparison")[2]
    assert "| v15.2 against bilinear | AbsRel | +0.0224 | -0.4000 to +0.4000 | undecided |" in every
    assert "| si_f1 | +0.0000 | +0.0000 to +0.0000 | no edges found by either |" in every
