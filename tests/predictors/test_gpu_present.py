"""Whether torch would find a GPU is told without torch, on every system."""

import os
from importlib import metadata, util

import pytest

from spd.predictors.model_options import gpu_present


@pytest.mark.parametrize(
    ("system", "machine", "present"),
    [("Darwin", "arm64", True), ("Darwin", "x86_64", False), ("Windows", "AMD64", False)],
)
def test_a_gpu_is_told_by_system_and_machine(monkeypatch, system, machine, present):
    monkeypatch.delattr(os, "uname", raising=False)  # Windows has none
    monkeypatch.setattr(util, "find_spec", lambda name: name)
    monkeypatch.setattr(metadata, "version", lambda name: "2.9.0+cpu")
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert gpu_present() is present
