"""Checkpoints: written whole, loaded strictly, found by any of their names."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import errors
from safetensors.torch import load_file, save_file

import spd
from helpers.checkpoints import save_checkpoint
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.folder import find_checkpoint
from spd.errors import CheckpointError, DataError
from spd.files import atomic_path
from spd.models.spd import SPD


@pytest.fixture
def saved(small_model: SPD, tmp_path: Path) -> Path:
    save_checkpoint(small_model, tmp_path / "model", {"step": 7})
    return tmp_path / "model"


def test_a_saved_model_loads_unchanged(small_model, saved):
    model, about = load_checkpoint(saved)
    assert about == {"step": 7}
    assert model.config == small_model.config
    for name, tensor in small_model.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]


def test_a_folder_its_file_and_its_run_name_the_same_checkpoint(small_model, saved, tmp_path):
    assert find_checkpoint(saved) == saved
    assert find_checkpoint(saved / "model.safetensors") == saved
    run = tmp_path / "run"
    for step in (10, 20, 30):
        save_checkpoint(small_model, run / "checkpoints" / f"step-{step:08d}")
    assert find_checkpoint(run).name == "step-00000030"
    (run / "best.json").write_text(json.dumps({"checkpoint": "step-00000010"}))
    assert find_checkpoint(run).name == "step-00000010"


def test_missing_and_unknown_tensors_are_refused(saved):
    path = saved / "model.safetensors"
    weights = load_file(path)
    lacking = {k: v for k, v in weights.items() if k != "local_path.stage1.q_proj.weight"}
    save_file(lacking, path)
    with pytest.raises(CheckpointError, match=r"lacks tensor 'local_path\.stage1\.q_proj\.weight'"):
        load_checkpoint(saved)
    save_file(weights | {"local_path.extra": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"has unknown tensor 'local_path\.extra'"):
        load_checkpoint(saved)


def test_another_architecture_is_refused(saved):
    config = json.loads((saved / "config.json").read_text())
    config["model"]["head_width"] = 18
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        CheckpointError, match=r"has a different architecture: tensor local_path\.head\.0"
    ):
        load_checkpoint(saved)
    config["model"]["depth"] = 3
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="depth: unknown key"):
        load_checkpoint(saved)


def test_truncated_and_missing_files_are_refused(saved, tmp_path):
    path = saved / "model.safetensors"
    whole = path.read_bytes()
    for length in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_checkpoint(saved)
    (saved / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not a valid checkpoint configuration"):
        load_checkpoint(saved)
    (saved / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load_checkpoint(saved)
    with pytest.raises(CheckpointError, match=r"contains no model\.safetensors"):
        find_checkpoint(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        find_checkpoint(tmp_path / "photo.jpg")


def test_a_name_that_is_neither_a_path_nor_a_hub_id_is_refused():
    with pytest.raises(CheckpointError, match=r"is not a file, a folder or a valid hub id"):
        find_checkpoint("no/such/place/at/all")


def caused(error, cause):
    error.__cause__ = cause
    return error


def answered(kind):
    """The hub's answer to a request, whichever HTTP client is below it."""
    return kind("", response=SimpleNamespace(headers={}, request=None, status_code=404))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionError("no network"), "the network connection failed; try again"),
        (errors.LocalEntryNotFoundError("none"), "the network connection failed; try again"),
        (
            caused(errors.LocalEntryNotFoundError("none"), errors.OfflineModeIsEnabled("off")),
            "the hub client is in offline mode",
        ),
        (
            caused(errors.LocalEntryNotFoundError("none"), answered(errors.HfHubHTTPError)),
            "the hub returned status 404",
        ),
        (
            answered(errors.RepositoryNotFoundError),
            "the model does not exist on the hub, or it is private",
        ),
        (answered(errors.GatedRepoError), "access is gated; accept the terms on the hub's website"),
        (MemoryError("full"), "MemoryError"),
    ],
)
def test_a_failed_download_gives_its_reason_in_one_line(monkeypatch, error, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint("somebody/spd-model")
    beginning = "no local file or folder 'somebody/spd-model', and it could not be downloaded from"
    assert str(caught.value).startswith(f"{beginning} the hub: {words}")
    assert "\n" not in str(caught.value)


def test_a_hub_model_is_loaded_from_the_clients_cache(saved, monkeypatch):
    asked = {}

    def give(name, allow_patterns):
        asked[name] = allow_patterns
        return str(saved)

    monkeypatch.setattr("huggingface_hub.snapshot_download", give)
    assert spd.load("somebody/spd-model", device="cpu").config.dim == 12
    files = ["model.safetensors", "config.json", "preprocessor_config.json"]
    assert asked == {"somebody/spd-model": files}


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail_midway() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"), atomic_path(tmp_path / "file" / "x"):
        pass


def test_a_checkpoint_with_tensor_names_of_another_transformers_loads(small_model, tmp_path):
    save_checkpoint(small_model, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    older = {
        "attention.q_proj": "attention.attention.query",
        "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value",
        "attention.o_proj": "attention.output.dense",
    }
    weights = load_file(path)
    renamed = {}
    for name, tensor in weights.items():
        for new, old in older.items():
            if name.startswith("encoder."):
                name = name.replace(new, old)
        renamed[name] = tensor
    assert renamed.keys() != weights.keys()
    save_file(renamed, path)
    loaded, _ = load_checkpoint(tmp_path / "model")
    expected = small_model.state_dict()
    assert all(torch.equal(tensor, expected[n]) for n, tensor in loaded.state_dict().items())
