"""SIGTERM and SIGHUP end a command as Ctrl-C does: finished work stays, no process is left."""

import os
import signal
import subprocess
import sys
import time

import pytest

NUMBERS = [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.soak
@pytest.mark.parametrize("number", NUMBERS)
def test_rooms_end_with_their_processes(tmp_path, number):
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
    # A closing terminal tells all processes, whoever sends SIGTERM only the first.
    (os.killpg if number == signal.SIGHUP else os.kill)(process.pid, number)
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
