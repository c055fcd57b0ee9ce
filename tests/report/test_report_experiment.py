"""An experiment as a page: its figures are the stored ones, and only a verdict marks a winner."""

import base64
import dataclasses
import json
import re
import subprocess
import sys

import pytest

from helpers.experiment_folders import PICTURES, SHORT, SHORT_DENSE, known_summary, write_experiment
from helpers.page_outline import Outline
from helpers.report_folders import HOSTILE, write_evaluation
from spd.cli import run
from spd.errors import DataError
from spd.report.report import write_report


def page_of(folder) -> str:
    return write_report([folder]).read_text(encoding="utf-8")


@pytest.fixture
def page(tmp_path) -> str:
    return page_of(write_experiment(tmp_path / "experiment"))


def rows_of(page: str, table: str) -> dict[str, list[str]]:
    return {row[0][0]: [text for text, _ in row[1:]] for row in Outline(page).tables[table][1:]}


def marked(page: str, table: str) -> list[str]:
    """The texts that stand out as the best."""
    part = page[page.index(f'id="{table}"') :]
    return re.findall(r'class="best">([^<]*)<', part[: part.index("</table>")])


def test_the_lead_says_where_it_stands_overall_at_edges_and_beside_the_floors(page):
    lead = re.search(r'<p class="lead">(.*?)</p>', page).group(1)
    assert lead == (
        "On 7 held-out rooms v15.2 has AbsRel 0.1000 ± 0.0100 over 2 seeds: ahead of v15.1 and "
        "bilinear. Within 1 px of a depth edge it has 0.3000 ± 0.0100: ahead of bilinear, behind "
        "v15.1. Of the floors, which see no photo, “constant (training)” gets 0.3500 and “image "
        "median” gets 0.2500: they are beaten."
    )
    assert "<title>Experiment: v15.2 against other local paths</title>" in page
    tiles = re.findall(r'<li><span class="label">(.*?)</span><strong>(.*?)</strong>', page)
    assert tiles == [
        ("v15.2: AbsRel", "0.1000"), ("v15.2: AbsRel at edges", "0.3000"),
        ("floor: constant (training)", "0.3500"), ("floor: image median", "0.2500"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.3, "“image median” is not beaten."), (0.35, "none is beaten."), (0.2, "they are beaten.")],
)
def test_a_floor_that_is_not_beaten_is_named(tmp_path, mean, verdict):
    folder = write_experiment(tmp_path / "experiment", known_summary(variants=("v15.2",)))
    stored = json.loads((folder / "summary.json").read_text())
    stored["numbers"]["v15.2"]["AbsRel"]["mean"] = mean
    (folder / "summary.json").write_text(json.dumps(stored))
    lead = re.search(r'<p class="lead">(.*?)</p>', page_of(folder)).group(1)
    assert lead.endswith(verdict)


def test_accuracy_is_that_of_the_summary_with_its_spread_and_the_floors_beside_it(page):
    rows = rows_of(page, "table-accuracy")
    assert rows["v15.2"] == ["0.1000 ± 0.0100", "0.5000 ± 0.0100", "0.9000 ± 0.0100"]
    assert rows[SHORT_DENSE] == ["0.4000 ± 0.0100", "0.9000 ± 0.0100", "0.5000 ± 0.0100"]
    assert rows["floor: constant (training)"] == ["0.3500", "1.5000", "0.4000"]
    assert list(rows) == [
        "v15.2", "v15.1", "bilinear", SHORT, SHORT_DENSE,
        "floor: constant (training)", "floor: image median",
    ]  # fmt: skip
    assert "2.500 m everywhere, the median of the rooms" in page


