"""`spd export onnx`: what it writes, prints and refuses; int8 and its accuracy."""

import re

import numpy as np
import pytest

from helpers import exports
from helpers.checkpoints import save_checkpoint
from spd.cli import run
from spd.data.sources import open_samples
from spd.errors import InputError
from spd.export.int8 import CalibrationFrames
from spd.runtimes import open_export
from spd.runtimes.folder import ENCODE, ENCODE_INT8, ExportFolder

pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')


@pytest.fixture
def checkpoint(tmp_path):
    save_checkpoint(exports.model(), tmp_path / "model", {"training_median_m": 2.25})
    return tmp_path / "model"


def spd_run(capsys, *words):
    code = run([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_int8_encoder_is_smaller_and_scored(
    capsys, checkpoint, tmp_path, rgbd_folder, monkeypatch
):
    exports.exported()
    exports.use_made_graphs(monkeypatch)
    out = tmp_path / "out"
    code, said, err = spd_run(
        capsys, "export", "onnx", checkpoint, "-o", out, "--int8", "--calibrate", rgbd_folder
    )
    assert (code, err) == (0, "")
    found = re.findall(
        r"int8 in (\w+), (\d) frames: AbsRel ([\d.]+) -> ([\d.]+) \([+-][\d.]+ %\)", said
    )
    assert found
    assert {frames for _, frames, *_ in found} == {"2"}  # of five: three calibrate, two score
    assert "opset 20, image size any multiple of 14" in said
    folder = ExportFolder.read(out)
    assert (folder.source, folder.training_median_m) == (str(checkpoint), 2.25)
    for runtime, _, before, after in found:
        assert (out / ENCODE_INT8[runtime]).stat().st_size < (out / ENCODE).stat().st_size
        image = exports.noise(48, 64)
        exact, rough = (
            open_export(out, runtime, precision, 1).encode(image, focal_px=52.0).depth_map()
            for precision in ("float32", "int8")
        )
        assert 0 < np.abs(rough / exact - 1).mean() < 0.05  # 8 bits of a range are 0.4 % of it
        assert float(after) == pytest.approx(float(before), rel=0.05)


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (
            ["--height", "43", "--width", "70"],
            "height must be a multiple of 14 and",
        ),
        (["--height", "42"], "--height and --width go together"),
        (["--int8"], "--int8 and --calibrate go together"),
        (["--calibrate", "nowhere"], "--int8 and --calibrate go together"),
        (["--int8", "--calibrate", "nowhere"], "nowhere"),
    ],
)
def test_wrong_options_are_refused_in_one_line(capsys, checkpoint, tmp_path, words, pattern):
    code, _, err = spd_run(capsys, "export", "onnx", checkpoint, "-o", tmp_path / "out", *words)
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert re.search(pattern, err), err
    assert not (tmp_path / "out").exists()


def test_a_missing_model_and_an_existing_folder_are_refused(capsys, checkpoint, tmp_path):
    code, _, err = spd_run(capsys, "export", "onnx", tmp_path / "none", "-o", tmp_path / "out")
    assert (code, "none" in err) == (2, True)
    code, _, err = spd_run(capsys, "export", "onnx", checkpoint, "-o", checkpoint)
    assert (code, "is the input" in err) == (2, True)


def test_calibration_and_scoring_frames_are_disjoint(rgbd_folder):
    samples = open_samples([str(rgbd_folder)])
    drawn = CalibrationFrames.draw(samples, 2)
    names = [[s.name for s in part] for part in (drawn.calibrate, drawn.score)]
    assert names == [["frame-0.png", "frame-2.png"], ["frame-1.png", "frame-3.png"]]
    with pytest.raises(InputError, match="at least 2 frames"):
        CalibrationFrames.draw([samples[0]], 4)


def test_a_missing_package_names_its_extra(capsys, checkpoint, tmp_path, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else found(name)
    )
    code, _, err = spd_run(capsys, "export", "onnx", checkpoint, "-o", tmp_path / "out")
    said = "spd: this needs onnxscript, which is not installed; install it with: pip install"
    assert (code, err) == (2, f'{said} "spd[export]"\n')
