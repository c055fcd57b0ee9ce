"""No message names a way that is closed: what it recommends works for the model it is said of."""

import json

import pytest

from spd.checkpoints.folder import CONFIG, WEIGHTS
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
    assert ("--int8 --calibrate DATA" in said) == (asked.get("precision") == "int8")
    assert find_own(str(tmp_path / "model"), "exported") == tmp_path / "model"