def test_a_winner_is_marked_only_where_verdicts_decide_it(page):
    # v15.2 is ahead of both in AbsRel and delta1; in RMSE the least of means is undecided.
    assert marked(page, "table-accuracy") == ["0.1000 ± 0.0100", "0.9000 ± 0.0100"]
    # At 0-1 px it is behind v15.1 and ahead of bilinear: v15.1. At 1-2 px it is behind both, which
    # were not compared with each other: nobody. Beyond 8 px v15.1 is undecided: nobody.
    assert marked(page, "table-edges-absrel") == ["0.2500 ± 0.0100"]
    assert marked(page, "table-boundaries") == ["0.5000 ± 0.0100"]  # bilinear has none
    assert marked(page, "table-distances") == ["3.00 ± 0.01"]
    assert "Bold: decided to be the best of v15.2, v15.1 and bilinear" in page


def test_edges_and_boundaries_stand_in_tables_and_what_is_missing_is_a_dash(page):
    edges = rows_of(page, "table-edges-absrel")
    assert edges["v15.1"] == ["0.2500 ± 0.0100", "0.1000 ± 0.0100", "–", "–", "0.0600 ± 0.0100"]
    assert "table-edges-delta1" not in Outline(page).tables  # no such number was stored
    assert rows_of(page, "table-boundaries")["bilinear"] == ["–"]
    assert rows_of(page, "table-distances")["v15.2"] == ["12.34 ± 0.01"]
    assert rows_of(page, "table-distances")["v15.1"] == ["3.00 ± 0.01"]  # digits of the column
    heads = [text for text, _ in Outline(page).tables["table-boundaries"][0]]
    assert heads == ["local path", "F1 Depth Pro ↑"]
    assert "on whole maps of 3 held-out rooms of 320x240" in page
    assert "but of v15.1, where that takes too long" in page


def test_comparisons_say_the_verdict_in_words_with_a_sign_and_the_interval(page):
    rows = rows_of(page, "table-pair-0")
    assert rows["AbsRel\u00a0↓"] == ["▲ ahead", "-0.1000", "-0.1200 to -0.0800", "0.1000", "0.2000"]
    assert rows["AbsRel 0-1 px\u00a0↓"][:2] == ["▼ behind", "+0.0500"]
    assert rows["Depth Pro, F1\u00a0↑"][:2] == ["▲ ahead", "+0.2500"]
    assert rows_of(page, "table-pair-0-all")["RMSE (m)\u00a0↓"][0] == "○ undecided"
    assert len(rows_of(page, "table-pair-0-all")) == 8
    assert "Of all 8 numbers v15.2 is ahead in 3, behind in 3 and undecided in 2." in page
    assert len(Outline(page).tables["table-pair-1"]) == 4  # heading, and no F1 of bilinear


def test_whose_comparison_it_is_is_told_by_the_numbers_and_not_by_names(page):
    captions = re.findall(r"<caption><span>(.*? against .*?)</span>", page)
    assert captions[:3] == [
        "v15.2 against v15.1.", "v15.2 against bilinear.", f"{SHORT} against {SHORT_DENSE}.",
    ]  # fmt: skip
    rows = rows_of(page, "table-pair-2")
    assert rows["AbsRel\u00a0↓"] == ["▲ ahead", "-0.1000", "-0.1200 to -0.0800", "0.3000", "0.4000"]


def test_what_is_the_same_in_every_seed_is_no_open_question(tmp_path):
    folder = write_experiment(tmp_path / "experiment")
    stored = json.loads((folder / "summary.json").read_text())
    for name in ("v15.2", "v15.1"):
        stored["numbers"][name]["si_f1"] = {"mean": 0.0, "std": 0.0, "values": [0.0, 0.0]}
    for one in stored["comparisons"]:
        if one["other"] == "v15.1" and one["number"] in ("si_f1", "AbsRel"):
            one.update(difference=0.0, low=0.0, high=0.0, verdict="undecided")
    (folder / "summary.json").write_text(json.dumps(stored))
    page = page_of(folder)
    rows = rows_of(page, "table-pair-0")
    assert rows["Depth Pro, F1\u00a0↑"][0] == "= no edges found by either"
    assert rows["AbsRel\u00a0↓"][0] == "= equal"
    assert (
        "ahead in 1, behind in 3, undecided in 2, equal in 1 and no edges found by either in 1."
        in page
    )
    assert "over 2 seeds: ahead of bilinear, equal to v15.1." in page
    assert "0.9000 ± 0.0100" in marked(page, "table-accuracy")
    assert "0.1000 ± 0.0100" not in marked(page, "table-accuracy")  # equals are not the best


