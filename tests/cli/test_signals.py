"""SIGTERM and SIGHUP end a command as Ctrl-C does: finished work stays, no process is left."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from spd.files import atomic_path
from spd.processes import ignore_sigterm, process_pool
from spd.terminal import end_by_signals, stop_signal

NUMBERS = [signal.SIGTERM, signal.SIGHUP]
pytestmark = pytest.mark.usefixtures("usual_signals")


@pytest.mark.parametrize(
    ("number", "send"),
    [
        (signal.SIGTERM, os.killpg),
        pytest.param(signal.SIGTERM, os.kill, marks=pytest.mark.slow),
        *(
            pytest.param(number, send, marks=pytest.mark.slow)
            for number in (signal.SIGINT, signal.SIGHUP)
            for send in (os.kill, os.killpg)
        ),
    ],
)
def test_rooms_end_with_their_processes(tmp_path, number, send):
    folder = tmp_path / "rooms"
    words = ["data", "rooms", str(folder), "--count", "400", "--workers", "2", "--height", "96"]
    process = subprocess.Popen(
        [sys.executable, "-m", "spd", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while len(list(folder.glob("*.png"))) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    send(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert not list(folder.glob(".*"))
    while exists(process.pid) and time.monotonic() < until + 10:
        time.sleep(0.05)
    assert not exists(process.pid)


def exists(group: int) -> bool:
    """Whether a process of this group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def write_for_ever(path: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        time.sleep(600)


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_leaves_nothing_half_written(tmp_path, capfd):
    with process_pool(1) as pool:
        job = pool.submit(write_for_ever, str(tmp_path / "file"))
        until = time.monotonic() + 60
        while not list(tmp_path.glob(".*/file")) and time.monotonic() < until:
            time.sleep(0.02)
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGTERM)
        with pytest.raises(BrokenProcessPool):
            job.result(timeout=60)
    assert worker.exitcode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def test_workers_of_the_loader_leave_sigterm_to_the_trainer():
    before = signal.getsignal(signal.SIGTERM)
    try:
        ignore_sigterm(0)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGINT, *NUMBERS])
@pytest.mark.parametrize("late", [False, True])
def test_a_signal_while_modules_are_imported_is_no_traceback(number, late):
    code = (
        "import signal, sys\n"
        "from spd import cli, memory\n"
        "def interrupted(*given):\n"
        f"    signal.raise_signal({number:d})\n"
        f"{'cli.run' if late else 'memory.own_this_process'} = interrupted\n"
        "cli.main([])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("ignored", [False, True])
def test_a_signal_becomes_an_interruption_unless_it_is_ignored(number, ignored):
    code = (
        "import signal, sys\n"
        "from spd.terminal import end_by_signals\n"
        f"signal.signal({number:d}, signal.SIG_IGN if {ignored} else signal.SIG_DFL)\n"
        "came = end_by_signals()\n"
        "try:\n"
        f"    signal.raise_signal({number:d})\n"
        "    print('ignored')\n"
        "except KeyboardInterrupt:\n"
        f"    signal.raise_signal({number:d})\n"  # a second one does not interrupt the clean end
        "    print(came)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == ("ignored" if ignored else f"[{number:d}]"), done.stderr


def test_a_signal_to_training_is_known_to_the_command():
    came = end_by_signals()
    try:
        with stop_signal() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert stop.is_set()
        assert came == [signal.SIGTERM]
        assert end_by_signals() == []
    finally:
        for number in NUMBERS:
            signal.signal(number, signal.SIG_DFL)
