"""What is wrong with an export, or with what is asked of it, is one line and exit code 2."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from helpers import exports
from helpers.checkpoints import save_checkpoint
from spd.cli import run
from spd.errors import CheckpointError, ConfigError
from spd.files import file_sha256
from spd.models.spd import SPD
from spd.predictors.loading import load
from spd.runtimes.folder import ENCODE, EXPORT, QUERY

GRAPHS = [ENCODE, QUERY]


@pytest.fixture
def photo(tmp_path) -> str:
    Image.fromarray(exports.noise(48, 64)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def copied(tmp_path) -> Path:
    return shutil.copytree(exports.exported(), tmp_path / "export")


def query_fails(capsys, photo: str, *words: object) -> str:
    """The one line that the command ends with."""
    asked = ["query", photo, "--points", "3,4", "--focal-px", "52", *(str(word) for word in words)]
    assert run(asked) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("spd: ")
    assert len(said.err.splitlines()) == 1
    return said.err


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Another graph, of which `export.json` says that it is the one that was written."""
    (folder / name).write_bytes(content)
    data = json.loads((folder / EXPORT).read_text())
    data["files"][name]["sha256"] = file_sha256(folder / name)
    (folder / EXPORT).write_text(json.dumps(data))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(
    ("field", "pattern"), [("ir_version", "IR version: 99"), ("opset", "opset")]
)
def test_a_newer_onnx_file_than_the_runtime_knows(capsys, photo, copied, name, field, pattern):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    graph = onnx.load(copied / name)
    if field == "opset":
        graph.opset_import[0].version = 99
    else:
        graph.ir_version = 99
    rewrite(copied, name, graph.SerializeToString())
    said = query_fails(capsys, photo, "-m", copied, "--runtime", "onnxruntime")
    assert f"onnxruntime cannot load {copied / name}; is this onnxruntime too old?" in said
    assert pattern in said
    with pytest.raises(CheckpointError, match=pattern):
        load(copied, runtime="onnxruntime")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", GRAPHS)
def test_an_operator_of_tomorrow_and_half_a_file(capsys, photo, copied, runtime, name):
    pytest.importorskip(runtime, reason='pip install "spd[export]"')
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    whole = (copied / name).read_bytes()
    graph = onnx.load(copied / name)
    graph.graph.node[3].op_type = "FromTomorrow"
    rewrite(copied, name, graph.SerializeToString())
    said = query_fails(capsys, photo, "-m", copied, "--runtime", runtime)
    assert f"{runtime} cannot load {copied / name}" in said
    assert "FromTomorrow" in said
    rewrite(copied, name, whole[: len(whole) // 2])
    said = query_fails(capsys, photo, "-m", copied, "--runtime", runtime)
    assert f"{runtime} cannot load {copied / name}" in said
    (copied / name).write_bytes(whole[: len(whole) // 3])  # and this is not what was written
    said = query_fails(capsys, photo, "-m", copied, "--runtime", runtime)
    assert f"{name} is truncated or modified" in said


def test_precisions_that_are_not_to_be_had(capsys, photo, monkeypatch):
    openvino = pytest.importorskip("openvino", reason='pip install "spd[export]"')
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    here = ["-m", exports.exported()]
    said = query_fails(capsys, photo, *here, "--precision", "int8")
    assert "has no int8 encoder for onnxruntime; create one with: spd export onnx" in said
    said = query_fails(capsys, photo, *here, "--runtime", "onnxruntime", "--precision", "bfloat16")
    assert "not support bfloat16 on a CPU" in said
    # a CPU without it, as OpenVINO tells
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8", "BIN"])
    said = query_fails(capsys, photo, *here, "--precision", "bfloat16")
    assert "no bfloat16 instructions" in said
    with pytest.raises(ConfigError, match="no bfloat16 instructions"):
        load(exports.exported(), runtime="openvino", precision="bfloat16")


def test_an_export_of_other_weights_beside_a_checkpoint(capsys, photo, tmp_path):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    folder = tmp_path / "model"
    save_checkpoint(exports.model(), folder)
    shutil.copytree(exports.exported(), folder / "onnx")
    for words in ([], ["--runtime", "onnxruntime"]):
        said = query_fails(capsys, photo, "-m", folder, *words)
        assert "was exported from different weights" in said
        assert "remove it and export again, or use the torch runtime" in said


@pytest.mark.parametrize("local_path", ["conv", "bilinear_mlp"])
def test_a_model_that_has_no_exported_form(capsys, tmp_path, local_path):
    config = exports.model().config.model_copy(update={"local_path": local_path})
    save_checkpoint(SPD(config), tmp_path / "model")
    assert run(["export", "onnx", str(tmp_path / "model"), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert f"local_path '{local_path}' cannot be exported" in said
    assert not (tmp_path / "out").exists()
