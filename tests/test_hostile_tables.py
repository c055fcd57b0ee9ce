"""Readers of points, calibrations and batch tables, on files made by attackers or accidents.

An answer, or one clear error: never another exception, never a crash, never a long wait.
"""

import csv
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import spd
from helpers.hostile import SOAK, TEXTS, VALUES, attack, mutated, refusal
from spd.batch.cells import point_lists
from spd.batch.columns import text_column
from spd.batch.inputs import BatchInput, read_rows
from spd.batch.manifest import BATCH, check_settings
from spd.cli.points import read_points
from spd.errors import BatchError, InputError, PointError
from spd.scenes.calibration import Calibration

POINTS = [[320, 240], [100.5, 57], {"u": 3, "v": 4}]
ROWS = [
    {"image": "a.jpg", "u": 1.5, "v": 2, "focal_px": 500.0},
    {"image": "b.jpg", "u": 3, "v": 4, "focal_px": 500.0},
]
LISTS = [{"image": "a.jpg", "points": "[[1, 2], [3.5, 4]]"}, {"image": "b.jpg", "points": "[]"}]
MANIFEST = {"schema": 2, "model": "shipped", "table_form": "csv", "columns": {"u": "double"}}


def as_csv(rows: list[dict]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[dict]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def rows_of(path: Path) -> object:
    return read_rows(BatchInput(inputs=(str(path),)))


def settings_of(path: Path) -> object:
    return check_settings(path.parent, MANIFEST)


CALIBRATION = {
    "format": 1, "scale": 1.5, "points": 4, "spread": 0.1, "left_out": 0.2, "focal_known": True,
    "model": "shipped",
}  # fmt: skip
CASES: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "points.json": ("points.json", json.dumps(POINTS).encode(), read_points),
    "points.csv": ("points.csv", as_csv([{"u": 1, "v": 2.5}, {"u": 3, "v": 4}]), read_points),
    "points.parquet": ("p.parquet", as_parquet([{"u": 1, "v": 2}] * 9), read_points),
    "calibration.json": (
        "calibration.json",
        json.dumps(CALIBRATION).encode(),
        lambda path: Calibration.read(path).verdict(),
    ),
    "table.csv": ("table.csv", as_csv(ROWS), rows_of),
    "lists.csv": ("lists.csv", as_csv(LISTS), rows_of),
    "table.parquet": ("table.parquet", as_parquet(ROWS * 5), rows_of),
    "lists.parquet": (
        "lists.parquet",
        as_parquet([{"image": "a.jpg", "points": [[1.0, 2.0], [3.0, 4.0]]}] * 5),
        rows_of,
    ),
    "batch.json": (BATCH, json.dumps(MANIFEST).encode(), settings_of),
}


def changed_table(whole: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        rows = [dict(row) for row in csv.DictReader(io.StringIO(whole.decode()))]
        row = rng.choice(rows)
        value = rng.choice([*VALUES, *(text.decode("latin-1") for text in TEXTS)])
        row[rng.choice(list(row))] = value if isinstance(value, str) else json.dumps(value)
        return as_csv(rows).replace(b"\xed", b"x") if "\ud800" not in str(value) else whole
    return mutated(whole, rng)


@pytest.mark.soak
@pytest.mark.parametrize("name", CASES)
def test_a_hostile_table_is_an_answer_or_one_clear_error(name, tmp_path):
    file, whole, read = CASES[name]
    path = tmp_path / file
    path.write_bytes(whole)
    change = changed_table if file.endswith(".csv") else None
    attack(path, lambda: read(path), name, 200 * (100 if SOAK else 1), change)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:12]) + str(len(text)))
