"""The page shows what its JSON says, and commands write what they promise."""

import json
from pathlib import Path

import pytest
from PIL import Image

from helpers import made_up
from helpers.paths import ROOT
from research.performance import page
from research.performance.__main__ import main

PAGE = ROOT / "research" / "performance.md"


def test_the_documented_numbers_are_those_of_the_committed_json():
    _, measured, _ = page.read_page(PAGE)
    result = page.read_result(PAGE.with_suffix(".json"))
    assert measured.strip() == page.render(result, "images").strip()
    for line in measured.splitlines():
        if line.startswith("!["):
            assert (PAGE.parent / line.split("](")[1].rstrip(")")).is_file()


def test_losses_stand_beside_wins():
    losses = page.render(made_up.result()).split("## Where something else is faster\n\n")[1]
    assert losses.strip().splitlines() == [
        "- K = 1: literal specification is 1.33x as fast",
        "- image to 256 depths, onnxruntime int8: the peer is 1.05x as fast",
    ]


def test_tables_hold_medians_quartiles_shares_and_memory():
    text = page.render(made_up.result())
    assert "| 1,024 | 10.0 ms (9.0 to 12.0) | 10.0 ms (9.0 to 12.0) | 50.0 ms" in text
    # 2 x 160,000 x 1,024 operations in 10 ms are 32.8 of 100 GFLOP/s.
    assert "| SPD | 1,024 | 0.160 | 33% | 30 MB |" in text
    assert "| dense, forward | literal specification | 1.20 s (1.08 to 1.44) | 500 MB |" in text
    assert "| SPD | onnxruntime | int8 | 200 ms (180 to 240) | 190 ms | – | 50 MB |" in text
    assert "3.80 s (quartiles 3.70 to 3.90, 5 steps), 2.30 GB above the 500 MB" in text
    assert "as long as SPD's dense map at K = 10,000" in text


def test_a_page_keeps_its_own_words_and_gets_json_and_pictures(tmp_path, capsys):
    target = tmp_path / "docs" / "speed.md"
    target.parent.mkdir()
    target.write_text(f"before\n{page.BEGIN}\nold numbers\n{page.END}\nafter\n", encoding="utf-8")
    source = tmp_path / "benchmark.json"
    source.write_text(json.dumps(made_up.result()))
    assert main(["page", str(tmp_path), "-o", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{page.BEGIN}\n")
    assert text.endswith(f"{page.END}\nafter\n")
    assert "old numbers" not in text
    assert page.read_page(target)[1].strip() == page.render(made_up.result(), "images").strip()
    assert page.read_result(target.with_suffix(".json")) == made_up.result()
    for name in page.PICTURES:
        with Image.open(tmp_path / "docs" / "images" / name) as picture:
            assert min(picture.size) > 400
            assert len(picture.convert("RGB").getcolors(2**24)) > 50  # lines in several colours
    assert "speed.md" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inference", "--size", "350"], "--size must be HEIGHTxWIDTH"),
        (
            ["inference", "--size", "350x475"],
            "image width must be a multiple of 14",
        ),
        (["inference", "--part", "speed"], "no part 'speed'; there are query, compiled, dense"),
        (["page", "benchmark.json", "-o", "nowhere.md"], "nowhere.md is missing"),
        (["inference", "--data", "nowhere"], "nowhere"),
        (["page", "nowhere.json"], "nowhere.json is missing; write it with"),
        (["page", "other.json"], "other.json is not a result of this version"),
        (["page", "broken.json"], "broken.json is damaged; measure again"),
        (["page", "benchmark.json", "-o", "plain.md"], "plain.md lacks the marks"),
    ],
)
def test_what_cannot_be_measured_or_shown_is_refused_in_one_line(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("other.json").write_text("{}")
    Path("broken.json").write_text("{")
    Path("plain.md").write_text("words")
    Path("benchmark.json").write_text(json.dumps(made_up.result()))
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not Path("benchmark").exists()