def test_times_of_a_busy_machine_are_cautioned_of(tmp_path):
    folder = write_experiment(tmp_path / "experiment")
    stored = json.loads((folder / "summary.json").read_text())
    for load, cautioned in (("2.0", False), ("7.0", True)):
        stored["latency"]["machine"]["load_average"] = load
        (folder / "summary.json").write_text(json.dumps(stored))
        page = page_of(folder)
        said = '<p class="warning">Caution: the load average was 7.0 on 2 cores, so calls waited'
        assert (said in page) == cautioned
        assert "whatever else it did met all" not in page


def test_latency_and_attention_are_the_known_ones(page):
    assert rows_of(page, "table-latency")["bilinear"] == ["1.50", "2.25", "30.00"]
    # 0.4 and 0.6: mean 0.5, deviation 0.1 * sqrt(2); heads 0.3 and 0.5, 0.5 and 0.7.
    assert rows_of(page, "table-attention") == {
        "stage 2, 0-1 px": ["0.250", "0.500 ± 0.141", "+0.250", "0.400, 0.600"]
    }


def test_the_charts_say_their_figures_to_who_does_not_see_them(page):
    said = re.findall(r"<desc id=[^>]*>(.*?)</desc>", page)
    assert len(said) == 2
    assert "v15.1: 0-1 px 0.250, 1-2 px 0.100, 2-4 px nan, 4-8 px nan, &gt;8 px 0.060" in said[0]
    assert "against v15.1, all: -0.1000 (-0.1200 to -0.0800), ahead" in said[1]
    assert SHORT not in said[1]  # it is not what the subject was compared with


def test_the_five_pictures_are_in_the_page_as_they_are_with_words(tmp_path):
    folder = write_experiment(tmp_path / "experiment")
    outline = Outline(page_of(folder))
    pictures = [known for tag, known in outline.elements if tag == "img"]
    stored = {base64.b64encode((folder / name).read_bytes()).decode() for name in PICTURES}
    assert {str(known["src"]).partition(",")[2] for known in pictures} == stored
    assert len(pictures) == 5
    assert all(len(str(known["alt"])) > 40 for known in pictures)
    assert outline.open == []
    identifiers = [known["id"] for _, known in outline.elements if "id" in known]
    assert len(identifiers) == len(set(identifiers))
    captions = [tag for tag, _ in outline.elements].count("caption")
    assert captions == len(outline.tables)


def test_further_data_has_its_table_and_its_own_floors(tmp_path):
    summary = known_summary(extra=("frames:val", HOSTILE))
    page = page_of(write_experiment(tmp_path / "experiment", summary))
    rows = rows_of(page, "table-extra-1")
    assert rows["v15.1"] == ["0.6000 ± 0.0000", "0.2500 ± 0.0000"]
    assert rows["floor: image median"] == ["0.2500", "0.4500"]
    assert "On frames:val, mean" in page
    assert HOSTILE in "".join(Outline(page).text)
    assert "alert(1)</script>" not in page


