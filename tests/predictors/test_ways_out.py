"""No message names a way that is closed: what it recommends works for the model it is said of."""

import json

import pytest

from spd.checkpoints.folder import CONFIG, WEIGHTS
from spd.cli import run
from spd.cli.early import find_own
from spd.config import ModelConfig
from spd.errors import SPDError
from spd.predictors.model_options import ModelOptions

PEERS = {
    "depth_anything": {"model_type": "depth_anything", "max_depth": 20},
    "glpn": {"model_type": "glpn"},
    "zoedepth": {"model_type": "zoedepth"},
    "depth_pro": {"model_type": "depth_pro"},
}
OWN = {
    name: {"spd": "v15.2", "model": ModelConfig.tiny().to_dict() | {"local_path": name}}
    for name in ("cross_attention", "conv", "bilinear_mlp")
}
ASKED = [
    {"runtime": "openvino"},
    {"runtime": "onnxruntime"},
    {"precision": "int8"},
    {"precision": "bfloat16"},
    {"runtime": "openvino", "precision": "int8"},
]


def refusal(folder, config, **asked):
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(SPDError) as caught:
        ModelOptions(model=folder, **asked).locate()
    return str(caught.value)


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("name", [*PEERS, "conv", "bilinear_mlp"])
def test_a_model_that_cannot_be_exported_is_not_sent_to_export(tmp_path, name, asked):
    said = refusal(tmp_path / "model", (PEERS | OWN)[name], **asked)
    assert "spd export" not in said
    assert "omit the runtime and the precision: it runs only in torch" in said


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_a_model_that_can_be_exported_is(tmp_path, asked):
    said = refusal(tmp_path / "model", OWN["cross_attention"], **asked)
    assert f"spd export onnx {tmp_path / 'model'} -o FOLDER" in said
    assert said.endswith("use FOLDER as the model")
    assert ("--int8 --calibrate DATA" in said) == (asked.get("precision") == "int8")
    assert find_own(str(tmp_path / "model"), "exported") == tmp_path / "model"


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        ({"precision": "int8", "device": "cuda"}, "as the model, without the device"),
        ({"precision": "int8", "runtime": "torch"}, "as the model, without the runtime"),
        (
            {"precision": "int8", "runtime": "torch", "device": "mps"},
            "as the model, without the runtime and the device",
        ),
        ({"precision": "bfloat16", "device": "cuda"}, "; omit the device, so that the export"),
        ({"precision": "bfloat16", "runtime": "torch"}, "; omit the runtime, so that the export"),
        ({"precision": "int8", "runtime": "torch", "device": "cpu"}, "model, without the runtime"),
    ],
    ids=str,
)
def test_the_way_of_an_export_leaves_out_what_exports_refuse(asked, way):
    with pytest.raises(SPDError) as caught:
        ModelOptions(**asked).locate()
    assert way in str(caught.value)


@pytest.mark.parametrize("command", [["export", "onnx"], ["pack"]], ids=" ".join)
def test_a_published_model_is_said_to_be_used_as_it_is(tmp_path, capsys, command):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps(PEERS["depth_anything"]), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(b"")
    assert run([*command, str(folder), "-o", str(tmp_path / "out")]) == 2
    assert f"use it as it is (--model {folder})" in capsys.readouterr().err.replace("\n", "")
    located = ModelOptions(model=folder).locate()
    assert located.runtime == "torch"
    assert located.peer is not None
