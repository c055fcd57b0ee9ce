"""The shipped model's export belongs to its weights, answers as torch does, and is the default."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spd
from helpers import exports
from spd.checkpoints.folder import WEIGHTS, shipped_folder
from spd.files import file_sha256
from spd.predictors.model_options import EXPORT_FOLDER, ModelOptions
from spd.runtimes.folder import ENCODE, QUERY, QUERY_WEIGHTS, ExportFolder


def test_the_shipped_export_is_of_the_shipped_weights_and_the_package_stays_small():
    folder = shipped_folder()
    exported = ExportFolder.read(folder / EXPORT_FOLDER)
    assert exported.weights_sha256 == file_sha256(folder / WEIGHTS)
    assert set(exported.digests) == {ENCODE, QUERY, QUERY_WEIGHTS}
    for name in exported.digests:
        exported.graph(name)  # raises if it was changed
    config = json.loads((folder / "config.json").read_text())
    assert exported.config.to_dict() == config["model"]
    files = [path for path in Path(spd.__file__).parent.rglob("*") if path.is_file()]
    assert sum(p.stat().st_size for p in files if "__pycache__" not in p.parts) < 16e6


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_shipped_export_gives_the_metres_of_torch(runtime):
    pytest.importorskip(runtime, reason='pip install "spd[export]"')
    photo = exports.noise(120, 160)
    points = [(-0.5, -0.5), (159.5, 119.5), (80, 60), (3.25, 100.5)]
    got, expected = (
        spd.load(runtime=name).encode(photo, focal_px=130.0).depth_at(points)
        for name in (runtime, "torch")
    )
    np.testing.assert_allclose(got, expected, **exports.CLOSE)


def test_the_export_answers_unless_another_device_or_runtime_is_named(monkeypatch):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    monkeypatch.setattr("spd.predictors.model_options.gpu_present", lambda: False)
    assert ModelOptions().locate().runtime == "onnxruntime"
    assert ModelOptions(model="shipped", device="cpu").locate().runtime == "onnxruntime"
    assert ModelOptions(device="cuda").locate().runtime == "torch"
    assert ModelOptions(runtime="torch").locate().runtime == "torch"
    monkeypatch.setattr("spd.predictors.model_options.gpu_present", lambda: True)
    assert ModelOptions().locate().runtime == "torch"
    assert ModelOptions(device="cpu").locate().runtime == "onnxruntime"
    monkeypatch.setattr("spd.predictors.model_options.installed_runtimes", lambda precision: [])
    assert ModelOptions(device="cpu").locate().runtime == "torch"


QUERY_IT = """
import sys
from spd.cli import run
assert run(["query", sys.argv[1], "--points", "3,4", "--focal-px", "52", "--csv"]) == 0
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""


def test_the_plain_command_loads_no_torch(tmp_path):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    Image.fromarray(exports.noise(48, 64)).save(tmp_path / "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", QUERY_IT, str(tmp_path / "photo.png")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
