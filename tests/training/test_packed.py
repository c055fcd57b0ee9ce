"""Keeping a model as a folder of its own, and the one that comes with the package."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import spd
from helpers.checkpoints import save_checkpoint
from helpers.small_runs import small_recipe
from spd.checkpoints.checkpoint import load_checkpoint, stored_weights
from spd.cli import run as command
from spd.data.sources import open_samples
from spd.errors import CheckpointError
from spd.models.spd import SPD
from spd.predictors.torch_predictor import Predictor
from spd.train import Trainer
from spd.training.runs import Run

CPU = torch.device("cpu")


@pytest.fixture
def finished(small_config, rgbd_folder, tmp_path):
    data = f"{rgbd_folder}:train"
    run = Run.create(tmp_path / "run", small_recipe(small_config), (data,))
    Trainer(run, CPU).fit(open_samples([data], metric_only=True))
    return run


def test_a_packed_model_has_the_weights_of_the_run_in_half_precision(finished, tmp_path, capsys):
    assert command(["pack", str(finished.folder), "-o", str(tmp_path / "packed")]) == 0
    said = capsys.readouterr().out
    model, about = load_checkpoint(tmp_path / "packed")
    parameters = sum(p.numel() for p in model.parameters())
    assert f"{parameters:,} parameters" in said
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    original = stored_weights(load_checkpoint(finished.folder / "checkpoints/step-00000006")[0])
    for name, tensor in stored_weights(model).items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, original[name].half().float())
    assert about["training"]["steps"] == 6
    samples = open_samples(finished.data, metric_only=True)
    depths = np.sort(np.concatenate([sample.depth_m[sample.valid] for sample in samples]))
    lower_median_m = float(depths[(len(depths) - 1) // 2])
    assert about["training_median_m"] == pytest.approx(lower_median_m, abs=0.001)
    assert spd.load(tmp_path / "packed").training_median_m == about["training_median_m"]


def test_packing_overwrites_nothing(finished, tmp_path, capsys):
    (tmp_path / "packed").mkdir()
    assert command(["pack", str(finished.folder), "-o", str(tmp_path / "packed")]) == 2
    assert "already exists" in capsys.readouterr().err
    assert not any((tmp_path / "packed").iterdir())


def test_an_installation_without_its_model_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "spd.checkpoints.folder.__file__", str(tmp_path / "checkpoints" / "folder.py")
    )
    with pytest.raises(CheckpointError, match="was installed without its model"):
        spd.load()


def test_load_without_a_name_loads_the_shipped_model(small_config, monkeypatch, tmp_path):
    save_checkpoint(SPD(small_config), tmp_path / "shipped", {"training_median_m": 2.5})
    monkeypatch.setattr(
        "spd.checkpoints.folder.__file__", str(tmp_path / "checkpoints" / "folder.py")
    )
    for name in (None, "shipped"):
        found = spd.load(name)
        assert isinstance(found, Predictor)
        assert (found.source, found.training_median_m) == ("shipped", 2.5)
        assert found.config == small_config
