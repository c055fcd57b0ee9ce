"""Detection of GPUs that torch could use, without importing torch, which takes seconds."""

import os
import platform
from importlib import metadata, util
from pathlib import Path

_NVIDIA = (  # files of the driver on Linux, in WSL 2 and on Windows
    "/dev/nvidiactl",
    "/usr/lib/wsl/lib/libcuda.so.1",
    "C:/Windows/System32/nvcuda.dll",
)
_AMD = ("/dev/kfd",)


def gpu_present() -> bool:
    """True if torch would find a GPU (CUDA, ROCm, or MPS on Apple silicon)."""
    torch = util.find_spec("torch")
    if torch is None:
        return False
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    version = metadata.version("torch")
    rocm = "+rocm" in version
    hiders = ("CUDA_VISIBLE_DEVICES", *(("HIP_VISIBLE_DEVICES",) if rocm else ()))
    if any(os.environ.get(name) in ("", "-1") for name in hiders):
        return False
    if version.endswith("+cpu") or _built_for_cpu(Path(torch.origin or "").parent / "lib"):
        return False
    return any(Path(file).exists() for file in (_AMD if rocm else _NVIDIA))


def _built_for_cpu(libraries: Path) -> bool:
    """True if torch was built for the CPU; PyPI's version for Windows does not state it."""
    names = [path.name for path in libraries.glob("*torch_*")]
    return any("torch_cpu" in name for name in names) and not any(
        part in name for name in names for part in ("torch_cuda", "torch_hip")
    )
