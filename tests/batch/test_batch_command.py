"""`spd batch`: commands of its page, exit codes, the summary, errors in one line."""

import re
import shlex
from pathlib import Path

import pytest

from helpers.batches import answer, bytes_of, model, read, table, write_photos, write_table
from helpers.paths import DOCS
from spd.cli import run

PAGE = DOCS / "batch.md"


@pytest.fixture
def command(table, model, capsys, monkeypatch):
    """Runs the command in the table's folder."""
    monkeypatch.chdir(table.parent)

    def runs(*words) -> tuple[int, str, str]:
        code = run(["batch", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return runs


def test_the_command_writes_the_bytes_of_the_python_call_and_resumes(command, table, model):
    answer(table.parent / "python", model, table)
    words = ("table.parquet", "-o", "out", "-m", str(model), "--device", "cpu", "--threads", "1")
    code, out, err = command(*words)
    assert (code, err) == (0, "")
    assert out.startswith("wrote 24 rows for 5 photos to 1 part in out\ncomputed 24 rows in ")
    assert bytes_of(table.parent / "out") == bytes_of(table.parent / "python")
    again = command(*words)
    assert (again[0], again[1].splitlines()[1:]) == (0, ["all rows were already finished"])


def test_rows_with_errors_fail_the_command_only_with_the_option_or_if_all_failed(
    command, table, model
):
    (table.parent / "photos" / "0003.png").unlink()
    (table.parent / "photos" / "0004.png").write_bytes(b"")
    words = ("table.parquet", "-m", "model", "--device", "cpu")
    code, out, _ = command(*words, "-o", "out")
    assert code == 0
    assert "9 rows have errors:\n  5 x no image file" in out
    assert command(*words, "-o", "out", "--fail-on-error")[0] == 1
    for photo in (table.parent / "photos").iterdir():
        photo.unlink()
    code, out, _ = command(*words, "-o", "all")
    assert code == 1
    assert "24 rows have errors:" in out
    assert len(read(table.parent / "all")) == 24


def test_a_warning_of_the_model_is_printed_once(command, table, model):
    code, _, err = command("photos", "--points", "3,4", "-o", "out", "-m", "model")
    assert code == 0
    assert err.count("\n") == 1
    assert err.startswith("warning: focal length unknown")
    assert "spd batch: a table's column focal_px" in err


def test_a_usage_error_names_the_help_of_its_command(command):
    _, _, err = command("photos", "--intrinsics", "1,2,3,4", "-o", "out")
    assert err.startswith("spd: No such option: --intrinsics")
    assert err.endswith("(see spd batch --help)\n")


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["nothing", "-o", "out"], "no file, folder or glob matches nothing"),
        (["table.parquet", "-o", "photos"], "photos exists and is not empty"),
        (["table.parquet", "-o", "table.parquet"], "not a writable folder"),
        (["table.parquet", "-o", "out", "-m", "none/here"], "none/here"),
        (
            ["table.parquet", "-o", "out", "--device", "abacus"],
            "no device 'abacus' on this",
        ),
        (["photos", "-o", "out", "--grid", "0x4"], "--grid must be COLUMNSxROWS"),
        (["photos", "-o", "out", "--points", "3"], "a point must be two numbers, u,v"),
        (["photos", "-o", "out", "--points", "3,4", "--grid", "2x2"], "cannot be combined"),
        (["table.parquet", "-o", "out", "--workers", "0"], "workers"),
    ],
)
def test_wrong_arguments_give_one_line(command, words, pattern):
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"spd: [^\n]*{re.escape(pattern)}[^\n]*\n", err), err


def test_the_commands_of_the_page_run(command, table, model, monkeypatch):
    text = PAGE.read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"^```bash\n(.*?)^```$", text, re.M | re.S)).splitlines()
    commands = [line for line in lines if line.startswith("spd batch")]
    assert len(commands) >= 5
    detections = table.parent / "detections.parquet"
    write_table(detections, [f"photos/{name}" for name in write_photos(Path("photos"), 5)], 20)
    Path("points.csv").write_text("image,u,v\nphotos/0001.png,3,4\n")
    for number, line in enumerate(commands):
        words = shlex.split(line)[2:]
        if "ray" in words or "--workers" in words:
            continue  # test_ray_engine and test_kill run those
        code, out, _ = command(*words, "-m", "model")
        assert code == 0, line
        assert re.match(r"wrote \d+ rows? for \d photos? to 1 part in", out), (number, out)


def test_the_code_of_the_page_runs(command, table, capsys):
    photos = [f"photos/{name}" for name in write_photos(Path("photos"), 5)]
    write_table(table.parent / "detections.parquet", photos, 20)
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    names = {}
    exec(compile(code, "batch.md", "exec"), names)
    assert capsys.readouterr().out == "20 0 {}\n"
    assert names["table"].num_rows == 20
