"""The choice of torch's device."""

import torch

from spd.checkpoints.checkpoint import default_device
from spd.errors import ConfigError, shown


def choose_device(name: str | torch.device | None) -> torch.device:
    """Device of that name; None is CUDA or MPS where present, else the CPU.

    Raises:
        ConfigError: if this machine has no such device.
    """
    if name is None:
        return default_device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device).cpu()  # which a device without memory, "meta", cannot
    except Exception:  # torch and the backends raise many types
        given = repr(str(name)) if isinstance(name, str | torch.device) else shown(name)
        raise ConfigError(
            f"no device {given} on this machine; use cpu, or omit the device"
        ) from None
    return device
