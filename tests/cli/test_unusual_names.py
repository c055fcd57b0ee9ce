"""Photos, frames and outputs whose names are not UTF-8: an answer, or one line that can be read."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from helpers.fakes import FakePredictor, make_sample
from helpers.samples import slanted_sample
from spd.cli import run
from spd.evaluate import evaluate
from spd.report.write import write_report

NAME = os.fsdecode(b"caf\xe9")
SHOWN = r"caf\udce9"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(f"{NAME}.png")
    Image.new("L", (64, 48), 255).save(f"mask {NAME}.png")
    return tmp_path


@pytest.fixture
def pairs(folder):
    """Images beside depth maps, as cameras' owners keep them."""
    for number in range(3):
        sample = slanted_sample()
        for kind in ("rgb", "depth"):
            (folder / "pairs" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(sample.image).save(f"pairs/rgb/{NAME}{number}.png")
        steps = (sample.depth_m * 1000).astype(np.uint16)
        Image.fromarray(steps).save(f"pairs/depth/{NAME}{number}.png")
    return "pairs,focal_px=60"


def test_every_output_of_a_query(folder, capsys):
    words = ["query", f"{NAME}.png", "--mask", f"mask {NAME}.png", "--focal-px", "52"]
    for ending in ("csv", "json", "parquet"):
        assert run([*words, "-o", f"table {NAME}.{ending}"]) == 0
    assert SHOWN.encode() in (folder / f"table {NAME}.csv").read_bytes()
    words += ["--overlay", f"picture {NAME}.png"]
    words += [
        word for form in ("npy", "png", "ply", "glb") for word in ("--map", f"{NAME}0.{form}")
    ]
    assert run([*words, "--csv"]) == 0
    assert f"mask {SHOWN}.png" in capsys.readouterr().out
    for form in ("npy", "png", "ply", "glb"):
        assert (folder / f"{NAME}0.{form}").stat().st_size > 1000


@pytest.mark.slow
def test_data_is_checked_drawn_and_converted(folder, pairs, capsys):
    assert run(["data", "check", pairs]) == 0
    assert run(["data", "sheet", pairs, "-o", f"{NAME}-sheet.png"]) == 0
    assert run(["data", "views", pairs, "--recipe", "rooms_tiny", "-o", "views.png"]) == 0
    assert run(["data", "convert", pairs, f"new {NAME}", "--workers", "1"]) == 0
    assert run(["data", "convert", pairs, f"new {NAME}", "--workers", "1"]) == 0
    assert "0 frames written" in capsys.readouterr().out.splitlines()[-1]
    assert run(["data", "check", f"new {NAME}"]) == 0


def test_a_run_is_refused_where_tensorboard_could_not_write(folder, pairs, capsys):
    words = ["train", "--data", pairs, "--recipe", "rooms_tiny", "-o", f"run {NAME}"]
    assert run(words) == 2
    expected = f"spd: run {SHOWN} is not valid UTF-8; choose a different --out\n"
    assert capsys.readouterr().err == expected


def test_an_evaluation_and_its_report(tmp_path):
    samples = [dataclasses.replace(make_sample(k), name=f"{NAME}{k}") for k in range(3)]
    out = tmp_path / NAME
    evaluate(FakePredictor(), samples, out)
    assert f"{SHOWN}0".encode() in (out / "per_image.csv").read_bytes()
    page = write_report([out]).read_text(encoding="utf-8")
    assert f"{SHOWN}2" in page