@pytest.mark.parametrize("name", CASES)
def test_other_content_is_an_answer_or_one_clear_error(name, text, tmp_path):
    file, _, read = CASES[name]
    (tmp_path / file).write_bytes(text)
    refusal(lambda: read(tmp_path / file), name)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[" * 900 + "]" * 900, "nested too deeply"),
        ('{"points":' * 100_000, "nested too deeply"),
        (f"[[{'9' * 5000}, 1]]", "number of thousands of digits"),
        (f"[[{'9' * 400}, 1]]", r"point 1 of 1 is \[\[?9999"),
        ('["12"]', "point 1 of 1 is"),
        ("[[true, 1]]", "point 1 of 1 is"),
        ("[[1, 2, 3]]", "point 1 of 1 is"),
        ("[5]", "point 1 of 1 is 5"),
        ("u,v\n1,2\n" + "x" * 200_000 + ",1", "line 3: field larger than field limit"),
        ("u,v\n" + "x" * 90_000 + ",1", r"line 2 is 'xxx.*\.\.\.; expected u,v"),
    ],
)
def test_points_that_are_none_are_told_in_one_line(text, pattern, tmp_path, monkeypatch):
    before = csv.field_size_limit(131072)
    try:
        (tmp_path / "points").write_text(text)
        told = refusal(lambda: read_points(tmp_path / "points"), text[:40])
    finally:
        csv.field_size_limit(before)
    assert isinstance(told, PointError)
    with pytest.raises(PointError, match=pattern):
        raise told


@pytest.mark.parametrize(
    "cell", ["[" * 100_000, f"[[{'9' * 400}, 1]]", f"[[{'9' * 5000}, 1]]", '["12"]', "[[true, 2]]"]
)
def test_a_cell_that_holds_no_points_is_an_error_of_its_row_alone(cell):
    errors: dict[int, str] = {}
    points, rows = point_lists(text_column(["[[1, 2]]", cell, "[[3, 4]]"]), errors)
    assert rows.tolist() == [0, 1, 2]
    assert points[[0, 2]].tolist() == [[1, 2], [3, 4]]
    assert np.isnan(points[1]).all()
    assert list(errors) == [1]
    assert "expected [[u, v], ...]" in errors[1]


def test_a_damaged_manifest_is_told(tmp_path):
    for text in ("[" * 100_000, "9" * 5000, "[]"):
        (tmp_path / BATCH).write_text(text)
        with pytest.raises(BatchError, match="is damaged"):
            check_settings(tmp_path, MANIFEST)


def test_parquet_cells_that_are_no_numbers_are_told(tmp_path):
    path = tmp_path / "p.parquet"
    for cell in (True, b"1", "x", None, [1], {"a": 1}):
        path.write_bytes(as_parquet([{"u": 1, "v": 2}] * 0 + [{"u": cell, "v": 2.0}]))
        with pytest.raises(PointError, match=r"row 0: u is .* expected numbers"):
            read_points(path)
    table = pa.table([[1], [2], [3]], names=["u", "v", "u"])
    parquet.write_table(table, path)
    with pytest.raises(PointError, match="columns u and v, one of each"):
        read_points(path)


def test_an_endless_device_ends_in_an_error(monkeypatch):
    monkeypatch.setattr("spd.cli.points.MOST_BYTES", 2**20)
    with pytest.raises(InputError, match="/dev/zero cannot be read: it is larger than 1 MiB"):
        read_points(Path("/dev/zero"))
    with pytest.raises(InputError, match="cannot be read: is a directory"):
        read_points(Path("/dev"))


@pytest.mark.parametrize("text", ["u,v\n3,4\n", "[[3, 4]]", '{"points": [{"u": 3, "v": 4}]}'])
def test_points_come_from_a_pipe(text, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as other:
        other.submit(pipe.write_text, text)
        points = read_points(pipe)
    assert [(point.u, point.v) for point in points] == [(3, 4)]


def test_the_command_reads_points_from_standard_input(tmp_path):
    words = ["query", str(spd.example_photo()), "--focal-px", "518.9", "--csv", "--points-file"]
    answers = [
        subprocess.run(
            [sys.executable, "-m", "spd", *words, name],
            input=content,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for name, content in [
            ("/dev/stdin", b"u,v\n3,4\n"),
            ("/dev/fd/0", as_parquet([{"u": 3, "v": 4}])),
        ]
    ]
    assert answers[0] == answers[1]
    assert len(answers[0].splitlines()) == 2
