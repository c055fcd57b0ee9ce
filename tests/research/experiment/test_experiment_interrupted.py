"""Ctrl-C, as a terminal sends it: to every process at once."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.paths import ROOT
from helpers.small_experiment import SMALL
from research.experiment import run as experiment_run
from research.experiment.config import ExperimentConfig
from research.experiment.run import Experiment
from spd.terminal import interrupts_held

POOL = """
import concurrent.futures, multiprocessing, sys, time
from spd.terminal import interrupts_held

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
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any(line == f"{last_line}\n" for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)
    try:
        said, _ = process.communicate(timeout=120)
    finally:  # whatever is left of it would take the cores of all tests that follow
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


def test_workers_never_see_an_interruption_not_even_while_they_start(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    assert interrupted([str(script)], "started") == (0, "[None, None]\n")


@pytest.fixture
def interruptible():
    """Python's own handler, also where whoever began this run has interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_that_another_thread_is_given_waits_as_well(interruptible):
    reached, done = [], threading.Event()

    def press() -> None:
        with interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            reached.append("the end")

    other = threading.Thread(target=done.wait)  # its mask is open, as a library's threads' are
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            press()
    finally:
        done.set()
        other.join()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def rest(folder: Path, number: int, constant: object) -> None:
    """In place of a head's training."""
    time.sleep(30)
    (folder / f"done-{number}").touch()


def test_an_interrupt_while_heads_start_ends_their_processes(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def interrupted_at_its_end():
        with interrupts_held():
            yield
        raise KeyboardInterrupt

    experiment = Experiment.start(tmp_path, ExperimentConfig(), ())
    monkeypatch.setattr(experiment_run, "interrupts_held", interrupted_at_its_end)
    monkeypatch.setattr(experiment_run, "_do_head", rest)
    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        experiment._do_heads(None)
    for process in set(multiprocessing.active_children()) - before:
        process.join(60)  # until its end; how it ended is told to whoever asks first
        while Path(f"/proc/{process.pid}").exists():
            time.sleep(0.01)
    assert not list(tmp_path.glob("done-*"))  # nobody waited for what had begun


@pytest.mark.slow
def test_an_interrupted_experiment_says_one_line_and_ends_at_once(tmp_path):
    changes = {
        "train_rooms": 4, "val_rooms": 1, "held_out_rooms": 2, "held_out_points": 100,
        "edge_rooms": 1, "seeds": 2, "steps": 1_000_000, "trunk": SMALL,
        "variants": ["v15.2", "bilinear"],
    }  # fmt: skip
    settings = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    arguments = ["-m", "research.experiment", "-o", str(tmp_path / "e"), "--set", *settings]
    said = "research: interrupted; finished stages are kept, and the same command continues\n"
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
