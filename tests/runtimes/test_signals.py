"""Signals that come after predictors have come and gone."""

import subprocess
import sys

import pytest

from helpers import exports

OPENED_TWICE = """
import gc, signal, sys
from spd.runtimes import open_export

first, second = (open_export(sys.argv[1], "openvino", threads=1) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_is_handled_after_two_predictors_were_dropped_in_turn():
    pytest.importorskip("openvino", reason='pip install "spd[export]"')
    command = [sys.executable, "-c", OPENED_TWICE, str(exports.exported())]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "handled"), done.stderr
