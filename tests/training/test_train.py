"""Runs: they start, stop, resume exactly, and say what is wrong without losing anything."""

import json
import os
import re
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import spd
from helpers.small_runs import CPU, around_steps, losses, small_recipe
from spd.config import ModelConfig
from spd.data.depth_png import write_depth_png
from spd.data.sources import open_samples
from spd.errors import CheckpointError, StoppedError, TrainingError
from spd.recipes import Recipe
from spd.train import Trainer
from spd.training.runs import Run


def recipe(small_config: ModelConfig, **changes) -> Recipe:
    return small_recipe(small_config, **({"steps": 8, "evaluate_every": 4} | changes))


@pytest.fixture
def samples(rgbd_folder):
    return open_samples([f"{rgbd_folder}:train"], metric_only=True)


@pytest.fixture
def held_out(rgbd_folder):
    return open_samples([f"{rgbd_folder}:val"], metric_only=True)


def test_a_run_writes_checkpoints_a_log_and_best_json(small_config, samples, held_out, tmp_path):
    run = Run.create(tmp_path / "run", recipe(small_config), ("data",))
    result = Trainer(run, CPU).fit(samples, held_out)
    assert result.steps == 8
    assert result.images_without_reading == 0
    rows = run.log_rows()
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 9))
    validated = {row["step"]: row["val_abs_rel"] for row in rows if "val_abs_rel" in row}
    assert set(validated) == {4, 8}
    best = json.loads((run.folder / "best.json").read_text())
    assert best["val_abs_rel"] == min(validated.values()) == result.best_abs_rel
    names = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    assert names[-1] == "step-00000008"
    assert set(names) <= {"step-00000004", "step-00000006", "step-00000008"}
    loaded = spd.load(run.folder, device="cpu")
    assert loaded.encode(samples[0].image, focal_px=50.0).depth_at([(3, 4)]).shape == (1,)


@pytest.mark.parametrize("objective", ["query", "dense"])
def test_resuming_continues_the_same_curve_and_ends_with_the_same_weights(
    small_config, samples, tmp_path, objective
):
    settings = recipe(small_config, objective=objective)
    whole = Run.create(tmp_path / "whole", settings, ("data",))
    Trainer(whole, CPU).fit(samples)
    cut = Run.create(tmp_path / "cut", settings, ("data",))
    first = Trainer(cut, CPU)
    stop_after(first, 5)
    with pytest.raises(StoppedError, match="--resume"):
        first.fit(samples)
    again = Trainer(Run.open(cut.folder), CPU)
    again.restore()
    assert again.step == 5
    again.fit(samples)
    assert losses(cut) == losses(whole)
    ends = [
        load_file(run.folder / "checkpoints/step-00000008/model.safetensors")
        for run in (whole, cut)
    ]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def stop_after(trainer: Trainer, steps: int) -> None:
    """Press Ctrl-C while the given step runs."""

    def after(parts):
        if trainer.step == steps:
            os.kill(os.getpid(), signal.SIGINT)

    around_steps(trainer, after=after)


