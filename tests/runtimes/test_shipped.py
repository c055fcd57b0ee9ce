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
from helpers.small_service import posted, small_service
from spd.checkpoints.folder import WEIGHTS, shipped_folder
from spd.cli import run
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


@pytest.mark.parametrize("size", [(480, 640), (640, 360), (97, 211), (28, 400)], ids=str)
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_the_default_may_choose_gives_the_metres_of_torch_to_1e_4(runtime, size):
    pytest.importorskip(runtime, reason='pip install "spd[export]"')
    photo = Image.open(spd.example_photo()).convert("RGB").resize(size[::-1])
    points = np.random.default_rng(0).random((200, 2)) * (size[1] - 1, size[0] - 1)
    answers = []
    for name in (runtime, "torch"):
        scene = spd.load(runtime=name).encode(photo, focal_px=0.8 * max(size))
        answers.append(np.concatenate([scene.depth_at(points), scene.depth_map(fast=True).ravel()]))
    assert np.abs(answers[0] / answers[1] - 1).max() < 1e-4


def test_python_the_command_and_the_service_give_one_answer(tmp_path, capsys):
    points = [(3, 4), (320.5, 240.25), (639, 479)]
    photo = Path(spd.example_photo())
    expected = spd.load().encode(photo, focal_px=518.9).depth_at(points)
    words = [f"{u},{v}" for u, v in points]
    table = tmp_path / "table.json"
    options = ["--focal-px", "518.9", "-o", str(table)]
    assert run(["query", str(photo), "--points", *words, *options]) == 0
    told = [row["depth_m"] for row in json.loads(table.read_text(encoding="utf-8"))]
    location = ModelOptions().locate()  # as `spd serve` finds its model
    with small_service(network=location.load()) as client:
        image = posted(client, photo.read_bytes(), focal_px=518.9)
        answer = client.post(f"/v1/images/{image}/points", json={"points": points})
    served = answer.json()["depth_m"]
    np.testing.assert_allclose(told, expected, rtol=0, atol=5.1e-5)  # a table has 0.1 mm
    np.testing.assert_array_equal(np.float32(served), expected)


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
