"""The machine that a time was measured on."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from spd._version import __version__
from spd.processes import usable_cpus


def machine() -> dict[str, str | int]:
    """Processor, cores, load and versions; with torch loaded also its threads and the GPU."""
    about: dict[str, str | int] = {
        "processor": _processor(),
        "cores": usable_cpus(),
        "load_average": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "python": platform.python_version(),
        "spd": __version__,
        "torch": package_version("torch"),
    }
    if sys.modules.get("torch") is not None:
        import torch

        about |= {
            "torch_threads": torch.get_num_threads(),
            "vector_instructions": torch.backends.cpu.get_cpu_capability(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        }
    return about


def package_version(name: str) -> str:
    """The version of an installed package, or "not installed"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
