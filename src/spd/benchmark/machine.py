"""What a number was measured on, and how large this process grew."""

import os
import platform
import resource
import sys
from pathlib import Path

import torch

from spd._version import __version__


def machine() -> dict[str, str | int]:
    """Processor, cores, threads, device and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "torch_threads": torch.get_num_threads(),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "spd": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "load_average": f"{os.getloadavg()[0]:.1f}",
    }


def peak_bytes(device: torch.device) -> int:
    """The most memory so far: of the GPU's allocator, or of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would hold what the process had before it was this program
        fields = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
