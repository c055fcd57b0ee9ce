"""Initialising a run from a whole SPD, and the sources that are refused."""

import pytest
import torch

from helpers.checkpoints import save_checkpoint
from spd.config import ModelConfig
from spd.errors import CheckpointError, ConfigError
from spd.models.spd import SPD
from spd.recipes import TrainConfig
from spd.training.start import start_model

SHARED = ("encoder", "neck", "global_path")


def saved(config: ModelConfig, folder) -> SPD:
    torch.manual_seed(1)
    model = SPD(config)
    save_checkpoint(model, folder)
    return model


def fresh(config: ModelConfig) -> SPD:
    torch.manual_seed(2)
    return SPD(config)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


def test_all_weights_are_loaded(small_config, tmp_path):
    theirs = saved(small_config, tmp_path / "theirs")
    model = fresh(small_config)
    assert not same(model, theirs)
    said = start_model(model, TrainConfig(start_from=str(tmp_path / "theirs")))
    assert same(model, theirs)
    assert said == f"all weights initialised from {tmp_path / 'theirs'}"


def test_another_local_path_stays_random_and_is_named(small_config, tmp_path):
    theirs = saved(small_config, tmp_path / "theirs")
    other = small_config.model_copy(update={"local_path": "bilinear_mlp"})
    model, untouched = fresh(other), fresh(other)
    said = start_model(model, TrainConfig(start_from=str(tmp_path / "theirs")))
    assert all(same(getattr(model, part), getattr(theirs, part)) for part in SHARED)
    assert same(model.local_path, untouched.local_path)
    assert said is not None
    assert "is cross_attention, so the local path bilinear_mlp is random" in said


def test_the_camera_is_the_runs_own(small_config, tmp_path):
    saved(small_config, tmp_path / "theirs")
    camera = small_config.camera.model_copy(update={"focal_px": 2 * small_config.camera.focal_px})
    model = fresh(small_config.model_copy(update={"camera": camera}))
    start_model(model, TrainConfig(start_from=str(tmp_path / "theirs")))
    assert model.config.camera == camera


def test_another_shape_is_refused_and_the_model_is_unchanged(small_config, tmp_path):
    saved(small_config.model_copy(update={"head_width": 16}), tmp_path / "theirs")
    model, before = fresh(small_config), fresh(small_config)
    with pytest.raises(
        CheckpointError, match=r"it has head_width 16, but the configuration asks for"
    ):
        start_model(model, TrainConfig(start_from=str(tmp_path / "theirs")))
    assert same(model, before)


def test_the_shipped_model_can_initialise_a_run():
    model = fresh(ModelConfig.small())
    assert start_model(model, TrainConfig(start_from="shipped")) is not None


def test_a_missing_source_is_refused(small_config, tmp_path):
    with pytest.raises(CheckpointError, match="exists but contains no nothing"):
        start_model(fresh(small_config), TrainConfig(start_from=str(tmp_path / "nothing")))


def test_start_from_and_encoder_weights_together_are_refused():
    with pytest.raises(ConfigError, match="start_from and encoder_weights both initialise"):
        TrainConfig(start_from="shipped", encoder_weights="facebook/dinov2-small")


def test_without_either_the_model_stays_random(small_config):
    model, before = fresh(small_config), fresh(small_config)
    assert start_model(model, TrainConfig()) is None
    assert same(model, before)
