"""A compiled run against an eager one, as processes of their own.

Not in the tests' own process: its checks of every tensor's shape cannot be traced.
"""

import subprocess
import sys

import pytest

from helpers.small_runs import losses
from spd.training.runs import Run

SMALL = [
    "model.encoder.hidden_size=24",
    "model.dim=16",
    "train.steps=3",
    "train.warmup_steps=1",
    "train.batch_size=2",
    "train.points_per_image=16",
    "train.tracker=none",
]


def train(data, folder, compiled: bool) -> list[float]:
    command = [sys.executable, "-m", "spd", "train", "--recipe", "rooms_tiny"]
    command += ["--data", f"{data}:train", "-o", str(folder)]
    command += ["--set", *SMALL, f"train.compile={str(compiled).lower()}"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    return losses(Run.open(folder))


@pytest.mark.slow
def test_a_compiled_run_has_the_losses_of_an_eager_run(rgbd_folder, tmp_path):
    compiled = train(rgbd_folder, tmp_path / "compiled", compiled=True)
    eager = train(rgbd_folder, tmp_path / "eager", compiled=False)
    assert len(compiled) == 3
    assert compiled == pytest.approx(eager, rel=1e-4)  # float32 sums in another order
