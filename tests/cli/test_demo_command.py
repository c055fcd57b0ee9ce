"""`spd demo`: the example room, six answers beside the exact depth, and a picture."""

import csv

import numpy as np
import pytest
from PIL import Image

import spd
from spd.cli import run
from spd.cli.demo import POINTS
from spd.photos.example import EXAMPLE_FOCAL_PX, example_depth_m, example_photo


def test_the_demo_writes_its_files_and_the_answers_of_the_model(tmp_path, capsys):
    assert run(["demo", "-o", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        *("room.png", "points.png", "points.csv")
    }
    with open(tmp_path / "new" / "points.csv", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert [(row["u"], row["v"]) for row in rows] == list(POINTS)
    scene = spd.load().encode(tmp_path / "new" / "room.png", focal_px=EXAMPLE_FOCAL_PX)
    assert [row["depth_m"] for row in rows] == pytest.approx(scene.depth_at(POINTS), abs=1e-3)
    for row in rows:
        assert row["truth_m"] == pytest.approx(example_depth_m()[int(row["v"]), int(row["u"])])
        assert row["error_m"] == pytest.approx(row["depth_m"] - row["truth_m"], abs=2e-4)
        assert f"{row['depth_m']:.3f}" in printed
    with Image.open(tmp_path / "new" / "points.png") as picture:
        assert picture.width > 2 * 640


def test_the_demo_refuses_a_place_that_it_cannot_write(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["demo", "-o", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_example_is_a_photo_with_exact_depth():
    depth_m = example_depth_m()
    with Image.open(example_photo()) as photo:
        assert (photo.size, photo.mode) == ((640, 480), "RGB")
    assert (depth_m.shape, depth_m.dtype) == ((480, 640), np.float32)
    assert 0.5 < depth_m.min() < depth_m.max() < 10  # every pixel has a reading
