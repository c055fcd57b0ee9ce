"""Maps and tables read back by other libraries are the metres that were written."""

import csv
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spd.errors import InputError
from spd.outputs import read_png_depth, table_text, write_npy, write_png, write_table
from spd.outputs.tables import TEXT_OF

DEPTH_M = np.random.default_rng(0).uniform(0.3, 65.0, (40, 60)).astype(np.float32)


def test_npy_is_the_map_bit_by_bit(tmp_path):
    write_npy(DEPTH_M, tmp_path / "depth.npy")
    read = np.load(tmp_path / "depth.npy", allow_pickle=False)
    assert read.dtype == np.float32
    assert (read == DEPTH_M).all()


def test_png_stores_16_bit_millimetres_and_their_scale(tmp_path):
    write_png(DEPTH_M, tmp_path / "depth.png")
    with Image.open(tmp_path / "depth.png") as image:
        assert image.mode == "I;16"
        assert image.text["depth_scale"] == "1000"
        assert image.text["depth_unit"] == "millimetre"
        steps = np.asarray(image)
    assert np.abs(steps / 1000 - DEPTH_M.astype(np.float64)).max() <= 0.0005 + 1e-9
    assert read_png_depth(tmp_path / "depth.png") == pytest.approx(steps / 1000, abs=1e-5)


def test_larger_steps_hold_farther_depth(tmp_path):
    write_png(DEPTH_M * 3, tmp_path / "depth.png", 256)
    read = read_png_depth(tmp_path / "depth.png")
    assert np.abs(read - DEPTH_M * 3).max() <= 0.5 / 256 + 1e-5
    with Image.open(tmp_path / "depth.png") as image:
        assert image.text["depth_scale"] == "256"


def test_pixels_without_a_reading_are_zero(tmp_path):
    depth_m = np.array([[np.nan, np.inf, -1.0, 0.0, 1.5]])
    write_png(depth_m, tmp_path / "depth.png")
    with Image.open(tmp_path / "depth.png") as image:
        assert np.asarray(image).tolist() == [[0, 0, 0, 0, 1500]]
    assert np.isnan(read_png_depth(tmp_path / "depth.png"))[0].tolist() == [True] * 4 + [False]


@pytest.mark.parametrize("metres", [65.536, 1e9, 0.0004])
def test_metres_that_16_bits_cannot_hold_are_refused_not_clipped(tmp_path, metres):
    with pytest.raises(InputError, match=r"0\.0005 to 65\.535 m; .*--png-unit 256"):
        write_png(np.array([[2.0, metres]]), tmp_path / "depth.png")
    assert list(tmp_path.iterdir()) == []
    write_png(np.array([[65.535, 0.001]]), tmp_path / "depth.png")


def test_a_png_without_a_scale_is_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "grey.png")
    for name in ("grey.png", "nowhere.png"):
        with pytest.raises(InputError, match="not a 16-bit depth PNG"):
            read_png_depth(tmp_path / name)
    with pytest.raises(InputError, match="positive number"):
        write_png(DEPTH_M, tmp_path / "depth.png", 0)


ROWS = [
    {"region": "a, b", "points": 12, "median_m": 1.23456789, "p10_m": float("nan")},
    {"region": "c", "points": 7, "median_m": 2.0, "p10_m": float("nan")},
]


def test_csv_and_json_round_to_a_tenth_of_a_millimetre_and_keep_gaps(tmp_path):
    write_table(ROWS, tmp_path / "t.csv", "csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {"region": "a, b", "points": "12", "median_m": "1.2346", "p10_m": ""}
    assert second["median_m"] == "2.0"
    write_table(ROWS, tmp_path / "t.json", "json")
    read = json.loads((tmp_path / "t.json").read_text())
    assert read[0] == {"region": "a, b", "points": 12, "median_m": 1.2346, "p10_m": None}


def test_parquet_holds_all_digits_and_types(tmp_path):
    write_table(ROWS, tmp_path / "t.parquet", "parquet")
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.to_pylist() == [{**row, "p10_m": None} for row in ROWS]
    assert table.schema.field("p10_m").type == pa.float64()
    assert table.schema.field("points").type == pa.int64()


def test_table_columns_are_aligned():
    lines = table_text(ROWS).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["a,", "b", "12", "1.235", "-"]


def test_a_name_that_is_not_utf8_is_an_escape_in_every_table(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    rows = [{"region": name, "median_m": 2.0}]
    for form, text in TEXT_OF.items():
        shown = json.loads(text(rows))[0]["region"] if form == "json" else text(rows)
        assert r"caf\udce9.png" in shown
        shown.encode("utf-8")
    write_table(rows, tmp_path / "t.parquet", "parquet")
    stored = pq.read_table(tmp_path / "t.parquet")
    assert stored["region"].to_pylist() == [r"caf\udce9.png"]
