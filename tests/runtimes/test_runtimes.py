"""Exported models answer photos as torch does, and everything that may be wrong is named."""

import json
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image

import spd
from helpers import exports
from helpers.checkpoints import save_checkpoint
from spd.cli import run
from spd.errors import CheckpointError, ConfigError, InputError, MissingExtraError, PointError
from spd.evaluation.settings import EvaluationSettings
from spd.files import file_sha256
from spd.predictors.torch_predictor import Predictor
from spd.runtimes import open_export
from spd.runtimes.engines import check_bfloat16, openvino_core
from spd.runtimes.folder import ENCODE, EXPORT, QUERY

RUNTIMES = ["onnxruntime", "openvino"]

# Small photos at the focal length of a large camera cover a few degrees, of which is warned.
pytestmark = pytest.mark.filterwarnings("ignore:the photo covers")


@pytest.fixture(params=RUNTIMES)
def runtime(request) -> str:
    pytest.importorskip(request.param, reason='pip install "spd[export]"')
    return request.param


@pytest.fixture
def oracle() -> Predictor:
    return Predictor(exports.model(), torch.device("cpu"), "test")


@pytest.fixture
def copied(tmp_path):
    return shutil.copytree(exports.exported(), tmp_path / "export")


def focal(factor: float) -> float:
    """The focal length of a photo that has `factor` pixels for each of the model's."""
    return exports.model().config.camera.focal_px * factor


@pytest.mark.parametrize(
    ("size", "factor"),
    [((42, 70), 1.0), ((41, 29), 0.7), ((60, 100), 1.3), ((3, 200), 2.0), ((100, 50), 500.0)],
)
def test_photos_get_the_answers_of_torch(runtime, oracle, size, factor):
    image, focal_px = exports.noise(*size), focal(factor)
    expected = oracle.encode(image, focal_px=focal_px)
    scene = exports.opened(runtime).encode(image, focal_px=focal_px)
    assert scene.plan == expected.plan
    height, width = size
    points = [(-0.5, -0.5), (width - 0.5, height - 0.5), (1.25, 2), (-0.5, height - 0.5)]
    got = scene.depth_at(points)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected.depth_at(points), **exports.CLOSE)
    np.testing.assert_allclose(scene.range_at(points), expected.range_at(points), **exports.CLOSE)


def test_both_depth_maps_are_those_of_torch(runtime, oracle):
    image = exports.noise(50, 61)
    expected = oracle.encode(image, focal_px=focal(1.1))
    scene = exports.opened(runtime).encode(image, focal_px=focal(1.1))
    for fast in (False, True):
        got = scene.depth_map(fast=fast)
        assert (got.shape, got.dtype) == ((50, 61), np.float32)
        np.testing.assert_allclose(got, expected.depth_map(fast=fast), **exports.CLOSE)


def test_an_export_for_one_size_answers_as_torch_there_and_pads_smaller_photos(runtime, oracle):
    predictor = exports.opened(runtime, exports.SIZE)
    image = exports.noise(*exports.SIZE)
    scene = predictor.encode(image, focal_px=focal(1.0))
    expected = oracle.encode(image, focal_px=focal(1.0))
    np.testing.assert_allclose(scene.depth_map(), expected.depth_map(), **exports.CLOSE)
    small = exports.noise(30, 40)
    padded = np.pad(small, ((0, 12), (0, 30), (0, 0)), mode="edge")
    got = predictor.encode(small, focal_px=focal(1.0)).depth_map(fast=True)
    expected_m = oracle.encode(padded, focal_px=focal(1.0)).depth_map(fast=True)[:30, :40]
    np.testing.assert_allclose(got, expected_m, **exports.CLOSE)
    with pytest.raises(
        InputError, match=r"exported for 42 rows and 70 columns; export with --height 70"
    ):
        predictor.encode(exports.noise(60, 90), focal_px=focal(1.0))


