"""Whether torch would find a GPU is told without torch, on every system."""

import os
from importlib import metadata, util
from types import SimpleNamespace

import pytest

from spd.predictors import gpus
from spd.predictors.gpus import gpu_present


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


@pytest.mark.parametrize(
    ("version", "libraries", "driver", "hidden", "present"),
    [
        ("2.9.0", ["libtorch_cpu.so", "libtorch_cuda.so"], "nvidia", {}, True),
        ("2.9.0+cu128", [], "nvidia", {}, True),  # a package manager put the libraries elsewhere
        ("2.9.0+cu128", ["torch_cpu.dll", "torch_cuda.dll"], None, {}, False),
        ("2.9.0", ["torch_cpu.dll"], "nvidia", {}, False),  # PyPI's torch for Windows
        ("2.9.0+cpu", [], "nvidia", {}, False),
        ("2.9.0+rocm6.4", ["libtorch_cpu.so", "libtorch_hip.so"], "amd", {}, True),
        ("2.9.0+rocm6.4", ["libtorch_cpu.so", "libtorch_hip.so"], "nvidia", {}, False),
        ("2.9.0", ["libtorch_cpu.so", "libtorch_cuda.so"], "amd", {}, False),
        ("2.9.0+cu128", [], "nvidia", {"CUDA_VISIBLE_DEVICES": "-1"}, False),
        ("2.9.0+cu128", [], "nvidia", {"CUDA_VISIBLE_DEVICES": ""}, False),
        ("2.9.0+cu128", [], "nvidia", {"CUDA_VISIBLE_DEVICES": "1"}, True),
        ("2.9.0+cu128", [], "nvidia", {"HIP_VISIBLE_DEVICES": ""}, True),
        ("2.9.0+rocm6.4", [], "amd", {"HIP_VISIBLE_DEVICES": ""}, False),
    ],
)
def test_a_gpu_needs_its_driver_and_a_torch_built_for_it(
    monkeypatch, tmp_path, version, libraries, driver, hidden, present
):
    (tmp_path / "lib").mkdir()
    for name in (*libraries, "nvidia", "amd"):
        if name in libraries or name == driver:
            (tmp_path / "lib" / name).touch()
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(util, "find_spec", lambda name: spec)
    monkeypatch.setattr(metadata, "version", lambda name: version)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr(gpus, "_NVIDIA", (tmp_path / "lib" / "nvidia",))
    monkeypatch.setattr(gpus, "_AMD", (tmp_path / "lib" / "amd",))
    assert gpu_present() is present