def test_a_crash_between_checkpoints_loses_only_unsaved_steps(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", recipe(small_config), ("data",))
    trainer = Trainer(run, CPU)

    def before(parts):
        if trainer.step == 5:
            raise MemoryError

    around_steps(trainer, before)
    with pytest.raises(MemoryError):
        trainer.fit(samples)
    assert len(losses(run)) == 5
    again = Trainer(run, CPU)
    again.restore()
    assert again.step == 3
    assert len(losses(run)) == 3
    again.fit(samples)
    assert len(losses(run)) == 8


def test_a_loss_that_is_not_finite_stops_the_run_and_saves_the_steps_before(
    small_config, samples, tmp_path
):
    run = Run.create(tmp_path / "run", recipe(small_config), ("data",))
    trainer = Trainer(run, CPU)

    def before(parts):
        if trainer.step == 5:
            parts[0]["image"][0, 0, 0, 0] = float("nan")

    around_steps(trainer, before)
    with pytest.raises(TrainingError, match=r"not finite at step 6 on images frame-\d\.png"):
        trainer.fit(samples)
    saved = load_file(run.folder / "checkpoints/step-00000005/model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in saved.values())


def test_a_folder_that_is_not_empty_is_refused(small_config, tmp_path):
    settings = recipe(small_config)
    Run.create(tmp_path / "run", settings, ("data",))
    with pytest.raises(TrainingError, match="already contains a run"):
        Run.create(tmp_path / "run", settings, ("data",))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    with pytest.raises(TrainingError, match="not empty"):
        Run.create(tmp_path / "other", settings, ("data",))
    assert (tmp_path / "other" / "file").read_text() == "mine"
    with pytest.raises(TrainingError, match="no run to resume"):
        Run.open(tmp_path / "other")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_frame_ends_the_run_and_saves_it(
    small_config, samples, rgbd_folder, tmp_path, workers
):
    settings = recipe(small_config, batch_size=1, steps=9, workers=workers)
    run = Run.create(tmp_path / "run", settings, ("data",))
    depth = rgbd_folder / "frame-1.depth.png"
    whole = depth.read_bytes()
    depth.write_bytes(whole[:50])
    with pytest.raises(TrainingError) as caught:
        Trainer(run, CPU).fit(samples)
    expected = r"\S*frame-1\.depth\.png is not a readable PNG.*--resume \S*"
    assert re.fullmatch(expected, str(caught.value))
    depth.write_bytes(whole)
    again = Trainer(run, CPU)
    again.restore()
    again.fit(samples)
    assert [row["step"] for row in run.log_rows()] == list(range(1, 10))


def test_a_frame_without_a_reading_is_counted(small_config, samples, rgbd_folder, tmp_path):
    write_depth_png(np.zeros((48, 64), np.float32), rgbd_folder / "frame-1.depth.png")
    run = Run.create(tmp_path / "run", recipe(small_config, steps=3), ("data",))
    result = Trainer(run, CPU).fit(samples)
    assert result.images_without_reading == 2  # once in each of two epochs of three frames


def test_a_run_killed_before_its_first_checkpoint_starts_again(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", recipe(small_config), ("data",))
    run.log({"step": 1, "loss": 9.0})
    with pytest.raises(CheckpointError, match="has no checkpoint yet; train it"):
        spd.load(run.folder)
    again = Trainer(Run.open(run.folder), CPU)
    again.restore()
    assert again.step == 0
    again.fit(samples)
    assert [row["step"] for row in run.log_rows()] == list(range(1, 9))
    assert 9.0 not in losses(run)


def test_a_damaged_state_is_named(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", recipe(small_config), ("data",))
    trainer = Trainer(run, CPU)
    trainer.fit(samples)
    for state in run.folder.rglob("state.pt"):
        state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(TrainingError, match=r"no intact checkpoint \(state\.pt does not match"):
        Trainer(run, CPU).restore()
    for checksums in run.folder.rglob("checksums.json"):  # as of an earlier version
        checksums.unlink()
    with pytest.raises(TrainingError, match=r"state\.pt cannot be read"):
        Trainer(run, CPU).restore()


def test_overfitting_one_batch_brings_its_loss_down(small_config, samples, tmp_path):
    settings = recipe(
        small_config, steps=60, warmup_steps=5, encoder_lr=3e-3, decoder_lr=3e-3, save_every=60
    )
    run = Run.create(tmp_path / "run", settings, ("data",), overfit=True)
    result = Trainer(run, CPU).fit(samples)
    curve = losses(run)
    assert sum(curve[-5:]) < 0.5 * sum(curve[:5])
    assert result.best_abs_rel < 0.2  # of the repeated batch; a constant answer has 0.4


def test_encoder_weights_are_loaded_at_the_start_and_not_on_resume(small_config, samples, tmp_path):
    from transformers import Dinov2Model

    from spd.models.encoder_vits.vit_s import backbone_config

    theirs = Dinov2Model(backbone_config(small_config.encoder))
    theirs.save_pretrained(tmp_path / "dinov2")
    settings = recipe(small_config, encoder_weights=str(tmp_path / "dinov2"))
    run = Run.create(tmp_path / "run", settings, ("data",))
    trainer = Trainer(run, CPU)
    started = trainer.model.encoder.backbone.state_dict()
    assert all(torch.equal(started[name], tensor) for name, tensor in theirs.state_dict().items())
    trainer.fit(samples)
    (tmp_path / "dinov2" / "config.json").unlink()
    Trainer(run, CPU).restore()
