"""Ctrl-C, as a terminal sends it: to every process at once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from spd.experiment.config import ExperimentConfig
from spd.experiment.run import Experiment
from test_experiment import SMALL

POOL = """
import concurrent.futures, multiprocessing, sys, time
from spd.processes import interrupts_held

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        with interrupts_held():
            jobs = [pool.submit(time.sleep, 0.5) for _ in range(2)]
        try:
            print("started", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print([job.result() for job in jobs], flush=True)
"""


# A job that a shell starts in the background is born deaf to SIGINT; a terminal's is not.
HEARING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def interrupted(arguments: Sequence[str], last_line: str) -> tuple[int, str]:
    """Run it, interrupt its process group after that line; its exit code and what it said then."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEARING, *arguments],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any(line == f"{last_line}\n" for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def test_workers_never_see_an_interruption_not_even_while_they_start(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    assert interrupted([str(script)], "started") == (0, "[None, None]\n")


@pytest.mark.slow
def test_an_interrupted_experiment_says_one_line_and_ends_at_once(tmp_path):
    changes = {
        "train_rooms": 4, "val_rooms": 1, "held_out_rooms": 2, "held_out_points": 100,
        "edge_rooms": 1, "seeds": 2, "steps": 1_000_000, "trunk": SMALL,
        "variants": ["v15.2", "bilinear"],
    }  # fmt: skip
    settings = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    arguments = ["-m", "spd", "experiment", "-o", str(tmp_path / "e"), "--set", *settings]
    said = "spd: interrupted; everything finished is kept, the same command goes on\n"
    assert interrupted(arguments, "training and scoring heads") == (130, said)


def test_what_a_stopped_worker_had_begun_to_write_is_removed(tmp_path):
    experiment = Experiment.start(tmp_path, ExperimentConfig(), ())
    kept = tmp_path / "heads" / "v15.2-0" / "held_out" / "report.json"
    for path in (
        kept,
        tmp_path / "heads" / ".writing-1" / "v15.2-1" / "head.json",
        kept.parent / ".writing-2" / "room.npz",
    ):
        path.parent.mkdir(parents=True)
        path.touch()
    experiment._tidy_heads()
    left = [path for path in (tmp_path / "heads").rglob("*") if path.is_file()]
    assert left == [kept]
