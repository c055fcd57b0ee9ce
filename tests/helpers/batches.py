"""Noise photos, tables of points on them, and readers of a batch's output."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from helpers.checkpoints import save_checkpoint
from spd.batch import BatchInput, BatchSettings, BatchSummary, run_batch
from spd.predictors.model_options import ModelOptions

SIZE = (30, 40)
FOCAL_PX = 33.0


def write_photos(folder: Path, count: int, size=SIZE) -> list[str]:
    """Write photos of noise, no two alike; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(count)
    names = [f"{number:04d}.png" for number in range(count)]
    for name in names:
        pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return names


def write_table(path: Path, photos: list[str], rows: int, **columns) -> pa.Table:
    """Write a table whose rows cycle through the photos, at random points."""
    generator = np.random.default_rng(rows)
    table = {
        "image": [photos[row % len(photos)] for row in range(rows)],
        "u": generator.uniform(-0.5, SIZE[1] - 0.5, rows),
        "v": generator.uniform(-0.5, SIZE[0] - 0.5, rows),
        "focal_px": np.full(rows, FOCAL_PX),
        "label": [f"thing {row}" for row in range(rows)],
        **columns,
    }
    parquet.write_table(pa.table(table), path)
    return pa.table(table)


def answer(out: Path, model: Path, *inputs, given=None, progress=None, **settings) -> BatchSummary:
    """Run a batch in this process, on the CPU."""
    options = ModelOptions(model=str(model), device="cpu", threads=1)
    names = tuple(str(name) for name in inputs)
    return run_batch(
        BatchInput(inputs=names, **(given or {})),
        BatchSettings(out=out, model=options, **settings),
        progress,
    )


def parts_of(out: Path) -> list[Path]:
    return sorted(out.glob("part-*.parquet"))


def read(out: Path) -> list[dict]:
    """All rows in the order of the parts."""
    return [row for path in parts_of(out) for row in parquet.read_table(path).to_pylist()]


def bytes_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in parts_of(out)}


@pytest.fixture
def model(small_model, tmp_path):
    save_checkpoint(small_model, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def table(tmp_path):
    """24 rows that cycle through five photos."""
    photos = [f"photos/{name}" for name in write_photos(tmp_path / "photos", 5)]
    write_table(tmp_path / "table.parquet", photos, 24)
    return tmp_path / "table.parquet"