def test_points_are_refused_or_nan_as_by_torch(runtime):
    scene = exports.opened(runtime).encode(exports.noise(30, 40), focal_px=focal(1.0))
    assert scene.depth_at([]).shape == (0,)
    with pytest.raises(PointError, match=r"point 1 is \(40, 3\), outside the image of 40 columns"):
        scene.depth_at([(1, 2), (40, 3)])
    got = scene.depth_at([(1, 2), (np.nan, 3), (39.5, 29.5)], outside="nan")
    assert np.isnan(got).tolist() == [False, True, False]


def test_an_unknown_focal_length_is_told_once(runtime, recwarn, monkeypatch):
    predictor = exports.opened(runtime)
    monkeypatch.setattr(predictor, "_warned", set())
    with pytest.warns(UserWarning, match="focal length unknown: assuming .* of 63.3 degrees"):
        predictor.encode(exports.noise(30, 40))
    recwarn.clear()
    predictor.encode(exports.noise(30, 40))
    assert len(recwarn) == 0


def test_several_threads_get_their_own_answers(runtime):
    predictor = exports.opened(runtime)
    photos = [exports.noise(30 + n, 40) for n in range(4)]
    expected = [predictor.encode(p, focal_px=focal(1.0)).depth_map() for p in photos]
    got: dict[int, np.ndarray] = {}

    def ask(n: int) -> None:
        got[n] = predictor.encode(photos[n], focal_px=focal(1.0)).depth_map()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(4):
        np.testing.assert_allclose(got[n], expected[n], rtol=1e-6)


