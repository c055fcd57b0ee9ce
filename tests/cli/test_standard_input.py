"""`-` and pipes as the photo or as the points of a command; endings of its table."""

import contextlib
import os
from pathlib import Path

import pytest

import spd
from spd.cli import run

PHOTO = spd.example_photo()
CAMERA = ("--focal-px", "518.9", "--csv")


@contextlib.contextmanager
def standard_input(path: Path):
    """Standard input of this process is the file meanwhile."""
    before, file = os.dup(0), os.open(path, os.O_RDONLY)
    try:
        os.dup2(file, 0)
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(file)


@pytest.fixture
def ask(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def said(*words: object) -> tuple[int, str, str]:
        code = run([*map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return said


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_the_photo_is_read_from_standard_input(ask, name):
    words = ("--points", "100,90", *CAMERA)
    _, expected, _ = ask("query", PHOTO, *words)
    with standard_input(PHOTO):
        assert ask("query", name, *words)[:2] == (0, expected)
    with standard_input(PHOTO):
        code, out, _ = ask("calibrate", name, "--known", "100,90,2.5", "--focal-px", 518.9)
    assert code == 0
    assert "fitted to 1 distance)" in out


def test_the_photo_is_read_from_a_pipe(ask):
    reads, writes = os.pipe()
    with os.fdopen(writes, "wb") as file:
        file.write(b"no photo")
    code, _, err = ask("query", f"/dev/fd/{reads}", "--points", "1,1")
    os.close(reads)
    assert code == 2
    assert "is not a readable image" in err


def test_points_are_read_from_standard_input(ask, tmp_path):
    (tmp_path / "p.csv").write_text("v,u\n90,100\n")
    _, expected, _ = ask("query", PHOTO, "--points", "100,90", *CAMERA)
    with standard_input(tmp_path / "p.csv"):
        assert ask("query", PHOTO, "--points-file", "-", *CAMERA)[:2] == (0, expected)


def test_nothing_and_both_from_standard_input_are_refused(ask):
    with standard_input(Path(os.devnull)):
        code, _, err = ask("query", "-", "--points", "1,1")
        assert (code, err) == (2, "spd: standard input is empty\n")
        code, _, err = ask("query", PHOTO, "--points-file", "-")
        assert code == 2
        assert "- has no points" in err
    code, _, err = ask("query", "-", "--points-file", "/dev/stdin")
    assert code == 2
    assert "cannot both be standard input" in err


def test_a_link_for_a_photo_or_points_is_said_to_be_one(ask):
    for words in (
        ("https://a.org/b.jpg", "--points", "1,1"),
        (PHOTO, "--points-file", "http://a/b"),
    ):
        code, _, err = ask("query", *words)
        assert code == 2
        assert "URLs are not fetched" in err


@pytest.mark.parametrize(
    "words", [("-o", "t.xlsx"), ("-o", "t.XLSX", "--csv"), ("-o", "t.ods"), ("-o", "t.jsn")]
)
def test_a_table_of_another_format_is_refused_before_the_photo_is_read(ask, tmp_path, words):
    code, _, err = ask("query", "none.jpg", "--points", "1,1", *words)
    assert code == 2
    assert "the file extension must be one of .csv, .json, .parquet, or .txt for text" in err
    assert not list(tmp_path.iterdir())
