"""Full disks, closed pipes, a removed current folder and python -OO under a command."""

import inspect
import os
import subprocess
import sys

import pytest
import typer.main

import spd
from spd.cli.commands import app
from spd.cli.guard import _docstring
from spd.files import write_text

PHOTO = str(spd.example_photo())
COST = ["cost", "--size", "56x56"]
FULL = "/dev/full"


def command(words, cwd=None, **options) -> subprocess.CompletedProcess:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(
        [sys.executable, "-m", "spd", *words], check=False, text=True, cwd=cwd, **options
    )


@pytest.mark.parametrize("words", [COST, ["--help"], ["query", "--help"], ["--version"]])
def test_a_full_disk_under_standard_output_is_one_line(words):
    with open(FULL, "w") as full:
        done = command(words, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "spd: cannot write to standard output: no space left on device\n"


def test_a_failed_write_that_a_library_hides_is_an_error_at_the_end():
    code = """
import contextlib
import spd.cost
from spd import cli

def hide(*_):
    with contextlib.suppress(Exception):
        print("lost", flush=True)
    return "also lost"

spd.cost.cost_command = hide
cli.main(["cost"])
"""
    with open(FULL, "w") as full:
        words = [sys.executable, "-c", code]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "spd: cannot write to standard output: no space left on device\n"


def test_an_answer_that_does_not_fit_is_an_error_and_not_half_an_answer():
    photo = str(spd.example_photo())
    with open(FULL, "w") as full:
        done = command(["query", photo, "--grid", "100x100", "--focal-px", "500"], stdout=full)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == "spd: cannot write to standard output: no space left on device"
    assert "Traceback" not in done.stderr


def test_a_full_disk_under_standard_error_costs_no_answer():
    photo = str(spd.example_photo())
    with open(FULL, "w") as full:
        done = command(["query", photo, "--points", "3,4"], stderr=full)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    with open(FULL, "w") as full:
        done = command(["query", "nothing.png", "--points", "3,4"], stderr=full)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_reader_that_leaves_ends_the_command_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        done = command(COST, stdout=pipe)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_table_in_standard_output_stands_alone():
    words = ["query", str(spd.example_photo()), "--points", "3,4", "--focal-px", "500", "--csv"]
    assert command([*words, "-o", "/dev/stdout"]).stdout == command(words).stdout


def test_closed_streams_are_not_reused_for_files(tmp_path):
    words = f"query {spd.example_photo()} --points 3,4 --focal-px 500 -o {tmp_path}/out.csv"
    shell = f"exec {sys.executable} -m spd {words} >&- 2>&- <&-"
    assert subprocess.run(["sh", "-c", shell], check=False).returncode == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["u", "3.0"]


def test_characters_that_the_terminal_lacks_are_escapes():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = command(["--help"], env=environment)
    assert done.returncode == 0
    done = command(["query", os.fsdecode(b"caf\xe9.png"), "--points", "3,4"], env=environment)
    assert done.stderr == "spd: no image file caf\\udce9.png; check the path\n"


def in_removed_folder(tmp_path, words) -> subprocess.CompletedProcess:
    (tmp_path / "gone").mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from spd.cli import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, *(str(word) for word in words)],
        cwd=tmp_path / "gone", capture_output=True, text=True, check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["query", "photo.png", "--points", "3,4"], "no image file photo.png; check the path"),
        (["demo"], "room.png is relative"),
        (["query", PHOTO, "--points", "3,4", "-o", "out.csv"], "out.csv is relative"),
        (["query", PHOTO, "--map", "map.npy"], "map.npy is relative"),
        (["calibrate", PHOTO, "--known", "3,4,2"], "calibration.json is relative"),
        (["batch", PHOTO, "--grid", "2x2", "-o", "out"], "out is relative"),
        (["batch", "photos", "--grid", "2x2", "-o", "OUT"], "matches photos"),
        (["data", "rooms", "rooms"], "rooms is relative"),
        (["train", "--data", "rooms:train"], "rooms"),
        (["export", "onnx"], "export is relative"),
    ],
)
def test_a_relative_path_in_a_removed_current_folder_is_one_line(tmp_path, words, problem):
    write_text(tmp_path / "x", "")
    done = in_removed_folder(tmp_path, [str(w).replace("OUT", f"{tmp_path}/out") for w in words])
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert problem in done.stderr
    assert "the current folder no longer exists" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    "words",
    [
        COST,
        ["query", PHOTO, "--points", "3,4", "-o", "OUT/a.csv", "--map", "OUT/a.npy"],
        ["demo", "-o", "OUT"],
        ["batch", PHOTO, "--points", "3,4", "--format", "csv", "-o", "OUT"],
        ["calibrate", PHOTO, "--known", "3,4,2", "-o", "OUT/a.json"],
        pytest.param(
            ["data", "rooms", "OUT", "--count", "4", "--val-count", "0", "--height", "28",
             "--width", "28", "--workers", "2"], marks=pytest.mark.slow,
        ),
        pytest.param(
            ["query", PHOTO, "--points", "3,4", "--runtime", "torch"], marks=pytest.mark.slow
        ),
    ],
)  # fmt: skip
def test_absolute_paths_need_no_current_folder(tmp_path, words):
    done = in_removed_folder(tmp_path, [word.replace("OUT", f"{tmp_path}/out") for word in words])
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"out"}


@pytest.fixture
def stripped(tmp_path) -> dict[str, str]:
    """Environment of python -OO, whose compiled files lie outside the package."""
    return os.environ | {"PYTHONOPTIMIZE": "2", "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}


@pytest.mark.slow
def test_help_needs_no_docstrings_at_run_time(stripped):
    for words in (
        ["--help"],
        ["query", "--help"],
        ["data", "--help"],
        ["export", "onnx", "--help"],
    ):
        plain, done = command(words), command(words, env=stripped)
        assert done.returncode == 0
        assert done.stdout == plain.stdout
    assert "Example: spd export onnx" in done.stdout.replace("`", "")


@pytest.mark.slow
def test_a_query_answers_without_docstrings_and_the_network_is_refused_in_one_line(stripped):
    words = ["query", str(spd.example_photo()), "--points", "60,150", "--focal-px", "500"]
    assert command(words, env=stripped).stdout == command(words).stdout
    done = command([*words, "--runtime", "torch"], env=stripped)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("spd: this needs PyTorch and transformers")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["query", "train", "rooms", "onnx"])
def test_the_docstring_from_the_source_is_the_help(name):
    open_ = [typer.main.get_command(app)]
    while (one := open_.pop()).name != name:
        open_ += getattr(one, "commands", {}).values()
    assert inspect.cleandoc(_docstring(one.callback)) == inspect.getdoc(
        inspect.unwrap(one.callback)
    )
