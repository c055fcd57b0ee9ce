"""The Ray engine writes the bytes of the local engine, also after a kill; errors are one line."""

import os

import pytest

from helpers.batches import (
    answer,
    bytes_of,
    model,
    parts_of,
    read,
    table,
    write_photos,
    write_table,
)
from helpers.killing import assert_ends, kill_in_the_middle, start

pytest.importorskip("ray", reason='pip install "spd[ray]"')
pytestmark = pytest.mark.slow  # a cluster starts, and each actor loads torch

# Ray's workers give way to everything else (niceness 15); beside other tests they never had a turn.
NICENESS = "RAY_worker_niceness"
RAYS_OWN = "Set ray log level from environment variable"


@pytest.fixture(autouse=True)
def as_good_as_others(monkeypatch):
    monkeypatch.setenv(NICENESS, "0")


@pytest.fixture
def table(tmp_path):
    """1,000 rows over 80 photos, of which one is gone and one row lies outside."""
    photos = [f"photos/{name}" for name in write_photos(tmp_path / "photos", 80)]
    columns = write_table(tmp_path / "table.parquet", photos, 1000).to_pydict()
    columns["u"][444] = 99.0
    write_table(tmp_path / "table.parquet", photos, 1000, u=columns["u"])
    (tmp_path / photos[7]).unlink()
    return tmp_path / "table.parquet"


def finish(process) -> tuple[int, str]:
    """Exit code and stderr, less the one line in which Ray says how little it will say."""
    said = process.communicate(timeout=240)[1].splitlines(keepends=True)
    return process.returncode, "".join(line for line in said if RAYS_OWN not in line)


def test_rows_order_schema_and_bytes_are_those_of_the_local_engine(table, model):
    local, out = table.parent / "local", table.parent / "ray"
    answer(local, model, table, photos_per_part=2)
    code, said = finish(start(table, model, out, "--engine", "ray", "--workers", "2"))
    assert (code, said) == (0, "")
    assert bytes_of(out) == bytes_of(local)
    assert (out / "batch.json").read_text() == (local / "batch.json").read_text()
    assert sum(row["error"] is not None for row in read(out)) == 14


def test_the_same_after_a_kill(table, model):
    local, out = table.parent / "local", table.parent / "ray"
    answer(local, model, table, photos_per_part=2)
    started = kill_in_the_middle(start(table, model, out, "--engine", "ray"), out)
    before = len(parts_of(out))
    assert before < 40
    code, said = finish(start(table, model, out, "--engine", "ray"))
    assert (code, said) == (0, "")
    assert bytes_of(out) == bytes_of(local)
    assert sorted(row["input_row"] for row in read(out)) == list(range(1000))
    assert_ends(started)


def test_a_model_that_actors_cannot_load_is_one_line(table, model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    code, said = finish(start(table, model, table.parent / "out", "--engine", "ray"))
    assert code == 2
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("spd: ")
    assert "model.safetensors" in lines[0]
    assert os.listdir(table.parent / "out")
