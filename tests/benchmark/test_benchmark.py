"""`spd benchmark` times every step in every runtime; no test asserts how long anything takes."""

import importlib.util
import json
import time

import pytest

from helpers import exports
from helpers.checkpoints import save_checkpoint
from spd.benchmark import steps, timing
from spd.benchmark.steps import POINTS, Benchmark
from spd.benchmark.table import format_result
from spd.benchmark.timing import FEWEST, MOST, time_call
from spd.cli import run

SIZE = (42, 70)
STEPS = ["encode", *(f"query, K = {count:,}" for count in POINTS), "dense map"]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Each step is timed as briefly as possible, on few points."""
    monkeypatch.setattr(
        steps, "time_call", lambda call, seconds, threads: time_call(call, 0.0, threads)
    )


@pytest.fixture
def without_torch(monkeypatch):
    """A machine where torch is not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else found(name)
    )


def steps_of(result, runtime: str) -> list[str]:
    return [row["step"] for row in result["rows"] if row["runtime"] == runtime]


def test_the_command_times_every_step_and_writes_what_it_prints(small_model, tmp_path, capsys):
    save_checkpoint(small_model, tmp_path / "model")
    out = tmp_path / "speed.json"
    arguments = ["benchmark", "-m", str(tmp_path / "model"), "--size", "42x70", "--threads", "1"]
    assert run([*arguments, "-o", str(out)]) == 0
    result, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert printed == f"{format_result(result)}\nwrote all numbers to {out}\n"
    assert (result["size"], result["threads"]) == (list(SIZE), 1)
    assert steps_of(result, "torch") == [*STEPS, "training step, 2 images"]
    for row in result["rows"]:
        low, high = row["quartiles_s"]
        assert 0 < low <= row["median_s"] <= high
        assert row["repeats"] >= FEWEST
        assert row["step"] in printed
    # A checkpoint without an export beside it cannot be asked in other runtimes.
    assert {row["runtime"] for row in result["rows"]} == {"torch"}
    assert set(result["skipped"]) == {"onnxruntime", "openvino"}
    for what, why in result["skipped"].items():
        assert f"not timed: {what}: {why}" in printed
    assert result["machine"]["processor"] in printed
    assert f"load average {result['machine']['load_average']}" in printed


def test_an_export_is_timed_without_torch(without_torch):
    pytest.importorskip("onnxruntime", reason="it computes the export")
    export = str(exports.exported())
    seen = []
    settings = Benchmark(model=export, size=SIZE, threads=1)
    result = settings.run(lambda done, total: seen.append((done, total)))
    assert steps_of(result, "onnxruntime") == STEPS
    assert steps_of(result, "torch") == []
    assert 'not installed; install it with: pip install "spd[torch]"' in result["skipped"]["torch"]
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1]


def test_a_training_step_without_its_packages_is_skipped_with_the_reason(
    small_model, tmp_path, monkeypatch
):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'somewhere'")

    save_checkpoint(small_model, tmp_path / "model")
    monkeypatch.setattr(steps, "_training_step", missing)
    result = Benchmark(model=str(tmp_path / "model"), size=SIZE, threads=1).run()
    assert steps_of(result, "torch") == STEPS
    assert result["skipped"]["training step"] == "No module named 'somewhere'"


def test_the_image_is_by_default_as_large_as_the_training_crop(small_model, tmp_path):
    save_checkpoint(small_model, tmp_path / "model")
    result = Benchmark(model=str(tmp_path / "model"), threads=1).run()
    assert result["size"] == small_model.config.camera.crop_size


def test_the_loop_without_torch_makes_a_few_calls_of_slow_work_and_many_of_fast(without_torch):
    assert time_call(lambda: time.sleep(1e-3), 0.0, 1).repeats == FEWEST
    assert time_call(lambda: None, 60.0, 1).repeats == MOST


def test_median_and_quartiles_are_of_the_measurements():
    found = timing._summary([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.median_s, found.quartiles_s, found.repeats) == (3.0, (2.0, 4.0), 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "350"], "--size must be HEIGHTxWIDTH"),
        (["--size", "0x70"], "--size must be HEIGHTxWIDTH"),
        (["-o", "speed.txt"], "speed.txt must end in .json"),
        (["-m", "nowhere"], "nowhere"),
        (["--threads", "0"], "threads"),
    ],
)
def test_wrong_inputs_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["benchmark", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
