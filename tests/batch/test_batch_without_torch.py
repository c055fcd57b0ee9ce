"""`spd batch` on a base installation: the shipped export, without torch; CSV, without pyarrow."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from pyarrow import parquet

import spd
from helpers.batches import write_photos
from spd.batch import BatchInput, BatchSettings, run_batch

pytest.importorskip("onnxruntime", reason="the shipped export needs ONNX Runtime")

PROGRAM = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))  # None: importing it raises ImportError
from spd.cli import run
sys.exit(run(sys.argv[2:]))
"""


def run_hidden(folder, hidden, *words):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, hidden, "batch", *words, "--threads", "1"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def batch(folder, hidden, *words):
    done = run_hidden(folder, hidden, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(file):
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def test_a_batch_runs_without_torch(tmp_path):
    (photo,) = write_photos(tmp_path / "photos", 1)
    batch(tmp_path, "torch,transformers", "photos", "--points", "3,4", "-o", "out")
    (row,) = parquet.read_table(tmp_path / "out" / "part-000000.parquet").to_pylist()
    scene = spd.load(runtime="onnxruntime").encode(tmp_path / "photos" / photo, fov_deg=60)
    assert row["error"] is None
    assert np.isfinite(row["depth_m"])
    assert scene.size == (30, 40)


@pytest.mark.slow
def test_csv_parts_hold_the_values_of_parquet_parts_and_resume_without_pyarrow(tmp_path):
    """Every value reads back equal, and a second run, which has pyarrow, has nothing to compute."""
    write_photos(tmp_path / "photos", 2)
    (tmp_path / "points.csv").write_text(
        'image,u,v,id,note\nphotos/0000.png,3,4.25,007,"a, b"\nphotos/0000.png,99,1,8,\n'
        "photos/0001.png,1e1,x,9,ü\nnone.png,1,1,10,d\n",
        encoding="utf-8",
    )
    words = ("points.csv", "--photos-per-part", "1", "-o")
    batch(tmp_path, "torch,transformers,pyarrow", *words, "csv", "--maps", "npy")
    batch(tmp_path, "torch,transformers", *words, "parquet", "--maps", "npy")
    manifest = json.loads((tmp_path / "csv" / "batch.json").read_text())
    assert manifest["format"] == "csv"
    for part in range(3):
        file = tmp_path / "csv" / f"part-{part:06d}.csv"
        rows = read(file)
        table = parquet.read_table(tmp_path / "parquet" / f"part-{part:06d}.parquet")
        assert list(rows[0]) == table.column_names == list(manifest["columns"])
        for row, wanted in zip(rows, table.to_pylist(), strict=True):
            for name in ("u", "v", "depth_m", "range_m"):
                wanted_text = "" if np.isnan(wanted[name]) else wanted[name]
                assert row[name] == wanted_text or np.float32(row[name]) == np.float32(wanted_text)
            for name in ("image", "id", "note", "error", "map_path"):
                assert row[name] == (wanted[name] or "")
    out = batch(tmp_path, "torch", *words, "csv", "--maps", "npy")
    assert "all rows were already finished" in out


def test_columns_of_a_parquet_input_are_written_as_csv(tmp_path):
    import pyarrow as pa

    write_photos(tmp_path, 1)
    boxes = pa.array([[1, 2], None], pa.list_(pa.int16()))
    table = pa.table({"image": ["0000.png"] * 2, "u": [1, 2], "v": [3, 4], "box": boxes})
    parquet.write_table(table, tmp_path / "t.parquet")
    inputs = BatchInput(inputs=(str(tmp_path / "t.parquet"),))
    run_batch(inputs, BatchSettings(out=tmp_path / "out", table_form="csv"))
    rows = read(tmp_path / "out" / "part-000000.csv")
    assert [row["box"] for row in rows] == ["[1, 2]", ""]
    assert [float(row["depth_m"]) > 0 for row in rows] == [True, True]


def test_parquet_without_pyarrow_is_refused_before_a_photo_is_encoded(tmp_path):
    write_photos(tmp_path / "photos", 1)
    words = ("photos", "--points", "3,4", "-o", "out", "--format", "parquet")
    done = run_hidden(tmp_path, "torch,transformers,pyarrow", *words)
    assert done.returncode == 2
    assert 'pyarrow, which is not installed; install it with: pip install "spd[parquet]"' in (
        done.stderr
    )
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.slow
def test_a_batch_of_a_version_that_wrote_only_parquet_resumes(tmp_path):
    write_photos(tmp_path / "photos", 2)
    words = ("photos", "--points", "3,4", "-o", "out", "--photos-per-part", "1")
    batch(tmp_path, "torch", *words)
    manifest = tmp_path / "out" / "batch.json"
    stored = json.loads(manifest.read_text())
    assert stored.pop("format") == "parquet"
    manifest.write_text(json.dumps(stored))
    assert "all rows were already finished" in batch(tmp_path, "torch", *words)


def test_another_format_is_refused_under_the_name_of_its_option(tmp_path):
    write_photos(tmp_path / "photos", 1)
    words = ("photos", "--points", "3,4", "-o", "out")
    batch(tmp_path, "torch", *words, "--format", "csv")
    done = run_hidden(tmp_path, "torch", *words, "--format", "parquet")
    assert done.returncode == 2
    assert "format was csv and is now parquet; run it with the same settings" in done.stderr
