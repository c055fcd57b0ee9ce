"""`spd batch` answers through the shipped export where torch is not installed."""

import subprocess
import sys

import numpy as np
import pytest
from pyarrow import parquet

import spd
from helpers.batches import write_photos

pytest.importorskip("onnxruntime", reason="the shipped export needs ONNX Runtime")

PROGRAM = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None  # importing them raises ImportError
from spd.cli import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_batch_runs_without_torch(tmp_path):
    (photo,) = write_photos(tmp_path / "photos", 1)
    words = ["batch", "photos", "--points", "3,4", "-o", "out"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words, "--threads", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (row,) = parquet.read_table(tmp_path / "out" / "part-000000.parquet").to_pylist()
    scene = spd.load(runtime="onnxruntime").encode(tmp_path / "photos" / photo, fov_deg=60)
    assert row["error"] is None
    assert np.isfinite(row["depth_m"])
    assert scene.size == (30, 40)