ASK = """
import sys
from spd.cli import run
from spd.runtimes import open_export
scene = open_export(sys.argv[1], threads=1).encode(sys.argv[2], focal_px=52.0)
print(float(scene.depth_at([(3, 4)])[0]), float(scene.range_at([(3, 4)])[0]))
print(scene.depth_map(fast=True).shape)
assert run(["query", sys.argv[2], "--points", "3,4", "-m", sys.argv[1], "--csv",
            "--focal-px", "52"]) == 0
import spd
spd.load(sys.argv[1])
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""


def test_neither_python_nor_the_command_load_torch(tmp_path):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    Image.fromarray(exports.noise(48, 64)).save(tmp_path / "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(exports.exported()), str(tmp_path / "photo.png")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (lines[1], lines[-1]) == ("(48, 64)", "[]")
    asked = [float(cell) for cell in lines[3].split(",")]
    assert asked[2:4] == pytest.approx([float(x) for x in lines[0].split()], abs=1e-4)


def test_load_takes_exports_and_says_what_computes():
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    predictor = spd.load(exports.exported())
    assert predictor.device == "cpu, onnxruntime float32"
    assert (predictor.kind, predictor.config) == ("metric", exports.model().config)
    assert spd.load(exports.exported() / EXPORT).source == str(exports.exported())
    settings = EvaluationSettings.of(predictor, data="x")
    assert settings.weights_sha256 == file_sha256(exports.exported() / EXPORT)
    for asked, pattern in [
        ({"runtime": "torch"}, "is an exported model, which torch cannot run"),
        ({"runtime": "tflite"}, "unknown runtime 'tflite'"),
        ({"precision": "float16"}, "unknown precision 'float16'"),
        ({"precision": "bfloat16", "runtime": "onnxruntime"}, "not support bfloat16 on a CPU"),
        ({"precision": "int8"}, "has no int8 encoder for onnxruntime; create one with: spd"),
        ({"device": "cuda"}, "computes on the CPU"),
    ]:
        with pytest.raises(ConfigError, match=pattern):
            spd.load(exports.exported(), **asked)
    with pytest.raises(ConfigError, match="threads must be a whole number from 1 to 1024, got 0"):
        open_export(exports.exported(), threads=0)


def test_bfloat16_is_refused_where_openvino_would_quietly_compute_float32():
    check_bfloat16(["FP32", "BF16", "INT8"])
    with pytest.raises(ConfigError, match="no bfloat16 instructions"):
        check_bfloat16(["FP32", "INT8", "BIN"])


def test_bfloat16_is_what_openvino_then_computes(oracle):
    pytest.importorskip("openvino", reason='pip install "spd[export]"')
    if "BF16" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16 instructions")
    predictor = open_export(exports.exported(), "openvino", "bfloat16", threads=1)
    image = exports.noise(42, 70)
    got = predictor.encode(image, focal_px=focal(1.0)).depth_map()
    expected = oracle.encode(image, focal_px=focal(1.0)).depth_map()
    assert 0 < np.abs(got / expected - 1).mean() < 0.02  # bfloat16 has 8 bits


def test_weights_are_torchs_unless_an_export_of_them_lies_beside(tmp_path):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    folder = tmp_path / "model"
    save_checkpoint(exports.model(), folder)
    with pytest.raises(CheckpointError, match="is a checkpoint without an export; create one with"):
        spd.load(folder, runtime="onnxruntime")
    with pytest.raises(ConfigError, match="torch computes in float32, not in int8"):
        spd.load(folder, precision="int8")
    shutil.copytree(exports.exported(), folder / "onnx")
    with pytest.raises(CheckpointError, match="was exported from different weights"):
        spd.load(folder, runtime="onnxruntime")
    data = json.loads((folder / "onnx" / EXPORT).read_text())
    data["weights_sha256"] = file_sha256(folder / "model.safetensors")
    (folder / "onnx" / EXPORT).write_text(json.dumps(data))
    assert spd.load(folder, runtime="onnxruntime").device == "cpu, onnxruntime float32"
    assert isinstance(spd.load(folder, runtime="torch"), Predictor)


@pytest.mark.parametrize("name", [ENCODE, QUERY])
def test_a_changed_truncated_or_missing_graph_is_refused(copied, name):
    content = (copied / name).read_bytes()
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    for wrong in (content[: len(content) // 2], bytes(changed), b""):
        (copied / name).write_bytes(wrong)
        with pytest.raises(CheckpointError, match=f"{name} is truncated or modified"):
            open_export(copied)
    (copied / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        open_export(copied)


def test_a_graph_that_the_runtime_refuses_is_named(runtime, copied):
    (copied / QUERY).write_bytes(b"no graph at all")
    data = json.loads((copied / EXPORT).read_text())
    data["files"][QUERY]["sha256"] = file_sha256(copied / QUERY)
    (copied / EXPORT).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=rf"{runtime} cannot load .*query\.onnx") as caught:
        open_export(copied, runtime)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda d: d | {"format": 2}, "has format 2, but this version of spd reads format 1"),
        (lambda d: [d], "has format None"),
        (lambda d: {k: v for k, v in d.items() if k != "opset"}, "lacks the key 'opset'"),
        (lambda d: d | {"model": {"dim": -1}}, "is damaged .*dim"),
        (lambda d: d | {"files": None}, "is damaged"),
    ],
)
def test_another_export_json_is_refused(copied, change, pattern):
    data = json.loads((copied / EXPORT).read_text())
    (copied / EXPORT).write_text(json.dumps(change(data)))
    with pytest.raises(CheckpointError, match=pattern):
        open_export(copied)
    (copied / EXPORT).write_text("{")
    with pytest.raises(CheckpointError, match="is damaged; export the model again"):
        open_export(copied)
    (copied / EXPORT).unlink()
    with pytest.raises(CheckpointError, match=r"contains no export\.json; create an export"):
        open_export(copied)


def test_a_runtime_that_is_not_installed_names_the_extra(monkeypatch, capsys, tmp_path):
    Image.fromarray(exports.noise(48, 64)).save(tmp_path / "photo.png")
    folder = exports.exported()
    for name in RUNTIMES:
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingExtraError, match=rf"this needs {name}, which is not installed"):
            open_export(folder, name)
    with pytest.raises(MissingExtraError, match="this needs onnxruntime, which is not installed"):
        spd.load(folder)
    words = ["query", str(tmp_path / "photo.png"), "--points", "3,4", "-m", str(folder)]
    assert run([*words, "--runtime", "openvino"]) == 2
    assert capsys.readouterr().err == (
        "spd: this needs openvino, which is not installed; install it with: pip install "
        '"spd[export]"\n'
    )
