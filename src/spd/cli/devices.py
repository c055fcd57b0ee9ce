"""Choosing the device a command runs on."""

import torch

from spd.checkpoints.checkpoint import default_device
from spd.errors import ConfigError


def choose_device(name: str | None) -> torch.device:
    """The device of that name, or the best there is.

    Raises:
        ConfigError: if there is no such device on this machine.
    """
    if name is None:
        return default_device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ConfigError(f"no device {name!r} here; use cpu, or leave --device out") from None
    return device