def test_real_frames_have_their_edges_gap_and_boundaries_beside_the_rooms(tmp_path):
    folder = write_experiment(
        tmp_path / "experiment", known_summary(extra=("frames:val", "more:val"))
    )
    stored = json.loads((folder / "summary.json").read_text())
    for number, of in enumerate(stored["numbers"].values()):
        for place, name in enumerate(
            ("AbsRel 0-1 px", "AbsRel >8 px", "gap, mean (m)", "si_f1", "dbe_tum_accuracy_px")
        ):
            of[f"{name} extra_1"] = {"mean": number + place / 10, "std": 0.01, "values": []}
    for of in stored["floors"].values():
        of["constant"]["bands"] = {"AbsRel 0-1 px": 0.75, "AbsRel >8 px": 0.5}
    both = {"ours": "v15.2", "other": "v15.1", "difference": -1.0, "low": -1.1, "high": -0.9}
    for name in ("si_f1", "AbsRel 0-1 px"):
        stored["comparisons"].append(both | {"number": f"{name} extra_1", "verdict": "behind"})
    (folder / "summary.json").write_text(json.dumps(stored))
    page = page_of(folder)
    assert "Real frames, by distance to the edge: more:val. AbsRel by distance" in page
    edges = rows_of(page, "table-edges-absrel-extra-1")
    assert edges["v15.1"] == ["1.0000 ± 0.0100", "–", "–", "–", "1.1000 ± 0.0100"]
    assert edges["floor: constant (training)"] == ["0.7500", "–", "–", "–", "0.5000"]
    assert rows_of(page, "table-extra-1")["v15.1"] == [
        "0.6000 ± 0.0000", "0.2500 ± 0.0000", "1.2000 ± 0.0100",
    ]  # fmt: skip
    assert rows_of(page, "table-boundaries-extra-1")["v15.2"] == ["0.3000 ± 0.0100"]
    assert rows_of(page, "table-distances-extra-1")["v15.2"] == ["0.40 ± 0.01"]
    assert rows_of(page, "table-boundaries-extra-1")["floor: image median"] == ["0.0000"]
    assert rows_of(page, "table-distances-extra-1")["floor: constant (training)"] == ["10.00"]
    assert "Depth boundaries on whole maps of more:val, mean" in page
    # The rooms' own tables hold the rooms alone, with their floors near edges.
    assert [text for text, _ in Outline(page).tables["table-boundaries"][0]] == [
        "local path", "F1 Depth Pro ↑",
    ]  # fmt: skip
    rooms = rows_of(page, "table-edges-absrel")
    assert rooms["floor: constant (training)"] == ["0.7500", "–", "–", "–", "0.5000"]
    assert "Of the floors: both floors are maps of one depth, which have no edge" in page
    assert rows_of(page, "table-pair-0-all")["Depth Pro, F1 on more:val\u00a0↑"][0] == "▼ behind"
    assert "AbsRel 0-1 px on more:val\u00a0↓" in rows_of(page, "table-pair-0-all")


def test_models_trained_jointly_have_tables_of_their_own(tmp_path):
    known = known_summary(variants=("v15.2", "v15.1"))
    jointly = {
        name: {n: dataclasses.replace(one, mean=one.mean / 2) for n, one in of.items()}
        for name, of in known.numbers.items()
    }
    ahead = dataclasses.replace(known.comparisons[0], verdict="behind")
    summary = dataclasses.replace(known, joint=jointly, joint_comparisons=(ahead,))
    page = page_of(write_experiment(tmp_path / "experiment", summary))
    assert rows_of(page, "table-accuracy")["v15.2"][0] == "0.1000 ± 0.0100"
    assert rows_of(page, "table-joint-accuracy")["v15.2"][0] == "0.0500 ± 0.0100"
    assert rows_of(page, "table-joint-accuracy")["floor: image median"][0] == "0.2500"
    assert rows_of(page, "table-joint-edges")["v15.1"][0] == "0.1250 ± 0.0100"
    assert rows_of(page, "table-joint-pair-0")["AbsRel\u00a0↓"][0] == "▼ behind"
    assert "together for 400 steps, from the heads of 2 seeds" in page


def test_without_joint_training_the_page_has_no_such_part(page):
    assert "jointly" not in page


def test_results_from_before_real_frames_had_edges_still_make_a_page(tmp_path):
    summary = known_summary(extra=("frames:val",))
    page = page_of(write_experiment(tmp_path / "experiment", summary))
    tables = Outline(page).tables
    assert not [name for name in tables if name.endswith("-extra-0") and name != "table-extra-0"]
    assert list(rows_of(page, "table-edges-absrel"))[-1] == SHORT_DENSE  # no floor was scored there
    assert "Real frames, by distance" not in page


