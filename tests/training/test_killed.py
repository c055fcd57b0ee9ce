"""A run that is killed at any moment and resumed ends as if nothing had happened.

`make test-all` kills two runs, `make soak` twenty.
"""

import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from helpers.small_runs import last_weights, losses, same_weights
from spd.training.runs import Run

pytestmark = [pytest.mark.soak, pytest.mark.slow]
SOAK = bool(os.environ.get("SPD_SOAK"))
STEPS = 12
SETTINGS = [
    "model.encoder.hidden_size=24",
    "model.encoder.layers=4",
    "model.camera.crop_height_px=56",
    "model.camera.crop_width_px=84",
    f"train.steps={STEPS}",
    "train.warmup_steps=2",
    "train.batch_size=2",
    "train.points_per_image=16",
    "train.save_every=1",
    "train.evaluate_every=3",
    "train.ema_decay=0.9",
]


def train(arguments: list[str], started) -> None:
    """In a process of its own: `spd train`, announcing when it begins."""
    import torch

    from spd.cli import run

    torch.set_num_threads(1)
    started.set()
    code = run(["train", "--device", "cpu", *arguments])
    os._exit(code)


@pytest.fixture(scope="module")
def processes():
    """Forks of a process that has imported everything, so that a start takes no seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spd.train", "spd.figures", "spd.data.sources"])
    return context


class Launcher:
    """Starts `spd train` on a folder of frames."""

    def __init__(self, context, frames: Path) -> None:
        self.context = context
        self.data = ["--data", f"{frames}:train", "--val", f"{frames}:val"]

    def begin(self, folder: Path):
        """The process, when it has begun: a new run, or what is left of one."""
        arguments = ["--recipe", "rooms_tiny", *self.data, "--out", str(folder), "--set", *SETTINGS]
        if (folder / "run.json").exists():
            arguments = ["--resume", str(folder)]
        started = self.context.Event()
        process = self.context.Process(target=train, args=(arguments, started))
        process.start()
        assert started.wait(60)
        return process

    def finish(self, folder: Path) -> None:
        """Train to the end."""
        process = self.begin(folder)
        process.join(120)
        assert process.exitcode == 0


def logged_steps(folder: Path) -> int:
    """How many steps the run's log tells of."""
    log = folder / "log.jsonl"
    return log.read_text(encoding="utf-8").count('"loss"') if log.exists() else 0


@pytest.fixture(scope="module")
def uninterrupted(processes, tmp_path_factory):
    """A run nobody touched, and what started it."""
    from helpers.samples import write_rgbd_folder

    frames = write_rgbd_folder(tmp_path_factory.mktemp("frames"))
    launcher = Launcher(processes, frames)
    folder = tmp_path_factory.mktemp("runs") / "whole"
    launcher.finish(folder)
    return Run.open(folder), launcher


@pytest.mark.parametrize("number", range(20 if SOAK else 2))
def test_a_killed_run_ends_with_the_weights_of_the_uninterrupted_one(
    uninterrupted, tmp_path, number
):
    whole, launcher = uninterrupted
    generator = np.random.default_rng(number)
    folder = tmp_path / "killed"
    kills = 0
    # By steps, since how long a step takes depends on what else the machine does; the first kill
    # comes before the end of any run, the others also while the last files are written.
    for most_steps in (STEPS - 3, STEPS, STEPS):
        steps = generator.integers(most_steps + 1)
        process = launcher.begin(folder)
        while process.is_alive() and logged_steps(folder) < steps:
            process.join(0.005)
        process.join(generator.uniform(0, 0.1))
        process.kill()
        process.join()
        if process.exitcode == 0:  # it was faster than the kill
            if kills:
                break
            shutil.rmtree(folder)
            continue
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills > 0
    launcher.finish(folder)
    killed = Run.open(folder)
    assert same_weights(last_weights(killed), last_weights(whole))
    assert losses(killed) == losses(whole)
    best = [json.loads((run.folder / "best.json").read_text()) for run in (whole, killed)]
    assert best[0] == best[1]
    left = [p.name for p in (*folder.iterdir(), *(folder / "checkpoints").iterdir())]
    assert not [name for name in left if name.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_the_finished_steps(uninterrupted, tmp_path, number):
    whole, launcher = uninterrupted
    folder = tmp_path / "asked"
    process = launcher.begin(folder)
    while not (folder / "log.jsonl").exists() and process.exitcode is None:
        process.join(0.01)
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode in (0, 130)  # 0 where it was faster than the signal
    launcher.finish(folder)
    assert same_weights(last_weights(Run.open(folder)), last_weights(whole))
