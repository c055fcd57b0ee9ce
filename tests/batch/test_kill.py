"""Killed batches: every part is complete or missing, and every row is answered once."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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
from spd.batch.engines import ASKED


@pytest.fixture
def table(tmp_path):
    """1,000 rows over 80 photos."""
    photos = [f"photos/{name}" for name in write_photos(tmp_path / "photos", 80)]
    write_table(tmp_path / "table.parquet", photos, 1000)
    return tmp_path / "table.parquet"


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_after_a_kill_every_row_is_there_once_and_the_bytes_are_those_of_a_whole_run(
    table, model, workers
):
    whole, out = table.parent / "whole", table.parent / "out"
    answer(whole, model, table, photos_per_part=2)
    assert len(parts_of(whole)) == 40
    process = start(table, model, out, "--workers", str(workers))
    started = kill_in_the_middle(process, out)
    written, before = bytes_of(out), read(out)
    assert len(before) < 1000
    assert (out / ASKED).exists() == (workers == 1)
    assert written.items() <= bytes_of(whole).items()
    summary = answer(out, model, table, photos_per_part=2)
    assert summary.rows_before == len(before)
    assert bytes_of(out) == bytes_of(whole)
    assert not (out / ASKED).exists()
    assert sorted(row["input_row"] for row in read(out)) == list(range(1000))
    assert_ends(started)


@pytest.mark.slow  # each worker loads torch
def test_a_batch_whose_worker_died_once_goes_on_to_the_same_bytes(table, model):
    whole, out = table.parent / "whole", table.parent / "out"
    answer(whole, model, table, photos_per_part=2)
    computed = {"photos_per_part": 2, "workers": 2}

    killed = []

    def kill_one(done: int, rows: int, failed: int) -> None:
        if done >= 100 and not killed:  # what was answered before may come after that too
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    summary = answer(out, model, table, progress=kill_one, **computed)
    assert killed
    assert (summary.rows, summary.failed) == (1000, 0)
    assert bytes_of(out) == bytes_of(whole)
    assert (out / "batch.json").read_text() == (whole / "batch.json").read_text()


@pytest.mark.slow  # each worker loads torch
def test_a_model_that_workers_cannot_load_is_one_error(table, model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"model.safetensors"):
        answer(table.parent / "out", model, table, workers=2)
