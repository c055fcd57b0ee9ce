"""Many processes and accumulated parts compute what one process computes with the whole batch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from helpers.small_runs import CPU, float64, gradients_of, last_weights, losses, small_recipe
from spd.config import ModelConfig
from spd.data.loader import Shard, ViewStream, batches
from spd.data.sources import open_samples
from spd.errors import ConfigError
from spd.train import Trainer
from spd.training.runs import Run

WORKER = Path(__file__).with_name("worker.py")


def largest_difference(one, other) -> float:
    assert len(one) == len(other) > 0
    assert all(a.keys() == b.keys() for a, b in zip(one, other, strict=True))
    return max(
        float((a[name] - b[name]).abs().max())
        for a, b in zip(one, other, strict=True)
        for name in a
    )


@pytest.fixture
def square_config(small_config: ModelConfig) -> ModelConfig:
    """Crops that need no resized position embeddings: transformers resizes those in float32."""
    camera = small_config.camera.model_copy(update={"crop_height_px": 42, "crop_width_px": 42})
    return small_config.model_copy(update={"camera": camera})


def run_alone(run: Run, rgbd_folder: Path):
    with float64():
        trainer = Trainer(run, CPU)
        gradients = gradients_of(trainer, dict(trainer.model.named_parameters()))
        held_out = open_samples([f"{rgbd_folder}:val"])
        trainer.fit(open_samples([f"{rgbd_folder}:train"], metric_only=True), held_out)
    return gradients


@pytest.mark.slow
def test_two_processes_with_half_the_batch_each_train_like_one_with_the_whole(
    square_config, rgbd_folder, tmp_path
):
    settings = small_recipe(square_config, batch_size=4, steps=3, objective="mix")
    alone = Run.create(tmp_path / "alone", settings, ("data",))
    gradients = run_alone(alone, rgbd_folder)
    both = Run.create(tmp_path / "both", settings, ("data",))
    out = tmp_path / "both.pt"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--master-addr=127.0.0.1", "--master-port=0", "--rdzv-backend=c10d"]
    command += ["--rdzv-endpoint=127.0.0.1:0", str(WORKER), str(both.folder), str(out)]
    command += [f"{rgbd_folder}:train", f"{rgbd_folder}:val"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    written = torch.load(out, weights_only=True)
    assert written["processes"] == 2
    assert largest_difference(gradients, written["gradients"]) < 1e-10
    # The run's metrics: every row of the log, losses and validation.
    for one, other in zip(alone.log_rows(), both.log_rows(), strict=True):
        for name in one.keys() - {"wait_s", "step_s"}:
            assert one[name] == pytest.approx(other[name], rel=1e-10), name
    assert any("val_abs_rel" in row for row in both.log_rows())
    ends = last_weights(alone), last_weights(both)
    assert max(float((ends[0][n] - ends[1][n]).abs().max()) for n in ends[0]) < 1e-10


@pytest.mark.parametrize("objective", ["dense", "query", "mix"])
def test_accumulated_parts_give_the_gradients_of_the_whole_batch(
    square_config, rgbd_folder, tmp_path, objective
):
    found = []
    for accumulate in (1, 2, 4):
        settings = small_recipe(
            square_config, batch_size=4, steps=3, accumulate=accumulate, objective=objective
        )
        run = Run.create(tmp_path / f"{accumulate}", settings, ("data",))
        found.append((run_alone(run, rgbd_folder), losses(run)))
    for gradients, loss in found[1:]:
        assert largest_difference(found[0][0], gradients) < 1e-10
        assert loss == pytest.approx(found[0][1], rel=1e-10)


def test_processes_and_parts_share_each_steps_images_in_order(small_config, rgbd_folder):
    samples = open_samples([f"{rgbd_folder}:train"])

    def names(accumulate: int, processes: int) -> list[list[str]]:
        config = small_recipe(small_config, batch_size=4, steps=3, accumulate=accumulate).train
        stream = ViewStream(samples, small_config.camera, config)
        found: list[list[str]] = [[], [], []]
        for process in range(processes):
            parts = list(batches(stream, 0, Shard(process, processes)))
            assert len(parts) == 3 * accumulate
            for number, part in enumerate(parts):
                assert len(part["names"]) == 4 // (accumulate * processes)
                found[number // accumulate] += part["names"]
        return [sorted(step) for step in found]

    assert names(2, 2) == names(4, 1) == names(1, 2) == names(1, 1)


def test_a_batch_that_cannot_be_shared_is_refused(small_config, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="batch_size 2 is not divisible by accumulate 3"):
        small_recipe(small_config, accumulate=3)
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("data",))
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match="not divisible by 3"):
        Trainer(run, CPU)