def test_one_variant_alone_is_compared_with_nobody_and_never_marked(tmp_path):
    summary = known_summary(variants=("v15.1",), attention=False)
    page = page_of(write_experiment(tmp_path / "experiment", summary))
    assert "<title>Experiment: v15.1</title>" in page
    assert 'class="best"' not in page
    assert 'id="comparisons"' not in page
    assert 'id="attention"' not in page
    assert len(Outline(page).tables["table-accuracy"]) == 4


@pytest.mark.parametrize("missing", ["summary.json", *PICTURES])
def test_an_experiment_that_was_stopped_is_told_to_go_on(tmp_path, capsys, missing):
    folder = write_experiment(tmp_path / "experiment")
    (folder / missing).unlink()
    assert run(["report", str(folder)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert f"is not finished (no {missing}); the same command goes on" in lines[0]
    assert f"spd experiment -o {folder}" in lines[0]
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("numbers"),
        lambda s: s["numbers"].pop("v15.2"),
        lambda s: s["numbers"].clear(),
        lambda s: s["numbers"]["v15.2"]["AbsRel"].update(mean=float("nan")),
        lambda s: s["comparisons"][0].update(verdict="better"),
        lambda s: s["comparisons"][0].update(other="nobody"),
        lambda s: s["comparisons"][0].pop("ours"),
        lambda s: s["config"].pop("seeds"),
        lambda s: s["floors"]["held_out"]["constant"].pop("rmse"),
        lambda s: s["floors"]["held_out"]["constant"].update(bands={"AbsRel 0-1 px": "much"}),
        lambda s: s["latency"].pop("machine"),
        lambda s: s["attention"][0].update(stage="first"),
    ],
)
def test_a_damaged_summary_is_refused_in_one_line(tmp_path, change):
    folder = write_experiment(tmp_path / "experiment")
    stored = json.loads((folder / "summary.json").read_text())
    change(stored)
    (folder / "summary.json").write_text(json.dumps(stored))
    with pytest.raises(DataError, match=r"summary\.json is damaged; the same command") as caught:
        write_report([folder])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[", "[1]", "null", "\x00"])
def test_a_summary_that_is_no_summary_is_refused(tmp_path, text):
    folder = write_experiment(tmp_path / "experiment")
    (folder / "summary.json").write_text(text)
    with pytest.raises(DataError, match=r"summary\.json is damaged"):
        write_report([folder])


def test_a_picture_that_is_none_is_refused(tmp_path):
    folder = write_experiment(tmp_path / "experiment")
    (folder / "edges.png").write_text("no")
    with pytest.raises(DataError, match=r"edges\.png is damaged; the same spd experiment"):
        write_report([folder])


def test_several_experiments_and_other_kinds_beside_them_are_refused(tmp_path):
    one, two = (write_experiment(tmp_path / name) for name in "ab")
    with pytest.raises(DataError, match="2 experiments do not stand side by side: each compares"):
        write_report([one, two], tmp_path / "x.html")
    other = write_evaluation(tmp_path / "evaluation")
    with pytest.raises(DataError, match=r"is an evaluation \(.*, .* an experiment \("):
        write_report([one, other], tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_the_same_folder_gives_the_same_page_and_names_no_other_file(tmp_path):
    folder = write_experiment(tmp_path / "experiment")
    page = page_of(folder)
    assert page_of(folder) == page
    addresses = [
        str(known[key])
        for _, known in Outline(page).elements
        for key in ("src", "href")
        if key in known
    ]
    assert all(address.startswith(("#", "data:image/")) for address in addresses)


def test_a_page_of_an_experiment_is_made_without_torch(tmp_path):
    folder = write_experiment(tmp_path / "experiment")
    script = (
        "import sys; from spd.cli import run; code = run(['report', sys.argv[1]]); "
        "sys.exit(code or any(m in sys.modules for m in ('torch', 'transformers', 'matplotlib')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
