"""Start a batch, kill it in the middle, and wait for its processes to end."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from helpers.batches import parts_of

LONGEST_S = 120  # for processes to start on a busy machine; they take a few seconds


def start(table: Path, model: Path, out: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "spd", "batch", str(table), "-o", str(out), "-m", str(model)]
    options = ["--device", "cpu", "--threads", "1", "--photos-per-part", "2", *more]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def wait_for(what, process: subprocess.Popen) -> None:
    began = time.monotonic()
    while not what():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() - began < LONGEST_S
        time.sleep(0.002)


def kill_in_the_middle(process: subprocess.Popen, out: Path) -> list[int]:
    """Kill it when three parts are written; returns the processes that it had started."""
    wait_for(lambda: len(parts_of(out)) >= 3, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    started = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert 3 <= len(parts_of(out)) < 40
    return started


def assert_ends(pids: list[int]) -> None:
    began = time.monotonic()
    while left := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() - began < LONGEST_S, left
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
