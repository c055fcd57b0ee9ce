"""A published model's folder is read completely, or refused in one line that names the file."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import spd
from helpers import tiny_peers
from spd.errors import CheckpointError


@pytest.fixture
def folder(tmp_path):
    return tiny_peers.write_peer(tmp_path / "peer", *tiny_peers.metric_depth_anything())


def refused(folder, said):
    with pytest.raises(CheckpointError, match=said) as error:
        spd.load(folder, device="cpu")
    assert "\n" not in str(error.value)


def change(folder, edit):
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_folder_and_its_weights_file_are_the_same_model(folder):
    photo = tiny_peers.make_photo(20, 30)
    by_folder, by_file = (
        spd.load(source, device="cpu") for source in (folder, folder / "model.safetensors")
    )
    assert by_folder.kind == "metric"
    assert by_folder.source == str(folder)
    plain = json.loads(json.dumps(by_folder.config.to_dict()))
    assert (plain["kind"], plain["model_type"]) == ("metric", "depth_anything")
    assert plain["network"]["max_depth"] == 20
    asked = [(3, 4), (20.5, 7)]
    answers = [p.encode(photo).depth_at(asked) for p in (by_folder, by_file)]
    assert (answers[0] == answers[1]).all()


def test_a_hub_model_is_taken_from_where_the_client_puts_it(folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, allow_patterns: folder)
    loaded = spd.load("somebody/depth", device="cpu")
    assert (loaded.source, loaded.kind) == ("somebody/depth", "metric")


def test_a_hub_model_without_safetensors_is_refused(folder, monkeypatch):
    (folder / "model.safetensors").unlink()
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, allow_patterns: folder)
    refused("somebody/depth", r"somebody/depth has no model\.safetensors; weights in other formats")


def test_weights_in_half_precision_answer_in_float32(folder):
    change(folder, lambda w: w.update({name: tensor.half() for name, tensor in w.items()}))
    scene = spd.load(folder, device="cpu").encode(tiny_peers.make_photo(20, 30))
    assert scene.depth_map().dtype == "float32"


def test_a_missing_processor_is_refused(folder):
    (folder / "preprocessor_config.json").unlink()
    refused(folder, r"preprocessor_config\.json is missing, but the model needs its preprocessing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not a JSON object with image processor settings"),
        ("[]", "is not a JSON object with image processor settings"),
        ('{"image_processor_type": "ViTImageProcessor"}', "is for ViTImageProcessor; depth_any"),
        ("{}", "is for None; depth_anything needs DPTImageProcessor"),
        ('{"image_processor_type": "DPTImageProcessor", "size": "big"}', "has invalid settings"),
    ],
)
def test_a_wrong_processor_is_refused(folder, text, said):
    (folder / "preprocessor_config.json").write_text(text)
    refused(folder, said)


@pytest.mark.parametrize("name", ["DPTImageProcessorFast", "DPTImageProcessorPil"])
def test_other_names_of_the_same_processor_are_known(folder, name):
    settings = tiny_peers.DPT_PROCESSOR | {"image_processor_type": name}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    assert spd.load(folder, device="cpu").kind == "metric"


def test_weights_cut_off_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refused(folder, "cannot be loaded as depth_anything; is it complete")


def test_a_missing_tensor_is_refused_by_name_and_never_filled_at_random(folder):
    change(folder, lambda w: w.pop("head.conv2.bias"))
    refused(folder, r"lacks tensor 'head\.conv2\.bias'; is the file complete")


def test_a_tensor_of_another_shape_is_refused(folder):
    change(folder, lambda w: w.update({"head.conv2.bias": torch.zeros(5)}))
    refused(folder, "cannot be loaded as depth_anything")


def test_tensors_that_no_answer_uses_may_be_missing(folder):
    photo = tiny_peers.make_photo(20, 30)
    before = spd.load(folder, device="cpu").encode(photo).depth_map()

    def drop(weights):
        for name in [n for n in weights if "fusion_stage.layers.0.residual_layer1." in n]:
            del weights[name]

    change(folder, drop)
    assert (spd.load(folder, device="cpu").encode(photo).depth_map() == before).all()


def test_a_config_that_transformers_refuses_is_one_line(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"neck_hidden_sizes": "many"}))
    refused(folder, "cannot be loaded as depth_anything")


def test_loading_leaves_transformers_talk_as_it_was(folder, capfd):
    from transformers.utils import logging

    logging.enable_progress_bar()
    before = logging.get_verbosity()
    spd.load(folder, device="cpu")
    assert logging.is_progress_bar_enabled()
    assert logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
