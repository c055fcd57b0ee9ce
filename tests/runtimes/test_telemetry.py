"""ONNX Runtime writes no device id and no events, unless the user wants it."""

import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")
_ASK = "import spd; spd.load(runtime='onnxruntime').encode(spd.example_photo(), focal_px=443.0)"


def _variables(tmp_path, code=_ASK, **given):
    """Files written below an empty home, and the variables that the process ends with."""
    (tmp_path / "home").mkdir()
    left_out = {"CI", "XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"}
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    env |= {"HOME": str(tmp_path / "home"), "SPD_NATIVE": "0", **given}
    code += "\nimport os; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    written = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    return written, done.stdout.strip()


def test_nothing_is_written(tmp_path):
    written, value = _variables(tmp_path)
    assert written == []
    assert value == "1"


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_users_choice_stays(tmp_path, value):
    _, found = _variables(tmp_path, ORT_DISABLE_TELEMETRY=value)
    assert found == value


@pytest.mark.parametrize(
    "given",
    [
        {"ORT_DISABLE_TELEMETRY": ""},
        {"ORT_TELEMETRY_DISABLED": "1"},
        {"ORT_DISABLE_TELEMETRY": "y"},
    ],
)
def test_only_a_no_to_its_absence_turns_it_on(tmp_path, given):
    code = "from spd.runtimes.onnx_runtime import import_onnxruntime; import_onnxruntime()"
    assert _variables(tmp_path, code, **given) == ([], "1")


def test_quantising_is_as_quiet(tmp_path):
    code = (
        "from spd.runtimes.onnx_runtime import import_onnxruntime; import_onnxruntime()\n"
        "import onnxruntime as o; from onnxruntime import quantization"
    )
    assert _variables(tmp_path, code)[0] == []


def test_it_is_imported_in_one_place_only():
    from pathlib import Path

    source = Path(__file__).parents[2] / "src/spd"
    importing = {
        path.name
        for path in source.rglob("*.py")
        if re.search(r"^ *import onnxruntime", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert importing == {"onnx_runtime.py"}
