"""The choice of torch's device."""

import torch

from spd.checkpoints.checkpoint import default_device
from spd.errors import ConfigError


def choose_device(name: str | torch.device | None) -> torch.device:
    """Device of that name; None is CUDA or MPS where present, else the CPU.

    Raises:
        ConfigError: if this machine has no such device.
    """
    if name is None:
        return default_device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ConfigError(
            f"no device {str(name)!r} on this machine; use cpu, or omit the device"
        ) from None
    return device
