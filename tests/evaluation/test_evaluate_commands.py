"""`spd evaluate` with protocols and boundaries, and `spd score`."""

import json
import subprocess
import sys

import numpy as np
import pytest
import typer.main

from helpers.checkpoints import save_checkpoint
from helpers.fakes import FakePredictor, MapPredictor, make_sample, map_sample
from spd.cli import run, spread_lists
from spd.cli.commands import app
from spd.evaluate import evaluate
from spd.evaluation.baselines import ConstantDepth


@pytest.fixture
def asked(capsys):
    """Runs a command in this process: its exit code, what it printed, what it complained."""

    def ask(*words):
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ask


@pytest.fixture
def model(small_model, tmp_path):
    save_checkpoint(small_model, tmp_path / "model")
    return tmp_path / "model"


def test_one_pass_with_several_protocols_baselines_and_boundaries(
    asked, model, rgbd_folder, tmp_path
):
    out = tmp_path / "out"
    words = ["evaluate", model, "--data", f"{rgbd_folder}:val", "-o", out, "--device", "cpu"]
    more = ["--protocol", "native,native-median", "--protocol", "dav2", "--boundaries"]
    training = ["--training-data", f"{rgbd_folder}:train"]
    code, printed, err = asked(*words, *more, *training)
    assert (code, err) == (0, "")
    for name in ("native", "native-median", "dav2"):
        assert f"protocol {name}: native pixels" in printed
    assert printed.count("boundary metrics of 48x64 maps") == 3
    assert "reused" not in printed
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["floors"]["constant"]["name"] == "constant (training)"
    # The three training frames are 1 m at the top to 4 m at the bottom: row 23 of 48 is the median.
    assert metrics["floors"]["constant"]["metres"] == round(1 + 3 * 23 / 48, 3)
    assert metrics["boundaries"]["sparse"] is not None
    code, printed, _ = asked(*words, *more)
    assert code == 0
    assert "reused existing predictions for 2 of 2 images" in printed
    # The training data's median is remembered.
    assert json.loads((out / "metrics.json").read_text()) == metrics


def test_the_boundaries_option_takes_a_mode_or_none():
    parser = typer.main.get_command(app)
    for words, expected in (
        (["--boundaries"], ["--boundaries=sparse"]),
        (["--boundaries", "-o", "x"], ["--boundaries=sparse", "-o", "x"]),
        (["--boundaries", "dense", "-o", "x"], ["--boundaries", "dense", "-o", "x"]),
        (["--data", "a", "b", "--boundaries"], ["--data=a", "--data=b", "--boundaries=sparse"]),
    ):
        assert spread_lists(["evaluate", *words], parser) == ["evaluate", *expected]
    words = ["score", "x", "--boundaries"]
    assert spread_lists(words, parser) == words


def test_scoring_again_needs_neither_network_nor_torch(tmp_path):
    truth = np.full((6, 8), 2.0, np.float32)
    evaluate(MapPredictor([3 * truth]), [map_sample(0, truth)], tmp_path)
    code = (
        "import sys; from spd.cli import run; "
        f"run(['score', {str(tmp_path)!r}, '--protocol', 'native-median', '--protocol', 'dav2']); "
        "print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "False"
    assert "protocol native-median: native pixels" in ran.stdout
    assert "protocol dav2: native pixels" in ran.stdout
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["protocol_name"] == "native-median"
    assert metrics["sparse"]["abs_rel"] == pytest.approx(0, abs=1e-12)
    # 6 m where the truth is 2 m, which only dav2 leaves above nothing it clamps.
    assert metrics["other_protocols"][0]["sparse"]["abs_rel"] == pytest.approx(2, rel=1e-12)


def test_scoring_against_the_data_checks_it_and_draws(asked, model, rgbd_folder, tmp_path):
    out = tmp_path / "out"
    asked("evaluate", model, "--data", f"{rgbd_folder}:val", "-o", out, "--device", "cpu")
    (out / "best_median_worst.png").unlink()
    assert asked("score", out)[0] == 0
    assert not (out / "best_median_worst.png").exists()
    assert asked("score", out, "--data", f"{rgbd_folder}:val")[0] == 0
    assert (out / "best_median_worst.png").is_file()
    code, _, err = asked("score", out, "--data", f"{rgbd_folder}:train")
    assert code == 2
    assert "has predictions for frames that" in err
    assert err.count("\n") == 1


def test_a_picture_of_another_protocol_is_removed_where_it_cannot_be_redrawn(asked, tmp_path):
    sample, picture = make_sample(0), tmp_path / "best_median_worst.png"
    evaluate(FakePredictor(), [sample], tmp_path, open_sample={sample.name: sample}.get)
    code, out, _ = asked("score", tmp_path)
    assert (code, picture.is_file(), "removed" in out) == (0, True, False)
    code, out, _ = asked("score", tmp_path, "--protocol", "native-median")
    assert (code, picture.is_file()) == (0, False)
    assert out.splitlines()[-1] == (
        "removed best_median_worst.png, which showed a different protocol; pass --data to redraw it"
    )
    assert "removed" not in asked("score", tmp_path)[1]


def test_boundaries_without_whole_maps_are_refused_and_nothing_is_scored(asked, tmp_path):
    truth = np.full((6, 8), 2.0, np.float32)
    evaluate(MapPredictor([truth]), [map_sample(0, truth)], tmp_path)
    before = (tmp_path / "metrics.json").stat().st_mtime_ns
    code, out, err = asked("score", tmp_path, "--boundaries")
    assert (code, out) == (2, "")
    assert "no full maps, which depth edges need; add them with spd evaluate ... -o" in err
    assert err.count("\n") == 1
    assert (tmp_path / "metrics.json").stat().st_mtime_ns == before
    evaluate(MapPredictor([truth]), [map_sample(0, truth)], tmp_path, boundaries="dense")
    assert asked("score", tmp_path, "--boundaries")[0] == 0


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--protocol", "eigen"], "unknown protocol 'eigen'; choose from native"),
        (["--data", "nowhere"], "no file or folder nowhere"),
        (["--training-data", "nowhere"], "no file or folder nowhere"),
    ],
)
def test_wrong_names_are_refused_before_torch_is_loaded(tmp_path, words, pattern):
    (tmp_path / "data").mkdir()
    argv = ["evaluate", "m", "--data", str(tmp_path / "data"), "-o", str(tmp_path / "o"), *words]
    code = f"import sys; from spd.cli import run; print(run({argv!r}), 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", "False"]
    assert pattern in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        ([], "expected the output folder of an evaluation"),
        (["--protocol", "none"], "unknown protocol 'none'"),
    ],
)
def test_a_folder_without_an_evaluation_cannot_be_scored(asked, tmp_path, words, pattern):
    code, out, err = asked("score", tmp_path, *words)
    assert (code, out) == (2, "")
    assert pattern in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("protocol", ["bts", "bts-flip"])
def test_a_protocol_that_does_not_apply_is_refused_in_one_line(asked, tmp_path, protocol):
    evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    ConstantDepth(2.0, "the median of the training data", True).write(tmp_path / "floor.json")
    code, _, err = asked("score", tmp_path, "--protocol", protocol)
    assert code == 2
    assert "of 480x640 depth, but room/00 has 6x8; use protocol native" in err
    assert err.count("\n") == 1
